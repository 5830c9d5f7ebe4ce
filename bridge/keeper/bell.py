"""Has devices ring when somebody from Visio is the first in a room's native call (``rtc.ring``, MSC4075).

A native client that is the first in a call has the others' devices ring by itself. Whoever is in Visio has no
such client, so the bot does it for the first of them, once for each meeting: not for people who come to a
call that is under way, not for a meeting that nobody in the room has asked for, and not in an encrypted room.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import structlog

from appservice.errors import HomeserverUnreachable, MatrixError
from appservice.intents import Actors
from appservice.namespace import Namespace
from appservice.operations import SendEvent
from appservice.rooms import RoomFacts
from appservice.unit_of_work import UnitOfWork, UnitsOfWork
from bridge.calls.model import Call
from bridge.projections.memberships import Face
from bridge.rtc.membership import MEMBER_TYPE
from bridge.store import calls, faces, natives, questions

log = structlog.get_logger()

NOTIFICATION_TYPE = "org.matrix.msc4075.rtc.notification"
LIFETIME_MS = 30_000
"""How long devices ring, or wait to be told to; clients ring for 90 s at most."""

MOST_CALLED = 50
"""In larger rooms everybody is called together, if the bot may do that, or nobody."""

_OPENING_MS = 60_000
"""Whoever has been in the call for longer is not at its opening, whatever kept us from ringing then."""

_RUNG = "rung"
_REMEMBER_MS = 30 * 86_400_000


class Bell:
    """Rings."""

    def __init__(
        self,
        *,
        works: UnitsOfWork,
        actors: Actors,
        namespace: Namespace,
        kind: Literal["notification", "ring"],
    ) -> None:
        """Nobody is called yet.

        Args:
            works: Makes sure that each call rings once.
            actors: The bot asks who is in the room.
            namespace: Who is ours.
            kind: Whether devices show a notification, or ring.
        """
        self._works = works
        self._actors = actors
        self._namespace = namespace
        self._kind = kind

    async def look(self, call_id: str, room_id: str) -> None:
        """Ring if this is the moment.

        Raises:
            NotOwner: another replica works on the room.
        """
        async with self._works.begin(room_id) as work:
            call, face = await self._opening(work, call_id)
            facts = await work.facts()
        if call is None or face is None:
            return
        try:
            joined = await self._actors.bot.joined_members(room_id)
        except (HomeserverUnreachable, MatrixError) as error:
            log.info("bell.members_unknown", why=type(error).__name__)
            return
        mentions = self._mentions(call, joined, facts)
        async with self._works.begin(room_id) as work:
            call, face = await self._opening(work, call_id)
            if call is None or face is None:
                return
            await questions.ask(work, _RUNG, call_id, _REMEMBER_MS)
            if mentions is None or await natives.of_room(work.connection, room_id, work.now):
                return
            await work.write(SendEvent(NOTIFICATION_TYPE, self._content(mentions, work.now), about=_of(face)))
        log.info("call.rings", call=call_id)

    async def _opening(self, work: UnitOfWork, call_id: str) -> tuple[Call | None, Face | None]:
        """The call, and who is the first of Visio in it, if that is news and somebody wants to hear it."""
        record = await calls.by_id(work.connection, call_id)
        # A call without a reference is one that nobody asked for: people met again behind an old link.
        if record is None or record.call.adopted or record.call.reference is None:
            return None, None
        shown = [
            face
            for face in (await faces.of_call(work.connection, call_id)).values()
            if face.present and face.shown is not None and face.room_id == work.room_id
        ]
        first = min(shown, key=lambda face: face.since_ts, default=None)
        if first is None or first.since_ts + _OPENING_MS <= work.now:
            return None, None
        if await questions.is_open(work, _RUNG, call_id):
            return None, None
        return record.call, first

    def _mentions(self, call: Call, joined: Iterable[str], facts: RoomFacts) -> dict[str, Any] | None:
        """Who is to be called; None if nobody can be."""
        people = sorted(self._callable(joined, call))
        if len(people) <= MOST_CALLED:
            return {"user_ids": people} if people else None
        return {"room": True} if facts.power_of(self._namespace.bot_id) >= facts.power_to_call_room else None

    def _callable(self, joined: Iterable[str], call: Call) -> set[str]:
        inside = {person.user_id for person in call.participants}
        return {
            user_id
            for user_id in joined
            if user_id != call.started_by and user_id not in inside and not self._namespace.is_ours(user_id)
        }

    def _content(self, mentions: dict[str, Any], now: int) -> dict[str, Any]:
        return {
            "m.mentions": mentions,
            "notification_type": self._kind,
            "sender_ts": now,
            "lifetime": LIFETIME_MS,
            "m.call.intent": "video",
        }


def _of(face: Face) -> tuple[str, str]:
    """The membership that the notification is about, by event type and state key."""
    return MEMBER_TYPE, face.state_key
