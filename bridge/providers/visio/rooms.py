"""Where the meeting behind a link is: Visio's anonymous room address, ``/api/v1.0/rooms/{slug}/``.

What anybody who opens the link would be told. A registered room has an id, which is the name of its SFU
room. Where unregistered rooms are allowed (``ALLOW_UNREGISTERED_ROOMS``), any other slug is an SFU room of
that very name; else there is no such meeting yet. The answer of a public room also holds a token to join,
which is dropped unread. See ``RoomViewSet.retrieve`` in https://github.com/suitenumerique/meet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cachetools import TLRUCache

from bridge.calls.model import DialIn
from bridge.providers.visio import answers
from bridge.providers.visio.api import ticks
from bridge.providers.visio.errors import Nonsense, VisioFailure
from bridge.providers.visio.http import Answer, Request, VisioHttp
from bridge.providers.visio.links import normal_slug
from bridge.providers.visio.sharing import Sharing
from bridge.providers.visio.telephone import Telephone

KEPT_MS = 10_000
"""How long an answer about a room that is there is good for everybody who asks."""

KEPT_SHORTLY_MS = 2_000
"""The same for an answer that may soon be another one: no room yet, no answer."""

_MOST_KEPT = 2_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a meeting is.

    Attributes:
        sfu_room: Name of its SFU room.
        access: Its access level, or None if it is none that we know.
        registered: Visio has a room of that slug; if not, the same link may lead elsewhere later.
        dial_in: How to join by telephone, where anybody may.
        sources: What people may publish there; None for everything.
    """

    sfu_room: str
    access: str | None
    registered: bool
    dial_in: DialIn | None = None
    sources: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of a question, for all who ask it."""

    place: Place | None = None
    failure: VisioFailure | None = None

    @property
    def good_for_ms(self) -> int:
        return KEPT_MS if self.place is not None and self.place.registered else KEPT_SHORTLY_MS


class Rooms:
    """Finds meetings by slug.

    Args:
        http: Requests to Visio.
        clock: A monotonic clock, in milliseconds.
    """

    def __init__(self, http: VisioHttp, clock: Callable[[], int] = ticks) -> None:
        self._http = http
        self._kept: TLRUCache[str, _Outcome] = TLRUCache(
            _MOST_KEPT, ttu=lambda _slug, outcome, now: now + outcome.good_for_ms, timer=clock
        )
        self._asking: Sharing[_Outcome] = Sharing()
        self._telephone = Telephone(http, clock)

    async def find(self, slug: str) -> Place | None:
        """Where the meeting is; None if there is none (yet).

        Raises:
            VisioFailure: Visio did not say.
            ValueError: this is no slug in its normal form.
        """
        if normal_slug(slug) != slug:
            raise ValueError("not a slug in its normal form")
        outcome = self._kept.get(slug) or await self._asking.ask(slug, lambda: self._ask(slug))
        if outcome.failure is not None:
            raise outcome.failure.again()
        return outcome.place

    async def close(self) -> None:
        """Stop asking."""
        await self._asking.close()
        await self._telephone.close()

    async def _ask(self, slug: str) -> _Outcome:
        try:
            answer = await self._http.ask(Request("GET", f"/api/v1.0/rooms/{slug}/"))
            outcome = _Outcome(await self._place(answer, slug))
        except VisioFailure as failure:
            outcome = _Outcome(failure=failure)
        self._kept[slug] = outcome
        return outcome

    async def _place(self, answer: Answer, slug: str) -> Place | None:
        if answer.status == 404 and answer.kind == "application/json":
            return None
        if answer.status != 200:
            raise Nonsense(f"status {answer.status} at the room's address {answer.said()}".rstrip())
        room = answer.document()
        # Only these two names are Visio's; any other could be somebody else's SFU room.
        if "id" not in room:
            raise Nonsense("a room without id")
        if room["id"] is None:
            return Place(slug, "public", registered=False)
        room_id = answers.room_uuid(room["id"])
        if room_id is None:
            raise Nonsense("a room whose id is no UUID")
        return Place(
            room_id,
            answers.access(room),
            registered=True,
            dial_in=await self._telephone.dial_in(room),
            sources=answers.sources(room),
        )
