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
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Row

from appservice import rooms
from appservice.clock import Clock
from appservice.database import Database, is_outage
from appservice.errors import HomeserverUnreachable, MatrixError
from appservice.events import Event
from appservice.faults import place, trail
from appservice.gate import Gate
from appservice.intents import Actors
from appservice.ownership import NotOwner, Ownership
from appservice.room_work import RoomWork
from appservice.rooms import RoomFacts
from appservice.tables import inbox
from appservice.transaction import decode
from appservice.unit_of_work import UnitOfWork, UnitsOfWork

log = structlog.get_logger()

_BATCH = 50


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """How the worker goes about it.

    Attributes:
        rooms_at_once: Rooms whose events are handled side by side.
        retry_delays_ms: Waits between the attempts at an event whose handling raises; after the last one
            it is set aside.
        facts_wait_ms: Wait before a room's state is asked for again.
        look_every_s: How often to look for events that nobody told us about, seconds.
    """

    rooms_at_once: int = 8
    retry_delays_ms: tuple[int, ...] = (250, 1_000, 4_000)
    facts_wait_ms: int = 2_000
    look_every_s: float = 1.0


class Handler(Protocol):
    """What the application does with an event. No network I/O: that is for the outbox and reconcilers."""

    async def handle(self, event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        """Handle one event inside a unit of work; raise, and it is tried again."""


class _FactsNeeded(Exception):
    """The room's state was never read: read it first, outside of any transaction."""


class _HandlerFailed(Exception):
    """The handler raised what would count as an outage if it did not come from the handler."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


def reference(event_id: str) -> str:
    """The short reference that a person can read out and an administrator can find in the log."""
    return base64.b32encode(hashlib.sha256(event_id.encode()).digest())[:8].decode().lower()


class Worker(RoomWork):
    """Works through the inbox for the rooms that this process owns.

    Outcomes are ``done``, ``retried`` and ``quarantined``.
    """

    def __init__(
        self,
        database: Database,
        ownership: Ownership,
        works: UnitsOfWork,
        actors: Actors,
        gate: Gate,
        handler: Handler,
        clock: Clock,
        limits: WorkerLimits | None = None,
    ) -> None:
        self._database = database
        self._works = works
        self._actors = actors
        self._handler = handler
        self._clock = clock
        self._limits = limits or WorkerLimits()
        super().__init__(
            ownership,
            gate,
            rooms_at_once=self._limits.rooms_at_once,
            look_every_s=self._limits.look_every_s,
            name="inbox",
        )
        self._not_before: dict[str, float] = {}

    async def _waiting(self) -> Iterable[str]:
        held = self._ownership.held
        if not held:
            return ()
        query = (
            sa.select(inbox.c.room_id)
            .where(inbox.c.shard.in_(held), inbox.c.state == "waiting")
            .distinct()
            .limit(1000)
        )
        async with self._database.connect() as connection:
            return (await connection.execute(query)).scalars().all()

    async def _drain(self, room_id: str) -> int | None:
        if not self._owns(room_id):
            return None
        wait_s = self._not_before.get(room_id, 0.0) - asyncio.get_running_loop().time()
        if wait_s > 0:
            return int(wait_s * 1000) + 1
        query = (
            sa.select(inbox)
            .where(inbox.c.room_id == room_id, inbox.c.state == "waiting")
            .order_by(inbox.c.seq)
            .limit(_BATCH)
        )
        async with self._database.connect() as connection:
            rows = (await connection.execute(query)).all()
        for row in rows:
            if self._rooms.is_stopping():
                return None
            delay = await self._handle(row)
            if delay is not None:
                return delay
        # With more to do the room queues up again, so that a busy one does not keep the others waiting.
        return 0 if len(rows) == _BATCH else None

    async def _handle(self, row: Row[Any]) -> int | None:
        """Handle one row. Answers how long the room has to wait, milliseconds, or None to go on."""
        with structlog.contextvars.bound_contextvars(ref=reference(row.event_id)):
            try:
                await self._once(row)
            except _FactsNeeded:
                return await self._fetch_facts(row.room_id)
            except _HandlerFailed as failure:
                return await self._failed(row, failure.error)
            except NotOwner:
                raise
            except Exception as error:
                if is_outage(error):
                    raise
                return await self._failed(row, error)
        self._not_before.pop(row.room_id, None)
        self._told("done", row)
        return None

    async def _once(self, row: Row[Any]) -> None:
        event = decode(row.event_id, row.room_id, row.received_ts, row.body)
        async with self._works.begin(event.room_id) as work:
            taken = await work.connection.execute(
                sa.update(inbox)
                .where(inbox.c.seq == row.seq, inbox.c.state == "waiting")
                .values(state="done", body=None, error=None)
            )
            if not taken.rowcount:
                return
            before = await work.facts(to_change=event.state_key is not None)
            facts = self._follow(before, event)
            if facts.membership == "join" and facts.fetched_ts is None:
                raise _FactsNeeded
            if facts is not before:
                await work.store_facts(facts)
            try:
                await self._handler.handle(event, facts, work)
            except OSError as error:
                # The connection is there already, and a handler has nothing else to wait for: a file that
                # is not found is a defect to set aside, not an outage to wait for.
                raise _HandlerFailed(error) from error

    def _follow(self, facts: RoomFacts, event: Event) -> RoomFacts:
        """The facts after an event: state that is cached, and where the bot stands."""
        if facts.fetched_ts is not None and event.received_ts <= facts.fetched_ts <= self._clock():
            # Read from the homeserver after it had sent us this event. (What was read in the future was read
            # before the clock was set back.)
            return facts
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
            return self._limits.facts_wait_ms  # or until the gate opens again
        try:
            async with self._works.begin(room_id) as work:
                known = await work.facts()
            fetched = await self._actors.fetch_facts(known, self._clock())
        except HomeserverUnreachable as error:
            self._gate.close(str(error))
            return self._limits.facts_wait_ms
        except MatrixError as error:
            log.warning("inbox.facts_refused", why=str(error))
            if error.is_outage or error.status == 401:
                self._gate.close(str(error))
            return self._hold(room_id, error.retry_after_ms or self._limits.facts_wait_ms)
        async with self._works.begin(room_id) as work:
            await work.store_facts(fetched)
        return 0

    async def _failed(self, row: Row[Any], error: Exception) -> int | None:
        attempts = row.attempts + 1
        final = attempts > len(self._limits.retry_delays_ms)
        log.error(
            "inbox.quarantined" if final else "inbox.handler_failed",
            error=place(error),
            attempt=attempts,
            trail=trail(error),
        )
        async with self._works.begin(row.room_id) as work:
            await work.connection.execute(
                sa.update(inbox)
                .where(inbox.c.seq == row.seq, inbox.c.state == "waiting")
                .values(
                    attempts=attempts,
                    error=place(error),
                    state="quarantined" if final else "waiting",
                )
            )
        self._told("quarantined" if final else "retried", row)
        if final:
            self._not_before.pop(row.room_id, None)
            return None
        return self._hold(row.room_id, self._limits.retry_delays_ms[attempts - 1])

    def _hold(self, room_id: str, wait_ms: int) -> int:
        """Let a room wait, whatever else arrives in it meanwhile."""
        self._not_before[room_id] = asyncio.get_running_loop().time() + wait_ms / 1000
        return wait_ms

    def _told(self, outcome: str, row: Row[Any]) -> None:
        self._tell(outcome, self._clock() - row.received_ts)


_MEMBERSHIPS = ("invite", "join", "leave", "ban", "knock")


def _follow_bot(facts: RoomFacts, event: Event) -> RoomFacts:
    membership = event.content.get("membership")
    if membership not in _MEMBERSHIPS:
        return facts  # no membership that the specification knows
    if membership == "knock":
        membership = "leave"
    if membership == "invite":
        direct = event.content.get("is_direct") is True
        return RoomFacts(facts.room_id, "invite", event.sender if direct else None)
    if membership == "join" and facts.membership == "join":
        return facts  # a change of name or avatar
    # Whatever was known is of another stay; a join has the state read anew.
    return RoomFacts(facts.room_id, membership, facts.partner if membership == "join" else None)
