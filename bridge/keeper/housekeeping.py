"""Forgetting what is over."""

from __future__ import annotations

import asyncio

import sqlalchemy as sa
import structlog

from appservice.clock import Clock
from appservice.database import Database, is_outage
from appservice.tables import inbox, published, set_aside
from bridge.calls.model import Call
from bridge.store import natives, notes, offers
from bridge.store.tables import calls, questions, visitors

log = structlog.get_logger()

KEEP_OVER_MS = 86_400_000
"""How long a call that nobody watches any more is kept, milliseconds."""

KEEP_QUARANTINE_MS = 30 * 86_400_000
"""How long an event that was set aside waits for the administrator, milliseconds."""

_EVERY_S = 600.0
_SETTLE_S = 3.0


class Housekeeping:
    """Deletes old calls, and makes what was erased unreadable soon after each end."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._soon = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def stored(self, call: Call) -> None:
        """A call was committed; if it is over, names were erased with it."""
        if call.state.is_over:
            self._soon.set()

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="housekeeping")

    async def stop(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_EVERY_S):
                    await self._soon.wait()
                    # The last edit of the card is still on its way out of the outbox.
                    await asyncio.sleep(_SETTLE_S)
            except TimeoutError:
                pass
            self._soon.clear()
            try:
                await self.sweep()
                await self._database.tidy()
            except Exception as error:
                log.warning("housekeeping.failed", error=type(error).__name__, outage=is_outage(error))

    async def sweep(self) -> int:
        """Delete calls that have been over for long; answers how many."""
        now = self._clock()
        async with self._database.begin() as connection:
            old = (
                sa.select(calls.c.id)
                .where(calls.c.is_over, calls.c.watch_until_ts < now, calls.c.changed_ts < now - KEEP_OVER_MS)
                .limit(1000)
            )
            gone = list((await connection.execute(old)).scalars())
            if gone:
                slots = [f"card:{call_id}" for call_id in gone]
                await connection.execute(sa.delete(visitors).where(visitors.c.call_id.in_(gone)))
                await connection.execute(sa.delete(published).where(published.c.slot.in_(slots)))
                await connection.execute(sa.delete(calls).where(calls.c.id.in_(gone)))
            await connection.execute(sa.delete(questions).where(questions.c.until_ts < now))
            await natives.forget_expired(connection, now)
            for room_id, event_id in await offers.take_late(connection, now):
                content = {"event_id": event_id}
                await notes.leave_note(connection, room_id, notes.OFFER_OVER, content, now)
            failed = (inbox.c.state == "quarantined", inbox.c.received_ts < now - KEEP_QUARANTINE_MS)
            await connection.execute(sa.delete(inbox).where(*failed))
            await connection.execute(
                sa.delete(set_aside).where(set_aside.c.received_ts < now - KEEP_QUARANTINE_MS)
            )
        return len(gone)
