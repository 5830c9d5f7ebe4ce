"""What the administrator does through the database, beside a running bridge or without one.

Ending a call is written into the inbox like any other event of its room: whoever owns the room obeys it
in order, now or when a bridge runs again.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, ClassVar

import sqlalchemy as sa

from appservice.clock import wall_clock
from appservice.database import Database
from appservice.tables import inbox, set_aside
from bridge.calls.model import Call
from bridge.store.calls import CallStore
from bridge.store.notes import ADMIN_END, leave_note


@dataclass(frozen=True, slots=True)
class CallLine:
    """A call that is not over, without any name."""

    HEADER: ClassVar[tuple[str, ...]] = ("ID", "STATE", "SINCE", "PEOPLE", "MEETING", "ROOM")
    call: Call

    def row(self) -> tuple[str, ...]:
        """The columns of a table."""
        call = self.call
        meeting = f"{call.provider}, followed" if call.adopted else call.provider
        return (call.id, call.state.value, _time(call.started_ts), self._people(), meeting, call.room_id)

    def _people(self) -> str:
        if self.call.unseen:
            return "?"
        return f"{self.call.count}?" if self.call.stale_since_ts is not None else str(self.call.count)


@dataclass(frozen=True, slots=True)
class QuarantineLine:
    """Something that was set aside: an event whose handling failed, or what could not be read.

    Attributes:
        id: What the commands call it: ``e`` and a number for an event, ``u`` for what could not be read.
        received_ts: When it came.
        kind: What it is, in a word or two.
        why: What went wrong.
        reference: The id of the event or the transaction.
        room_id: The room, where it is known.
    """

    HEADER: ClassVar[tuple[str, ...]] = ("ID", "WHEN", "WHAT", "WHY", "EVENT", "ROOM")
    id: str
    received_ts: int
    kind: str
    why: str
    reference: str
    room_id: str = "-"

    def row(self) -> tuple[str, ...]:
        """The columns of a table."""
        return (self.id, _time(self.received_ts), self.kind, self.why, self.reference, self.room_id)


@contextlib.asynccontextmanager
async def _open(url: str) -> AsyncIterator[Database]:
    database = Database.open(url, exclusive=False)
    try:
        yield database
    finally:
        await database.close()


async def list_calls(url: str) -> list[CallLine]:
    """The calls that are not over, oldest first."""
    async with _open(url) as database:
        return [CallLine(call) for call in await CallStore(database).listed()]


async def end_call(url: str, call_id: str) -> Call | None:
    """Have a call ended for everybody in it, or untied if it only follows a link.

    Returns:
        The call as it is now; None when there is none of that id that is not over.
    """
    async with _open(url) as database:
        record = await CallStore(database).get(call_id)
        if record is None or record.call.state.is_over:
            return None
        async with database.begin() as connection:
            note = {"call_id": call_id}
            await leave_note(connection, record.call.room_id, ADMIN_END, note, wall_clock())
        return record.call


async def list_quarantine(url: str) -> list[QuarantineLine]:
    """What was set aside, oldest first."""
    async with _open(url) as database, database.connect() as connection:
        columns = (inbox.c.seq, inbox.c.received_ts, inbox.c.event_id, inbox.c.room_id, inbox.c.error)
        failed = (await connection.execute(sa.select(*columns).where(inbox.c.state == "quarantined"))).all()
        unread = (await connection.execute(sa.select(set_aside))).all()
    lines = [
        QuarantineLine(f"e{row.seq}", row.received_ts, "event", row.error or "", row.event_id, row.room_id)
        for row in failed
    ]
    lines += [
        QuarantineLine(
            f"u{row.seq}",
            row.received_ts,
            f"unread {row.kind}",
            f"{row.reason} ({row.length} {'byte' if row.length == 1 else 'bytes'})",
            row.reference,
        )
        for row in unread
    ]
    return sorted(lines, key=lambda line: line.received_ts)


async def retry_quarantine(url: str, entry: str) -> bool:
    """Have a failed event handled once more; what could not be read was not kept and cannot be."""
    seq = _number(entry, "e")
    if seq is None:
        return False
    again = sa.update(inbox).where(inbox.c.seq == seq, inbox.c.state == "quarantined")
    return await _change(url, again.values(state="waiting", attempts=0))


async def drop_quarantine(url: str, entry: str) -> bool:
    """Forget something that was set aside; an event's id stays known, so that it is not taken in again."""
    event = _number(entry, "e")
    if event is not None:
        drop = sa.update(inbox).where(inbox.c.seq == event, inbox.c.state == "quarantined")
        return await _change(url, drop.values(state="done", body=None))
    unread = _number(entry, "u")
    return unread is not None and await _change(url, sa.delete(set_aside).where(set_aside.c.seq == unread))


async def _change(url: str, statement: sa.Update | sa.Delete) -> bool:
    async with _open(url) as database, database.begin() as connection:
        changed: Any = await connection.execute(statement)
        return bool(changed.rowcount)


def _number(entry: str, letter: str) -> int | None:
    digits = entry.removeprefix(letter)
    return int(digits) if entry.startswith(letter) and digits.isascii() and digits.isdigit() else None


def _time(ts: int) -> str:
    return datetime.datetime.fromtimestamp(ts / 1000, datetime.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
