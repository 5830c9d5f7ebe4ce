"""Meetings in Visio: made in somebody's name, or found behind a link that somebody posted.

Visio makes the SFU room when the first person joins, and it alone: the bridge never creates one or changes
its settings. It asks the SFU only about rooms of its own calls. See `bridge.providers.visio.participants` for
what it understands there.
"""

from __future__ import annotations

import asyncio
import contextlib
import unicodedata
from collections.abc import Iterator
from urllib.parse import urlsplit

import structlog
from cachetools import LRUCache

from bridge.calls.model import Call
from bridge.calls.ports import Admission, Meeting, SfuUnreachable, Sight
from bridge.providers.livekit import matrix_user
from bridge.providers.visio.answers import VisioRoom
from bridge.providers.visio.api import VisioApi
from bridge.providers.visio.appearance import attributes, vouched
from bridge.providers.visio.errors import (
    DomainRefused,
    EmailUnclear,
    ForeignLink,
    ServiceDomainRefused,
    ServiceUnknown,
    UnknownUser,
)
from bridge.providers.visio.http import VisioHttp
from bridge.providers.visio.links import VisioLinks
from bridge.providers.visio.participants import is_person, nameless, sight
from bridge.providers.visio.parts import SharedSfu, VisioParts
from bridge.providers.visio.rooms import Rooms
from bridge.providers.visio.sources import Sources
from bridge.sfu.model import SfuParticipant
from bridge.sfu.tokens import JoinPass, join_token

_REMEMBERED = 500
_LONGEST_NAME = 100
_OPEN_DOORS = frozenset({"public", "trusted"})
_ANEW_MS = 60_000
"""Whoever came so long after the end of a meeting did not come to it; clocks differ by less."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class VisioProvider:
    """Fills `bridge.calls.ports.Provider` with meetings of one Visio.

    Attributes:
        links: Which links lead to its meetings.
    """

    name = "visio"

    def __init__(self, parts: VisioParts) -> None:
        self._parts = parts
        self._http = VisioHttp(parts.url, parts.patience)
        self._api = VisioApi(self._http, parts.credentials, on_orphan=parts.on_orphan, clock=parts.ticks)
        self._rooms = Rooms(self._http, parts.ticks)
        self._sources = Sources(self._rooms)
        self._made: LRUCache[str, Meeting] = LRUCache(_REMEMBERED)
        self.links = VisioLinks(parts.url, parts.hosts)

    async def close_connections(self) -> None:
        """Let go of everything, once, at the end."""
        await self._api.close()
        await self._rooms.close()
        await self._http.close()

    async def check(self) -> None:
        """See whether Visio answers, and knows the bridge and its service account, if it may need one.

        Costs Visio one look at a password.

        Raises:
            VisioFailure: it does not, with the advice.
        """
        await self._api.check()
        service = self._parts.ownership.service
        if service is not None:
            with _speaking_of_the_service():
                await self._api.may_act_for(service)

    async def open(self, call: Call) -> Meeting:
        """Make the meeting, or find it if the call follows a link.

        A meeting that this process made for the same call is given again. If Visio made one whose link got
        lost, another one is made, and ``on_orphan`` is told.

        Raises:
            VisioFailure: with the cause, and whether repeating can help.
        """
        if call.adopted:
            return await self._found(call)
        if call.id not in self._made:
            self._made[call.id] = await self._make(call.started_by)
        return self._made[call.id]

    async def locate(self, call: Call) -> Meeting | None:
        """Where the meeting behind a followed link is by now; None if that is nothing new.

        Raises:
            VisioFailure: Visio did not say.
        """
        if not call.adopted or call.url is None or self._parts.sfu is None:
            return None
        meeting = await self._found(call)
        news = (meeting.sfu_room, meeting.access or call.access) != (call.sfu_room, call.access)
        return meeting if meeting.sfu_room is not None and news else None

    async def prepare(self, call: Call) -> None:
        """Ask Visio what people may publish. LiveKit makes the room when somebody joins, as Visio expects."""
        slug = self.links.slug(call.url or "")
        if slug is not None and call.sfu_room is not None:
            await self._sources.learn(slug, call.sfu_room)

    async def who(self, call: Call) -> Sight:
        """Who is in the SFU room, and what goes on there. A meeting that does not exist yet is empty.

        Of a followed meeting whose people are let in one by one nobody is named: the card could not say it,
        so it is not kept either.

        Raises:
            SfuUnreachable: the SFU did not answer, or there is none to ask.
        """
        sfu, room = self._sfu(), call.sfu_room
        if room is None:
            return Sight()
        inside, rooms = await asyncio.gather(sfu.api.participants(room), sfu.api.rooms([room]))

        def ours(participant: SfuParticipant) -> bool:
            return vouched(sfu.key.secret, room, participant.identity, participant.attributes)

        found = sight(inside, rooms[room].metadata if room in rooms else "", ours)
        if call.adopted and (found.access or call.access) not in _OPEN_DOORS:
            return nameless(found)
        return found

    async def occupied(self, calls: tuple[Call, ...]) -> frozenset[str]:
        """Ids of those calls whose SFU room exists.

        Raises:
            SfuUnreachable: the SFU did not answer, or there is none to ask.
        """
        rooms = await self._sfu().api.rooms(call.sfu_room for call in calls if call.sfu_room is not None)
        return frozenset(call.id for call in calls if call.sfu_room in rooms)

    async def remove(self, call: Call, identity: str) -> None:
        """Put somebody out.

        Raises:
            SfuUnreachable: the SFU did not answer, or there is none to ask.
        """
        if call.sfu_room is not None:
            await self._sfu().api.remove(call.sfu_room, identity)

    async def mute(self, call: Call, identity: str) -> None:
        """Mute somebody's microphones; they can unmute.

        Raises:
            SfuUnreachable: the SFU did not answer, or there is none to ask.
        """
        if call.sfu_room is not None:
            await self._sfu().api.mute_microphones(call.sfu_room, identity)

    async def close(self, call: Call) -> None:
        """Put everybody out of a meeting that the bridge made; others go on, and so does one unseen.

        Visio keeps its room: whoever opens the link again is alone in a new meeting. If people have met there
        anew before this could be done, as while the bridge was down, their meeting goes on.

        Raises:
            SfuUnreachable: the SFU did not answer.
        """
        if call.adopted or call.sfu_room is None or self._parts.sfu is None:
            return
        sfu, room = self._parts.sfu.api, call.sfu_room
        ended_ts = self._parts.clock() if call.ended_ts is None else call.ended_ts
        inside = await sfu.participants(room)
        anew = {p.identity for p in inside if p.joined_ts > ended_ts + _ANEW_MS}
        if not any(p.identity in anew and is_person(p) for p in inside):
            await sfu.delete_room(room)
            return
        for participant in inside:
            if participant.identity not in anew:
                await sfu.remove(room, participant.identity)

    def token(self, call: Call, admission: Admission) -> str:
        """A token for a person from Matrix, whose standing Visio's page shows as it is.

        Raises:
            ValueError: the identity is not a Matrix user's with a device. One without a colon could be
                the account of somebody in Visio, who would be thrown out and acted for.
            SfuUnreachable: there is no SFU, or no room in it yet.
        """
        sfu, room = self._sfu(), call.sfu_room
        if room is None:
            raise SfuUnreachable("the meeting does not exist yet")
        user_id = matrix_user(admission.identity)
        if user_id is None:
            raise ValueError("an identity in Visio's rooms is a Matrix user's with a device")
        sources = self._sources.of(room)
        join = JoinPass(
            room=room,
            identity=admission.identity,
            name=_shown(admission.name) or user_id,
            ttl_ms=self._parts.token_ttl_ms,
            # To LiveKit, nothing named means everything.
            can_publish=admission.publish and sources != (),
            sources=sources,
            can_publish_data=admission.publish,
            hidden=admission.hidden,
            attributes=attributes(sfu.key.secret, room, admission.identity, known=admission.known),
        )
        return join_token(sfu.key, join, self._parts.clock())

    async def _make(self, user_id: str) -> Meeting:
        """A meeting in the user's name, or in the service account's where the settings say so."""
        ownership, level = self._parts.ownership, self._parts.access_level
        if ownership.addresses is None:
            return await self._make_for_service(ownership.own(user_id))
        try:
            room = await self._api.create(ownership.own(user_id), level)
        except (UnknownUser, EmailUnclear, DomainRefused) as failure:
            if ownership.service is None:
                raise
            log.info("visio.service_account", cause=failure.cause)
            return await self._make_for_service(ownership.service)
        return self._meeting(room, ownerless=False)

    async def _make_for_service(self, email: str) -> Meeting:
        with _speaking_of_the_service():
            room = await self._api.create(email, self._parts.access_level)
        return self._meeting(room, ownerless=True)

    def _meeting(self, room: VisioRoom, *, ownerless: bool) -> Meeting:
        url = room.url or f"{self._parts.url.rstrip('/')}/{room.slug}"
        if self.links.read(url) != url:
            # Links are not logged; the host will do.
            log.warning("visio.unknown_host", host=urlsplit(url).netloc, advice="add it to visio.hosts")
        unseen = self._parts.sfu is None
        return Meeting(
            url=url,
            sfu_room=None if unseen else room.id,
            access=room.access,
            unseen=unseen,
            ownerless=ownerless,
            dial_in=room.dial_in,
        )

    async def _found(self, call: Call) -> Meeting:
        url = call.url or ""
        slug = self.links.slug(url)
        if slug is None:
            raise ForeignLink
        place = await self._rooms.find(slug)
        unseen = self._parts.sfu is None
        return Meeting(
            url=url,
            sfu_room=place.sfu_room if place is not None and not unseen else None,
            access=place.access if place is not None else None,
            adopted=True,
            unseen=unseen,
            dial_in=place.dial_in if place is not None else None,
        )

    def _sfu(self) -> SharedSfu:
        if self._parts.sfu is None:
            raise SfuUnreachable("there is no section sfu")
        return self._parts.sfu


@contextlib.contextmanager
def _speaking_of_the_service() -> Iterator[None]:
    """What Visio says of the service account is no news about whoever asked."""
    try:
        yield
    except UnknownUser as failure:
        raise ServiceUnknown(failure.said) from failure
    except DomainRefused as failure:
        raise ServiceDomainRefused(failure.said) from failure


def _shown(name: str) -> str:
    """A name for a tile: one line, without what cannot be seen."""
    visible = "".join(
        " " if c.isspace() else c for c in name if c.isspace() or unicodedata.category(c)[0] != "C"
    )
    return " ".join(visible.split())[:_LONGEST_NAME]
