"""One transaction in which an event is handled and everything it causes is written down.

A handler changes the application's tables through ``connection`` and writes to Matrix through
``write``; nothing leaves before the commit, and nothing of it stays if the handler fails.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Callable

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from appservice import operations, rooms
from appservice.clock import Clock
from appservice.database import Database
from appservice.faults import place
from appservice.ownership import Ownership
from appservice.rooms import RoomFacts
from appservice.sharding import shard_of
from appservice.tables import outbox, published

log = structlog.get_logger()


class UnitOfWork:
    """An open transaction for one room; see the module."""

    def __init__(self, connection: AsyncConnection, room_id: str, now: int) -> None:
        self.connection = connection
        self.room_id = room_id
        self.now = now
        self._after: list[Callable[[], None]] = []
        self.wrote: set[str] = set()
        self.direct_changed: bool | None = None

    async def write(
        self, operation: operations.Operation, *, slot: str | None = None, room_id: str | None = None
    ) -> None:
        """Put an operation in a room's outbox.

        Args:
            operation: What to do.
            slot: Where it stands: an unsent older version in the same slot is replaced by it, and once
                the slot has an event in the room, a newer version edits that event.
            room_id: Another room than the work's own, as when a room was upgraded.
        """
        name, body = operations.encode(operation)
        room_id = room_id or self.room_id
        same = outbox.c.room_id == room_id
        self.wrote.add(room_id)
        waiting = (await self.connection.execute(sa.select(sa.exists().where(same)))).scalar_one()
        if waiting and slot is not None:
            replaced = await self.connection.execute(
                sa.update(outbox)
                .where(same, outbox.c.slot == slot, ~outbox.c.frozen, outbox.c.operation == name)
                .values(body=body)
            )
            if replaced.rowcount:
                return
        await self.connection.execute(
            sa.insert(outbox).values(
                room_id=room_id,
                shard=shard_of(room_id),
                slot=slot,
                operation=name,
                body=body,
                txn_id=uuid.uuid4().hex,
                created_ts=self.now,
                # With nothing before it, it leaves as soon as we commit: marking it now saves a commit
                # between this one and the sending.
                frozen=not waiting,
            )
        )

    async def forget(self, slot: str) -> None:
        """Let go of a slot: its unsent versions are dropped, its events are no longer ours to edit."""
        same_room = outbox.c.room_id == self.room_id
        await self.connection.execute(sa.delete(outbox).where(same_room, outbox.c.slot == slot))
        await self.connection.execute(
            sa.delete(published).where(published.c.room_id == self.room_id, published.c.slot == slot)
        )

    async def redact_edits(self, slot: str, *, keep_newest: bool = False) -> None:
        """Redact the edits that a slot has in the room, all of them or all but the newest."""
        newest_first = self._published(published.c.slot == slot, published.c.is_edit).order_by(
            published.c.sent_ts.desc()
        )
        await self._redact(newest_first.offset(1 if keep_newest else 0))

    async def redact_slots(self, prefix: str) -> None:
        """Redact everything that stands in the room in slots whose name begins so."""
        await self._redact(self._published(published.c.slot.startswith(prefix, autoescape=True)))

    def _published(self, *which: sa.ColumnElement[bool]) -> sa.Select[str]:
        return sa.select(published.c.event_id).where(published.c.room_id == self.room_id, *which)

    async def _redact(self, events: sa.Select[str]) -> None:
        for event_id in (await self.connection.execute(events)).scalars().all():
            await self.write(operations.Redact(event_id))
            await self.connection.execute(sa.delete(published).where(published.c.event_id == event_id))

    async def drop_room(self) -> None:
        """Drop everything unsent for the room: the bot is no longer in it."""
        await self.connection.execute(sa.delete(outbox).where(outbox.c.room_id == self.room_id))

    async def slot_of(self, event_id: str) -> str | None:
        """The slot whose first event this is; None for edits and for what is not ours."""
        found = await self.connection.execute(
            sa.select(published.c.slot).where(
                published.c.event_id == event_id,
                published.c.room_id == self.room_id,
                ~published.c.is_edit,
            )
        )
        return found.scalar_one_or_none()

    async def waits(self, slot: str) -> bool:
        """Whether the slot has an unsent version that a newer one would replace."""
        unsent = sa.exists().where(outbox.c.room_id == self.room_id, outbox.c.slot == slot, ~outbox.c.frozen)
        return bool((await self.connection.execute(sa.select(unsent))).scalar_one())

    async def event_of(self, slot: str) -> str | None:
        """The first event of a slot, or None while there is none."""
        found = await self.connection.execute(
            sa.select(published.c.event_id).where(
                published.c.room_id == self.room_id, published.c.slot == slot, ~published.c.is_edit
            )
        )
        return found.scalars().first()

    async def facts(self, *, to_change: bool = False) -> RoomFacts:
        """What is cached of the room; with ``to_change`` it stays so until `store_facts` changes it."""
        return await rooms.load(self.connection, self.room_id, to_change=to_change)

    async def store_facts(self, facts: RoomFacts) -> None:
        """Change what is cached of the room."""
        await rooms.store(self.connection, facts)
        self.direct_changed = facts.is_direct

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call back once the transaction is committed; not at all if it fails."""
        self._after.append(callback)

    def committed(self) -> None:
        """Run the callbacks; called by `UnitsOfWork` only."""
        for callback in self._after:
            _told(callback)


class UnitsOfWork:
    """Opens units of work, guarded by ownership of the room."""

    def __init__(self, database: Database, ownership: Ownership, clock: Clock) -> None:
        self._database = database
        self._ownership = ownership
        self._clock = clock
        self._wrote: list[Callable[[str], None]] = []
        self._direct: list[Callable[[str, bool], None]] = []

    def on_wrote(self, callback: Callable[[str], None]) -> None:
        """Call back with the room id after each commit that put something in its outbox."""
        self._wrote.append(callback)

    def on_direct(self, callback: Callable[[str, bool], None]) -> None:
        """Call back after each commit that says whether a room is a direct chat with the bot."""
        self._direct.append(callback)

    @contextlib.asynccontextmanager
    async def begin(self, room_id: str) -> AsyncIterator[UnitOfWork]:
        """A unit of work for a room that this process owns.

        Raises:
            NotOwner: another process owns the room (before or at any time during the work).
        """
        async with self._database.begin() as connection:
            await self._ownership.guard(connection, shard_of(room_id))
            work = UnitOfWork(connection, room_id, self._clock())
            yield work
        work.committed()
        if work.direct_changed is not None:
            for told in self._direct:
                _told(told, room_id, work.direct_changed)
        for written in work.wrote:
            for callback in self._wrote:
                _told(callback, written)


def _told(callback: Callable[..., None], *about: object) -> None:
    """Call back; what is committed stays so, whatever the callback raises, and must not be done again."""
    try:
        callback(*about)
    except Exception as error:
        log.error("work.callback_failed", error=place(error))
