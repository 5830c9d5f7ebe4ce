"""The outbox's way out: each room's writes in order, each written exactly once.

A row is marked (``frozen``) before its first attempt and keeps its transaction id, so that a crash on
either side repeats the same request, which the homeserver answers with the event it made the first time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from appservice import ghosts, operations
from appservice.clock import Clock
from appservice.database import Database, is_outage
from appservice.edits import as_edit
from appservice.errors import HomeserverUnreachable, MatrixError
from appservice.faults import place
from appservice.gate import Gate
from appservice.intents import Actors
from appservice.operations import (
    BringGhost,
    DismissGhost,
    Join,
    Leave,
    Operation,
    Redact,
    RedactEdits,
    RedactSlots,
    SendEvent,
    SendState,
)
from appservice.ownership import NotOwner, Ownership
from appservice.room_work import RoomWork
from appservice.tables import outbox, published
from appservice.unit_of_work import UnitOfWork, UnitsOfWork

log = structlog.get_logger()

_LONGEST_WAIT_MS = 60_000
_LONGEST_OUTAGE_WAIT_MS = 8_000
_REFUSAL_ATTEMPTS = 3
_FOREIGN_ATTEMPTS = 30
"""How often a write is tried, over four minutes, that never reaches a homeserver which answers others."""

_JOIN_ATTEMPTS = 100
"""How often a room is tried whose servers do not answer, over an hour and a half: they may be gone for good,
and whoever invited us can do so again."""
_FAR_JOIN_WAIT_MS = 500


class Refusals(Protocol):
    """What the application does when the homeserver refuses a write for good (a rung of its ladder)."""

    async def refused(
        self, operation: Operation, slot: str | None, error: MatrixError, work: UnitOfWork
    ) -> None:
        """The row is gone from the outbox in the same transaction; write the next rung, or let it be."""


@dataclass(frozen=True, slots=True)
class SenderLimits:
    """How hard the sender may work.

    Attributes:
        rooms_at_once: Rooms that are written to side by side.
        first_wait_ms: Wait after the first failure that may heal; doubles with each further one.
        look_every_s: How often to look for writes that nobody told us about, seconds.
    """

    rooms_at_once: int = 16
    first_wait_ms: int = 500
    look_every_s: float = 2.0


class Sender(RoomWork):
    """Sends what the outbox holds for the rooms that this process owns.

    Outcomes are ``sent``, ``refused``, ``limited`` and ``retried``.
    """

    def __init__(
        self,
        database: Database,
        ownership: Ownership,
        works: UnitsOfWork,
        actors: Actors,
        gate: Gate,
        refusals: Refusals,
        clock: Clock,
        limits: SenderLimits | None = None,
    ) -> None:
        self._database = database
        self._works = works
        self._actors = actors
        self._refusals = refusals
        self._clock = clock
        self._limits = limits or SenderLimits()
        self._far_joins = asyncio.Semaphore(max(1, self._limits.rooms_at_once // 4))
        super().__init__(
            ownership,
            gate,
            rooms_at_once=self._limits.rooms_at_once,
            look_every_s=self._limits.look_every_s,
            name="outbox",
        )
        works.on_wrote(self.poke)

    async def _waiting(self) -> Iterable[str]:
        held = self._ownership.held
        if not held or not self._gate.is_open:
            return ()
        # Only a room's first row counts: what holds it holds all that follows.
        heads = (
            sa.select(sa.func.min(outbox.c.seq)).where(outbox.c.shard.in_(held)).group_by(outbox.c.room_id)
        )
        query = sa.select(outbox.c.room_id).where(
            outbox.c.seq.in_(heads), outbox.c.not_before_ts <= self._clock()
        )
        async with self._database.connect() as connection:
            return (await connection.execute(query)).scalars().all()

    async def _drain(self, room_id: str) -> int | None:
        while not self._rooms.is_stopping():
            if not self._gate.is_open:
                return None  # the gate pokes every waiting room when it opens again
            if not self._owns(room_id):
                return None  # so does its owner
            row = await self._next(room_id)
            if row is None:
                return None
            wait = int(row.not_before_ts) - self._clock()
            if wait > 0:
                return wait
            if not row.frozen:
                await self._freeze(row)
                row = await self._next(room_id)
                if row is None or not row.frozen:
                    continue
            delay = await self._send(row)
            if delay is not None:
                return delay
        return None

    async def _next(self, room_id: str) -> Row[Any] | None:
        # With the event that it edits, if any: one question less between the commit and the sending.
        original = (
            sa.select(published.c.event_id)
            .where(
                published.c.room_id == outbox.c.room_id,
                published.c.slot == outbox.c.slot,
                ~published.c.is_edit,
            )
            .limit(1)
            .scalar_subquery()
        )
        query = (
            sa.select(outbox, original.label("original"))
            .where(outbox.c.room_id == room_id)
            .order_by(outbox.c.seq)
            .limit(1)
        )
        async with self._database.connect() as connection:
            return (await connection.execute(query)).first()

    async def _freeze(self, row: Row[Any]) -> None:
        async with self._works.begin(row.room_id) as work:
            await work.connection.execute(
                sa.update(outbox).where(outbox.c.seq == row.seq).values(frozen=True)
            )

    async def _send(self, row: Row[Any]) -> int | None:
        """Try one row. Answers how long the room has to wait, milliseconds, or None to go on."""
        operation = operations.decode(row.operation, row.body)
        if isinstance(operation, Join) and self._is_far(operation):
            if self._far_joins.locked():
                return _FAR_JOIN_WAIT_MS
            async with self._far_joins:
                return await self._try(row, operation)
        return await self._try(row, operation)

    def _is_far(self, join: Join) -> bool:
        """Whether the homeserver may have to ask others, which may never answer."""
        return any(server != self._actors.namespace.server_name for server in join.via)

    async def _try(self, row: Row[Any], operation: Operation) -> int | None:
        try:
            event_id = await self._execute(row, operation)
        except HomeserverUnreachable as error:
            if isinstance(operation, Join):
                # The servers of that room, in all likelihood. If it is ours, other writes tell.
                return await self._failed(row, operation, MatrixError(504, "M_UNKNOWN", str(error)))
            self._gate.close(str(error))
            return await self._hold(row, self._growing(row, _LONGEST_OUTAGE_WAIT_MS), str(error))
        except MatrixError as error:
            return await self._failed(row, operation, error)
        await self._sent(row, operation, event_id)
        self._told("sent", row)
        return None

    async def _failed(self, row: Row[Any], operation: Operation, error: MatrixError) -> int | None:
        if error.is_foreign and row.attempts >= _FOREIGN_ATTEMPTS:
            # The gate has opened after each of them: something in the way objects to this one write.
            return await self._refuse(row, operation, error)
        if error.is_outage or error.status == 401:
            # A token that the homeserver does not know is an installation that is being changed, not a
            # reason to lose what waits.
            self._gate.close(str(error))
            return await self._hold(row, self._growing(row, _LONGEST_OUTAGE_WAIT_MS), str(error))
        if error.is_rate_limit:
            return await self._hold(row, error.retry_after_ms or self._growing(row), str(error), "limited")
        if error.can_heal and not (isinstance(operation, Join) and row.attempts >= _JOIN_ATTEMPTS):
            return await self._hold(row, self._growing(row), str(error))
        return await self._refuse(row, operation, error)

    async def _refuse(self, row: Row[Any], operation: Operation, error: MatrixError) -> int | None:
        log.warning("outbox.refused", why=str(error), operation=row.operation)
        try:
            async with self._works.begin(row.room_id) as work:
                if await self._delete(work.connection, row):
                    await self._refusals.refused(operation, row.slot, error, work)
        except NotOwner:
            raise
        except Exception as defect:
            if is_outage(defect):
                raise
            log.error("outbox.refusal_failed", error=place(defect), attempt=row.attempts + 1)
            if row.attempts + 1 < _REFUSAL_ATTEMPTS:
                return await self._hold(row, self._growing(row), place(defect))
            # Better without the next rung than a room that waits for it for ever.
            async with self._works.begin(row.room_id) as work:
                await self._delete(work.connection, row)
        self._told("refused", row)
        return None

    def _growing(self, row: Row[Any], longest_ms: int = _LONGEST_WAIT_MS) -> int:
        return int(min(longest_ms, self._limits.first_wait_ms * 2 ** min(row.attempts, 16)))

    async def _hold(self, row: Row[Any], wait_ms: int, why: str, outcome: str = "retried") -> int:
        """Let a row wait, and with it what follows in its room; written down, so that a restart waits too."""
        async with self._works.begin(row.room_id) as work:
            await work.connection.execute(
                sa.update(outbox)
                .where(outbox.c.seq == row.seq)
                .values(not_before_ts=self._clock() + wait_ms, attempts=outbox.c.attempts + 1)
            )
        log.info("outbox.held", why=why, wait_ms=wait_ms, operation=row.operation)
        self._told(outcome, row)
        return wait_ms

    async def _execute(self, row: Row[Any], operation: Operation) -> str | None:
        room_id, txn_id = row.room_id, row.txn_id
        match operation:
            case SendEvent():
                return await self._send_event(row, operation)
            case SendState():
                intent = await self._actors.of(operation.sender)
                return await intent.send_state(
                    room_id, operation.type, operation.state_key, operation.content
                )
            case Redact():
                return await self._actors.bot.redact(room_id, operation.event_id, txn_id, operation.reason)
            case RedactEdits() | RedactSlots():
                pass  # becomes one redaction per event when the row is done
            case Join():
                await self._actors.bot.join(room_id, operation.via)
            case Leave():
                leaver = await self._actors.of(operation.sender)
                await leaver.leave(room_id, operation.reason)
            case BringGhost() | DismissGhost():
                await ghosts.carry_out(self._actors, operation, room_id, txn_id)
        return None

    async def _send_event(self, row: Row[Any], operation: SendEvent) -> str | None:
        intent = await self._actors.of(operation.sender)
        content = operation.content
        if operation.about is not None:
            referred = await intent.state_event(row.room_id, *operation.about)
            if referred is None or not referred.get("content"):
                return None
            relation = {"rel_type": "m.reference", "event_id": referred.get("event_id")}
            content = {**content, "m.relates_to": relation}
        elif row.original is not None:
            content = as_edit(content, row.original)
        elif operation.first is not None:
            content = operation.first
        return await intent.send_event(row.room_id, operation.type, content, row.txn_id)

    async def _sent(self, row: Row[Any], operation: Operation, event_id: str | None) -> None:
        async with self._works.begin(row.room_id) as work:
            connection = work.connection
            if not await self._delete(connection, row):
                await self._unwanted(work, row, event_id)
                return
            if isinstance(operation, RedactEdits):
                await work.redact_edits(operation.slot, keep_newest=True)
            elif isinstance(operation, RedactSlots):
                await work.redact_slots(operation.prefix)
            if row.slot is None or event_id is None or not isinstance(operation, SendEvent):
                return
            has_original = await work.event_of(row.slot) is not None
            await connection.execute(
                sa.insert(published).values(
                    event_id=event_id,
                    room_id=row.room_id,
                    slot=row.slot,
                    is_edit=has_original,
                    sent_ts=await self._after_newest(work, row.slot),
                )
            )
            if not has_original and operation.first is not None and operation.first != operation.content:
                await self._follow_up(work, row, operation)

    async def _unwanted(self, work: UnitOfWork, row: Row[Any], event_id: str | None) -> None:
        """The slot was forgotten while the request was under way: what it put there may name people."""
        if row.slot is not None and event_id is not None and (await work.facts()).membership == "join":
            await work.write(Redact(event_id))

    async def _after_newest(self, work: UnitOfWork, slot: str) -> int:
        """The time now, but later than the slot's newest event: clocks may step back, order may not."""
        query = sa.select(sa.func.max(published.c.sent_ts)).where(
            published.c.room_id == work.room_id, published.c.slot == slot
        )
        newest = (await work.connection.execute(query)).scalar_one_or_none()
        return max(self._clock(), 0 if newest is None else newest + 1)

    async def _follow_up(self, work: UnitOfWork, row: Row[Any], operation: SendEvent) -> None:
        """After a first event that held back: the whole content as an edit, unless a newer one waits."""
        newer = sa.select(sa.exists().where(outbox.c.room_id == row.room_id, outbox.c.slot == row.slot))
        if not (await work.connection.execute(newer)).scalar_one():
            await work.write(
                SendEvent(operation.type, operation.content, sender=operation.sender), slot=row.slot
            )

    async def _delete(self, connection: AsyncConnection, row: Row[Any]) -> bool:
        return bool((await connection.execute(sa.delete(outbox).where(outbox.c.seq == row.seq))).rowcount)

    def _told(self, outcome: str, row: Row[Any]) -> None:
        self._tell(outcome, self._clock() - row.created_ts)
