"""Which memberships of ours the homeserver empties by itself should the bridge be gone for long."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from appservice.database import Database
from appservice.sharding import shard_of
from appservice.unit_of_work import UnitOfWork
from bridge.store.tables import rtc_guards


@dataclass(frozen=True, slots=True)
class Guard:
    """One delayed event (MSC4140) that would empty a membership.

    Attributes:
        room_id: Where the membership is.
        state_key: Its state key.
        user_id: Whose it is.
        delay_id: The homeserver's name for the delay.
        restart_ts: When to put it off again, milliseconds.
    """

    room_id: str
    state_key: str
    user_id: str
    delay_id: str
    restart_ts: int


async def of_shards(database: Database, shards: Iterable[int]) -> list[Guard]:
    """The guards of the rooms of some shards."""
    query = sa.select(rtc_guards).where(rtc_guards.c.shard.in_(list(shards)))
    async with database.connect() as connection:
        rows = (await connection.execute(query)).all()
    return [Guard(row.room_id, row.state_key, row.user_id, row.delay_id, row.restart_ts) for row in rows]


async def forget(work: UnitOfWork, state_key: str) -> None:
    """A guard of the work's room is no more."""
    await work.connection.execute(
        sa.delete(rtc_guards).where(rtc_guards.c.room_id == work.room_id, rtc_guards.c.state_key == state_key)
    )


async def put(work: UnitOfWork, guard: Guard) -> None:
    """Note a guard of the work's room, in place of the one before."""
    await forget(work, guard.state_key)
    await work.connection.execute(
        sa.insert(rtc_guards).values(
            room_id=guard.room_id,
            state_key=guard.state_key,
            shard=shard_of(guard.room_id),
            user_id=guard.user_id,
            delay_id=guard.delay_id,
            restart_ts=guard.restart_ts,
        )
    )
