"""Leave events that clients have handed over; one for each membership."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from appservice.database import Database
from appservice.sharding import shard_of
from bridge.rtc.leaves import Leave
from bridge.store.tables import rtc_leaves


class LeaveStore:
    """Fills `bridge.rtc.delegation.Leaves`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, leave: Leave) -> None:
        """Remember a leave, in place of the one of the same membership."""
        async with self._database.begin() as connection:
            await connection.execute(sa.delete(rtc_leaves).where(*_same_membership(leave)))
            await connection.execute(
                sa.insert(rtc_leaves).values(
                    room_id=leave.room_id,
                    identity=leave.identity,
                    hashed=leave.hashed,
                    shard=shard_of(leave.room_id),
                    delay_id=leave.delay_id,
                    timeout_ms=leave.timeout_ms,
                    restart_ts=leave.restart_ts,
                    patient_until_ts=leave.patient_until_ts,
                )
            )

    async def change(self, leave: Leave) -> None:
        """Write down what has become of a leave, unless it has been replaced."""
        async with self._database.begin() as connection:
            await connection.execute(
                sa.update(rtc_leaves)
                .where(*_same_membership(leave), rtc_leaves.c.delay_id == leave.delay_id)
                .values(restart_ts=leave.restart_ts, patient_until_ts=leave.patient_until_ts)
            )

    async def drop(self, leave: Leave) -> None:
        """Forget a leave, unless it has been replaced."""
        async with self._database.begin() as connection:
            await connection.execute(
                sa.delete(rtc_leaves).where(*_same_membership(leave), rtc_leaves.c.delay_id == leave.delay_id)
            )

    async def of_shards(self, shards: Iterable[int]) -> list[Leave]:
        """The leaves of the rooms of some shards."""
        query = sa.select(rtc_leaves).where(rtc_leaves.c.shard.in_(list(shards)))
        async with self._database.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [
            Leave(
                row.room_id,
                row.identity,
                row.hashed,
                row.delay_id,
                row.timeout_ms,
                row.restart_ts,
                row.patient_until_ts,
            )
            for row in rows
        ]


def _same_membership(leave: Leave) -> tuple[sa.ColumnElement[bool], ...]:
    return (rtc_leaves.c.room_id == leave.room_id, rtc_leaves.c.identity == leave.identity)
