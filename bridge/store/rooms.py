"""What the bridge remembers of a room for itself: its language, and what was said there once."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from appservice.unit_of_work import UnitOfWork
from bridge.store.tables import room_settings


@dataclass(frozen=True, slots=True)
class RoomMemory:
    """One room's memory; times in milliseconds, None for what was never said."""

    language: str | None = None
    welcomed_ts: int | None = None
    told_encrypted_ts: int | None = None
    told_missed_ts: int | None = None
    told_direct_ts: int | None = None


async def recall(work: UnitOfWork) -> RoomMemory:
    """What is remembered of the work's room."""
    query = sa.select(room_settings).where(room_settings.c.room_id == work.room_id)
    row = (await work.connection.execute(query)).mappings().first()
    return (
        RoomMemory(**{key: value for key, value in row.items() if key != "room_id"}) if row else RoomMemory()
    )


async def remember(work: UnitOfWork, *, room_id: str | None = None, **changes: str | int | None) -> None:
    """Change what is remembered of the work's room, or of another one."""
    insert = pg_insert if work.connection.dialect.name == "postgresql" else sqlite_insert
    await work.connection.execute(
        insert(room_settings)
        .values(room_id=room_id or work.room_id, **changes)
        .on_conflict_do_update(index_elements=["room_id"], set_=changes)
    )
