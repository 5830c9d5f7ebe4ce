"""The desk at the door of a meeting: who may look in, and who gets a token for the SFU."""

from __future__ import annotations

import base64
import enum
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from bridge.calls.model import Call, CallState
from bridge.calls.ports import Admission, Provider, SfuUnreachable
from bridge.sfu.model import IceServer
from bridge.web.names import clean_name

_VISITOR = re.compile(r"[A-Za-z0-9_-]{16,64}")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Reason(enum.StrEnum):
    """Why somebody is not let in; the page has words for each."""

    WRONG_LINK = "wrong_link"
    """No such call, or the secret is not its own. The two look alike on purpose."""
    OVER = "over"
    FULL = "full"
    REMOVED = "removed"
    """An organiser put this guest out."""
    UNAVAILABLE = "unavailable"
    """The SFU does not answer, or the meeting is not ready yet: worth another try."""
    BAD_REQUEST = "bad_request"
    BUSY = "busy"
    """Too many wrong secrets from this address."""


class Refused(Exception):
    """Somebody is not let in.

    Attributes:
        reason: What the page is told.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Look:
    """What the page shows before joining.

    Attributes:
        subject: What the meeting is about.
        state: Where the call stands.
        count: How many people the card shows.
        max: How many may be in at once.
        language: The bridge's language, for browsers that speak none of the page's.
    """

    subject: str | None
    state: CallState
    count: int
    max: int
    language: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the page needs to connect to the SFU.

    Attributes:
        sfu_url: Where to connect.
        token: The grant to join, for this person and this meeting only.
        ice_servers: The only STUN and TURN servers to use; empty means none at all.
        identity: The guest's identity in the SFU.
        name: The name after cleaning, as others will see it.
    """

    sfu_url: str
    token: str
    ice_servers: tuple[IceServer, ...]
    identity: str
    name: str


class Desk:
    """Decides who gets in.

    Args:
        find: The newest call behind the link with this id, or None.
        resumable: Whether people may gather again in a call that is over; they then get a new card.
        provider: Whose meetings have a join page here; calls of others are unknown at this desk.
        joined: Told after a token was given, as a hint that somebody is about to appear.
        sfu_url: What browsers reach the SFU under.
        ice_servers: STUN and TURN servers for the page.
        max_participants: How many people may be in one meeting at once.
        language: The bridge's default language.
    """

    def __init__(
        self,
        *,
        find: Callable[[str], Awaitable[Call | None]],
        resumable: Callable[[Call], bool] = lambda _call: False,
        provider: Provider,
        joined: Callable[[Call], None],
        sfu_url: str,
        ice_servers: tuple[IceServer, ...] = (),
        max_participants: int = 150,
        language: str = "fr",
    ) -> None:
        self._find = find
        self._resumable = resumable
        self._provider = provider
        self._joined = joined
        self.sfu_url = sfu_url
        self._ice_servers = ice_servers
        self._max = max_participants
        self._language = language

    async def look(self, link_id: str, secret: str) -> Look:
        """What a holder of the link may know before joining.

        Counts whom the card shows, so that opening the page costs the SFU nothing; a meeting that goes on
        without its room has no card, so the SFU is asked.

        Raises:
            Refused: ``WRONG_LINK``, ``OVER`` or ``UNAVAILABLE``.
        """
        call = await self._open_call(link_id, secret)
        state = CallState.OPEN if call.state.is_over else call.state
        count = await self._count(call) if call.lingers else call.count
        return Look(call.subject, state, count, self._max, self._language)

    async def _count(self, call: Call) -> int:
        try:
            sight = await self._provider.who(call)
        except SfuUnreachable:
            return 0
        return sum(not seen.hidden for seen in sight.participants)

    async def admit(self, link_id: str, secret: str, *, name: str, visitor: str) -> Ticket:
        """Let a guest in under the name given.

        ``visitor`` is a random id that the browser tab keeps: the same visitor gets the same SFU
        identity, so that a reload replaces the old connection and is no second person. The id
        itself goes no further than this desk.

        Raises:
            Refused: with any reason but ``BUSY``.
        """
        shown = clean_name(name)
        if not shown or not _VISITOR.fullmatch(visitor):
            raise Refused(Reason.BAD_REQUEST)
        call = await self._open_call(link_id, secret)
        identity = guest_identity(call.sfu_room or call.id, visitor)
        if identity in call.denied:
            # A new tab makes a new guest, whom the organisers see.
            raise Refused(Reason.REMOVED)
        try:
            sight = await self._provider.who(call)
            inside = {seen.identity for seen in sight.participants if not seen.hidden}
            if len(inside - {identity}) >= self._max:
                raise Refused(Reason.FULL)
            await self._provider.prepare(call)
        except SfuUnreachable:
            log.warning("guest turned away: the SFU does not answer", call=call.id)
            raise Refused(Reason.UNAVAILABLE) from None
        token = self._provider.token(call, Admission(identity, shown))
        self._joined(call)
        log.info("guest admitted", call=call.id, identity=identity)
        return Ticket(self.sfu_url, token, self._ice_servers, identity, shown)

    async def _open_call(self, link_id: str, secret: str) -> Call:
        """The call behind this link, if it can still be joined."""
        call = await self._find(link_id)
        if call is None or call.provider != self._provider.name:
            raise Refused(Reason.WRONG_LINK)
        if call.state.is_over and not call.secret:
            # A store may forget the secret with the end of the call; an old link should still
            # hear "over" rather than "wrong", and that an unknown id ended gives nothing away.
            raise Refused(Reason.OVER)
        if not call.secret or not hmac.compare_digest(call.secret.encode(), secret.encode()):
            raise Refused(Reason.WRONG_LINK)
        if call.state.is_over and not call.lingers and not self._resumable(call):
            raise Refused(Reason.OVER)
        if call.sfu_room is None:
            raise Refused(Reason.UNAVAILABLE)
        return call


def guest_identity(sfu_room: str, visitor: str) -> str:
    """The SFU identity of a visitor behind one link; different, and unlinkable, behind every other."""
    digest = hashlib.sha256(f"{sfu_room}\0{visitor}".encode()).digest()
    return "guest-" + base64.b32encode(digest).decode().lower()[:20]
