"""Hands committed events to the application: in order within a room, rooms side by side.

Handling an event is one transaction: the row is marked done, its content erased, and whatever the
handler changed or wrote to Matrix is committed with it, or nothing is. An event whose handling raises is
tried again with a growing delay, then set aside; what follows it goes on. Outages of a peer or of the
database are no fault of the event: they are waited for.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import hashlib
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Row

from appservice import rooms
from appservice.clock import Clock
from appservice.database import Database, is_outage
from appservice.errors import HomeserverUnreachable, MatrixError
from appservice.events import Event
from appservice.gate import Gate
from appservice.intents import Actors
from appservice.ownership import NotOwner, Ownership
from appservice.room_tasks import RoomTasks
from appservice.rooms import RoomFacts
from appservice.tables import inbox
from appservice.transaction import decode
from appservice.unit_of_work import UnitOfWork, UnitsOfWork

log = structlog.get_logger()

RETRY_DELAYS_MS = (250, 1_000, 4_000)
"""Waits between the attempts at an event whose handling raises; after the last one it is set aside."""

_POLL_S = 1.0
_BATCH = 50


class Handler(Protocol):
    """What the application does with an event. No network I/O: that is for the outbox and reconcilers."""

    async def handle(self, event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        """Handle one event inside a unit of work; raise, and it is tried again."""


class _FactsNeeded(Exception):
    """The room's state was never read: read it first, outside of any transaction."""


def reference(event_id: str) -> str:
    """The short reference that a person can read out and an administrator can find in the log."""
    return base64.b32encode(hashlib.sha256(event_id.encode()).digest())[:8].decode().lower()


def place(error: BaseException) -> str:
    """Class and innermost place of an error, without its message, which may hold what people wrote."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


class Worker:
    """Works through the inbox for the rooms that this process owns."""

    def __init__(
        self,
        database: Database,
        ownership: Ownership,
        works: UnitsOfWork,
        actors: Actors,
        gate: Gate,
        handler: Handler,
        clock: Clock,
        *,
        rooms_at_once: int = 8,
    ) -> None:
        self._database = database
        self._ownership = ownership
        self._works = works
        self._actors = actors
        self._gate = gate
        self._handler = handler
        self._clock = clock
        self._rooms = RoomTasks(self._drain, at_once=rooms_at_once, name="inbox")
        self._poll: asyncio.Task[None] | None = None
        self._observers: list[Callable[[str, int], None]] = []
        gate.on_reopened(self.poke_all)
        ownership.on_gained(lambda _shards: self.poke_all())

    def on_outcome(self, callback: Callable[[str, int], None]) -> None:
        """Call back with ``done``, ``retried`` or ``quarantined`` and the event's age here (metrics)."""
        self._observers.append(callback)

    def start(self) -> None:
        """Start looking for events that nobody poked us about (another replica took them in)."""
        self._poll = asyncio.create_task(self._polling(), name="inbox-poll")

    async def stop(self, patience_s: float) -> None:
        """Finish the events being handled, then stop."""
        if self._poll is not None:
            self._poll.cancel()
            await asyncio.gather(self._poll, return_exceptions=True)
        await self._rooms.stop(patience_s)

    def poke(self, room_id: str) -> None:
        """Say that a room has events waiting."""
        self._rooms.poke(room_id)

    def poke_all(self) -> None:
        """Look for rooms with events waiting, now."""
        if not self._rooms.is_stopping():
            task = asyncio.ensure_future(self._poke_waiting())
            task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _polling(self) -> None:
        while True:
            await asyncio.sleep(_POLL_S)
            try:
                await self._poke_waiting()
            except Exception as error:
                log.warning("inbox.poll_failed", error=type(error).__name__, outage=is_outage(error))

    async def _poke_waiting(self) -> None:
        held = self._ownership.held
        if not held:
            return
        query = (
            sa.select(inbox.c.room_id)
            .where(inbox.c.shard.in_(held), inbox.c.state == "waiting")
            .distinct()
            .limit(1000)
        )
        async with self._database.connect() as connection:
            waiting = (await connection.execute(query)).all()
        for row in waiting:
            self._rooms.poke_if_idle(row.room_id)

    async def _drain(self, room_id: str) -> int | None:
        query = (
            sa.select(inbox)
            .where(inbox.c.room_id == room_id, inbox.c.state == "waiting")
            .order_by(inbox.c.seq)
            .limit(_BATCH)
        )
        while not self._rooms.is_stopping():
            async with self._database.connect() as connection:
                rows = (await connection.execute(query)).all()
            if not rows:
                return None
            for row in rows:
                if self._rooms.is_stopping():
                    return None
                delay = await self._handle(row)
                if delay is not None:
                    return delay
        return None

    async def _handle(self, row: Row[Any]) -> int | None:
        """Handle one row. Answers how long the room has to wait, milliseconds, or None to go on."""
        event = decode(row.event_id, row.room_id, row.received_ts, row.body)
        with structlog.contextvars.bound_contextvars(ref=reference(event.event_id)):
            try:
                await self._once(event, row)
            except _FactsNeeded:
                return await self._fetch_facts(event.room_id)
            except NotOwner:
                raise
            except Exception as error:
                if is_outage(error):
                    raise
                return await self._failed(row, error)
        self._tell("done", row)
        return None

    async def _once(self, event: Event, row: Row[Any]) -> None:
        async with self._works.begin(event.room_id) as work:
            taken = await work.connection.execute(
                sa.update(inbox)
                .where(inbox.c.seq == row.seq, inbox.c.state == "waiting")
                .values(state="done", body=None, error=None)
            )
            if not taken.rowcount:
                return
            before = await work.facts()
            facts = self._follow(before, event)
            if facts.membership == "join" and facts.fetched_ts is None:
                raise _FactsNeeded
            if facts is not before:
                await work.store_facts(facts)
            await self._handler.handle(event, facts, work)

    def _follow(self, facts: RoomFacts, event: Event) -> RoomFacts:
        """The facts after an event: state that is cached, and where the bot stands."""
        if facts.fetched_ts is not None and facts.fetched_ts > event.received_ts:
            return facts  # read from the homeserver after it had sent us this event
        if event.type == "m.room.member" and event.state_key == self._actors.bot.user_id:
            return _follow_bot(facts, event)
        if facts.fetched_ts is None and facts.membership == "leave":
            # An event from a room that this database has never heard of: the bot may well be in it.
            return RoomFacts(facts.room_id, "join")
        if event.type == "m.room.member" and facts.partner not in (None, event.state_key):
            # A third person makes it a room like any other.
            return dataclasses.replace(facts, partner=None)
        return facts.with_event(event) if rooms.is_cached_state(event) else facts

    async def _fetch_facts(self, room_id: str) -> int | None:
        if not self._gate.is_open:
            return 1_000
        try:
            async with self._works.begin(room_id) as work:
                known = await work.facts()
            fetched = await self._actors.fetch_facts(known, self._clock())
        except HomeserverUnreachable as error:
            self._gate.close(str(error))
            return 1_000
        except MatrixError as error:
            log.warning("inbox.facts_refused", why=str(error))
            return error.retry_after_ms or 2_000
        async with self._works.begin(room_id) as work:
            await work.store_facts(fetched)
        return 0

    async def _failed(self, row: Row[Any], error: Exception) -> int | None:
        attempts = row.attempts + 1
        final = attempts > len(RETRY_DELAYS_MS)
        log.error(
            "inbox.quarantined" if final else "inbox.handler_failed",
            error=place(error),
            attempt=attempts,
            stack=[f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)],
        )
        async with self._works.begin(row.room_id) as work:
            await work.connection.execute(
                sa.update(inbox)
                .where(inbox.c.seq == row.seq)
                .values(
                    attempts=attempts,
                    error=place(error),
                    state="quarantined" if final else "waiting",
                )
            )
        self._tell("quarantined" if final else "retried", row)
        return None if final else RETRY_DELAYS_MS[attempts - 1]

    def _tell(self, outcome: str, row: Row[Any]) -> None:
        for observer in self._observers:
            observer(outcome, self._clock() - row.received_ts)


def _follow_bot(facts: RoomFacts, event: Event) -> RoomFacts:
    membership = str(event.content.get("membership", "leave"))
    if membership == "invite":
        direct = event.content.get("is_direct") is True
        return RoomFacts(facts.room_id, "invite", event.sender if direct else None)
    if membership == "join" and facts.membership == "join":
        return facts  # a change of name or avatar
    # Whatever was known is of another stay; a join has the state read anew.
    return RoomFacts(facts.room_id, membership, facts.partner if membership == "join" else None)
