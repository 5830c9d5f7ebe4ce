"""Reading in the rooms what the homeserver lost on its way to us.

Synapse counts an event as pushed once it is in a queue in its memory (``synapse.appservice.scheduler``).
What stands there when it dies is in the room, and no application service is ever told. So when the
homeserver is back, the last events of the rooms in which people talk to us are read, and go through the
intake like a transaction: what is for us and not known yet is committed, the rest is forgotten.

It is bounded: so many rooms, so many events of each, a few rooms at once. What is lost in a room that is
none of those, or that is encrypted, stays lost; so does an invitation, which can be read nowhere; so does
what a homeserver of several processes loses while the one that we talk to goes on.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
import structlog

from appservice.clock import Clock
from appservice.database import Database
from appservice.errors import HomeserverUnreachable, MatrixError
from appservice.events import STATE_TYPES
from appservice.intents import Actors
from appservice.ownership import NotOwner, Ownership
from appservice.sharding import shard_of
from appservice.tables import inbox, rooms
from appservice.unit_of_work import UnitsOfWork

log = structlog.get_logger()

Take = Callable[[list[object]], Awaitable[int]]
"""Takes raw events in, oldest first; answers how many of them are new and ours."""

TYPES = ("m.room.message", "m.reaction", "m.room.redaction", *sorted(STATE_TYPES))
_EVENTS = 100
_AT_ONCE = 4
_ROOM_S = 5.0
"""A room that takes longer is passed over: its homeserver may be asking others for history."""

_WHOLE_S = 60.0
"""After so long it has read enough."""

_AHEAD_MS = 60_000
"""How far a sender's clock may be ahead. What claims to be of next year would be new for ever."""


class CatchUp:
    """Reads the last events of the rooms of this process, the liveliest first."""

    def __init__(
        self,
        database: Database,
        ownership: Ownership,
        works: UnitsOfWork,
        actors: Actors,
        take: Take,
        clock: Clock,
        more_types: Sequence[str] = (),
    ) -> None:
        """Build it.

        Args:
            database: Knows which rooms are lively.
            ownership: Whose rooms they are.
            works: To have a room's state read anew.
            actors: The bot reads.
            take: Takes in what is found.
            clock: The time.
            more_types: What the application wants to hear of beside messages, reactions, redactions and the
                state that the runtime caches.
        """
        self._types = (*TYPES, *more_types)
        self._database = database
        self._ownership = ownership
        self._works = works
        self._actors = actors
        self._take = take
        self._clock = clock

    async def run(self, since: int, most_rooms: int) -> None:
        """Read what was written since then.

        Args:
            since: Milliseconds since the epoch.
            most_rooms: In how many rooms to look.

        Raises:
            HomeserverUnreachable: it is away again.
            Exception: the database's; `appservice.database.is_outage` tells what it means.
        """
        lively = await self._lively(most_rooms)
        waiting = iter(lively)
        found = 0

        async def reader() -> None:
            nonlocal found
            for room_id, joined in waiting:
                found += await self._read(room_id, max(since, joined))

        async with asyncio.timeout(_WHOLE_S):
            outcomes = await asyncio.gather(*(reader() for _ in range(_AT_ONCE)), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        log.info("catch_up.done", rooms=len(lively), found=found)

    async def _lively(self, most: int) -> list[tuple[str, int]]:
        """Rooms that we are in and can read, the liveliest first, each with the time since when."""
        heard = (
            sa.select(inbox.c.room_id, sa.func.max(inbox.c.received_ts).label("ts"))
            .group_by(inbox.c.room_id)
            .subquery()
        )
        ours = (
            sa.select(rooms.c.room_id, rooms.c.fetched_ts)
            .outerjoin(heard, heard.c.room_id == rooms.c.room_id)
            .where(rooms.c.membership == "join", rooms.c.fetched_ts.is_not(None))
            .order_by(sa.func.coalesce(heard.c.ts, 0).desc())
        )
        held = self._ownership.held
        async with self._database.connect() as connection:
            found = [row for row in await connection.execute(ours) if shard_of(row.room_id) in held][:most]
            states = sa.select(rooms.c.room_id, rooms.c.state).where(
                rooms.c.room_id.in_([row.room_id for row in found])
            )
            encrypted = {
                row.room_id
                for row in await connection.execute(states)
                if "m.room.encryption" in orjson.loads(row.state)
            }
        now = self._clock()
        # What was read in the future was read before the clock was set back: it says nothing of when.
        return [
            (row.room_id, row.fetched_ts if row.fetched_ts <= now else 0)
            for row in found
            if row.room_id not in encrypted
        ]

    async def _read(self, room_id: str, since: int) -> int:
        """Take in what a room has to tell; answers how much of it is new."""
        try:
            async with asyncio.timeout(_ROOM_S):
                found = await self._actors.bot.last_events(room_id, self._types, _EVENTS)
        except TimeoutError:
            log.info("catch_up.room_passed_over", why="takes too long")
            return 0
        except MatrixError as error:
            if error.is_outage:
                raise HomeserverUnreachable(str(error)) from error
            log.info("catch_up.room_passed_over", why=str(error))
            return 0
        latest = self._clock() + _AHEAD_MS
        recent = [{**event, "room_id": room_id} for event in found if since < _written(event) < latest]
        if not recent:
            return 0
        new = await self._take(list(reversed(recent)))
        if new and any(event.get("type") in STATE_TYPES for event in recent):
            await self._forget_facts(room_id)
        return new

    async def _forget_facts(self, room_id: str) -> None:
        """Have a room's state read anew: what we have just heard of may be older than what we know."""
        try:
            async with self._works.begin(room_id) as work:
                known = await work.facts(to_change=True)
                await work.store_facts(dataclasses.replace(known, fetched_ts=None))
        except NotOwner:
            return  # another replica's by now, which reads it when it needs it


def _written(event: Mapping[str, Any]) -> int:
    written = event.get("origin_server_ts")
    return written if isinstance(written, int) else 0
