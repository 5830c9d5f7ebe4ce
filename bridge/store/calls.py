"""Queries about calls. Writing takes a unit of work, so that a call changes together with its card."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from appservice import rooms
from appservice.database import Database
from appservice.sharding import shard_of
from appservice.unit_of_work import UnitOfWork
from bridge.calls.model import Call, Participant
from bridge.store.records import (
    Record,
    Shown,
    decode_call,
    decode_participant,
    decode_shown,
    encode_call,
    encode_participant,
    encode_shown,
)
from bridge.store.tables import calls, visitors


class Conflict(Exception):
    """The call changed, or another one was opened, since it was read: read again and decide anew."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A call that the reconciler has to look at."""

    call_id: str
    room_id: str
    sfu_room: str | None
    shard: int


class CallStore:
    """Reads calls, outside of any unit of work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, call_id: str) -> Record | None:
        """One call, or None."""
        found = await self.get_many([call_id])
        return found[0] if found else None

    async def get_many(self, call_ids: Collection[str]) -> list[Record]:
        """The calls with these ids; unknown ids are left out."""
        query = sa.select(calls.c.call, calls.c.shown).where(calls.c.id.in_(call_ids))
        async with self._database.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [Record(decode_call(row.call), decode_shown(row.shown)) for row in rows]

    async def by_sfu_room(self, sfu_room: str) -> Call | None:
        """The newest call of an SFU room: the one that a link to it stands for."""
        query = sa.select(calls.c.call).where(calls.c.sfu_room == sfu_room)
        async with self._database.connect() as connection:
            rows = (await connection.execute(query)).all()
        found = [decode_call(row.call) for row in rows]
        return max(found, key=lambda call: call.started_ts) if found else None

    async def watched(self, now: int) -> list[Watched]:
        """Every call that somebody has to look at, whoever owns its room."""
        query = sa.select(calls.c.id, calls.c.room_id, calls.c.sfu_room, calls.c.shard).where(
            calls.c.watch_until_ts > now
        )
        async with self._database.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [Watched(row.id, row.room_id, row.sfu_room, row.shard) for row in rows]

    async def persons(self, call_id: str) -> frozenset[str]:
        """Keys of everybody who has been in a call."""
        query = sa.select(visitors.c.person).where(visitors.c.call_id == call_id)
        async with self._database.connect() as connection:
            return frozenset((await connection.execute(query)).scalars())

    async def listed(self) -> list[Call]:
        """All calls that are not over, oldest first, for the administrator."""
        query = sa.select(calls.c.call).where(~calls.c.is_over)
        async with self._database.connect() as connection:
            rows = (await connection.execute(query)).all()
        return sorted((decode_call(row.call) for row in rows), key=lambda call: call.started_ts)


async def current(connection: AsyncConnection, room_id: str) -> Record | None:
    """The room's call that is not over, or None; locked, so that no look changes it until the commit."""
    query = sa.select(calls.c.call, calls.c.shown).where(calls.c.room_id == room_id, ~calls.c.is_over)
    query = query.with_for_update()
    row = (await connection.execute(query)).first()
    return None if row is None else Record(decode_call(row.call), decode_shown(row.shown))


async def by_id(connection: AsyncConnection, call_id: str) -> Record | None:
    """One call, locked until the commit."""
    query = sa.select(calls.c.call, calls.c.shown).where(calls.c.id == call_id).with_for_update()
    row = (await connection.execute(query)).first()
    return None if row is None else Record(decode_call(row.call), decode_shown(row.shown))


async def insert(work: UnitOfWork, call: Call, shown: Shown, watch_until: int) -> None:
    """Add a call.

    Raises:
        Conflict: the room has a call already that is not over.
    """
    making = pg_insert if work.connection.dialect.name == "postgresql" else sqlite_insert
    added = await work.connection.execute(
        making(calls)
        .values(
            id=call.id,
            room_id=call.room_id,
            shard=shard_of(call.room_id),
            version=call.version,
            **_columns(call, shown, watch_until, work.now),
        )
        .on_conflict_do_nothing()
    )
    if not added.rowcount:
        raise Conflict(call.id)


async def update(work: UnitOfWork, before: Call, after: Call, shown: Shown, watch_until: int) -> Call:
    """Replace a call; answers it with its new version.

    Raises:
        Conflict: somebody else changed it since ``before`` was read.
    """
    stored = after.but(version=before.version + 1)
    changed = await work.connection.execute(
        sa.update(calls)
        .where(calls.c.id == before.id, calls.c.version == before.version)
        .values(version=stored.version, **_columns(stored, shown, watch_until, work.now))
    )
    if not changed.rowcount:
        raise Conflict(before.id)
    return stored


async def move(connection: AsyncConnection, old_room: str, new_room: str) -> Record | None:
    """Tie the open call of one room to the room that replaces it; None when there is no such call.

    The old room must say itself that this is its replacement, or anybody could take its call away by
    naming it as a predecessor.
    """
    facts = await rooms.load(connection, old_room)
    record = await current(connection, old_room)
    if record is None or facts.replacement != new_room or await current(connection, new_room) is not None:
        return None
    moved = record.call.but(room_id=new_room, version=record.call.version + 1)
    shown = Shown()
    changed = await connection.execute(
        sa.update(calls)
        .where(calls.c.id == moved.id, calls.c.version == record.call.version)
        .values(
            room_id=new_room,
            shard=shard_of(new_room),
            version=moved.version,
            call=encode_call(moved),
            shown=encode_shown(shown),
        )
    )
    if not changed.rowcount:
        raise Conflict(moved.id)
    return Record(moved, shown)


async def remember_persons(
    connection: AsyncConnection, call_id: str, persons: Mapping[str, Participant | None]
) -> None:
    """Add people to those who have been in a call; who they are only where names are kept."""
    rows = [
        {"call_id": call_id, "person": person, "participant": encode_participant(who) if who else None}
        for person, who in persons.items()
    ]
    if rows:
        making = pg_insert if connection.dialect.name == "postgresql" else sqlite_insert
        await connection.execute(making(visitors).on_conflict_do_nothing(), rows)


async def attendance(connection: AsyncConnection, call_id: str) -> tuple[Participant, ...]:
    """Everybody who has been in a call, in order of arrival, where names are kept."""
    query = sa.select(visitors.c.participant).where(
        visitors.c.call_id == call_id, visitors.c.participant.is_not(None)
    )
    found = [decode_participant(text) for text in (await connection.execute(query)).scalars()]
    return tuple(sorted(found, key=lambda participant: participant.joined_ts))


async def forget_persons(connection: AsyncConnection, call_id: str) -> None:
    """Attendance does not outlive the meeting."""
    await connection.execute(sa.delete(visitors).where(visitors.c.call_id == call_id))


def _columns(call: Call, shown: Shown, watch_until: int, now: int) -> dict[str, object]:
    return {
        "changed_ts": now,
        "sfu_room": call.sfu_room,
        "is_over": call.state.is_over,
        "watch_until_ts": watch_until,
        "call": encode_call(call),
        "shown": encode_shown(shown),
    }
