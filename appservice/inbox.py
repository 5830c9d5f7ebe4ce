"""The inbox's rows: committed by the intake before its 200, worked through in room order."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from appservice.clock import Clock
from appservice.database import Database, is_outage
from appservice.sharding import shard_of
from appservice.tables import inbox, set_aside
from appservice.transaction import Kept, SetAside

KEEP_DONE_MS = 7 * 86_400_000
"""How long the ids of handled events are remembered. A homeserver restored from a backup sends old events
again; commands older than ``commands.max_age`` are not obeyed anyway."""

# One statement, so one round trip and one commit, whatever the number of events: the intake's hot path.
_PG_INSERT = """
    INSERT INTO inbox (event_id, room_id, shard, received_ts, state, body)
    SELECT event_id, room_id, shard, $1, 'waiting', body
    FROM unnest($2::text[], $3::text[], $4::smallint[], $5::text[])
         WITH ORDINALITY AS kept (event_id, room_id, shard, body, position)
    ORDER BY position
    ON CONFLICT (event_id) DO NOTHING
"""


class Inbox:
    """Commits what the intake kept."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, kept: Sequence[Kept], aside: Sequence[SetAside], timeout: float = 20.0) -> int:
        """Commit events and what was set aside. An event id that is already known is not added again.

        Returns:
            How many events are new.

        Raises:
            Exception: whatever the driver says; `is_outage` tells what it means.
        """
        async with asyncio.timeout(timeout):
            try:
                return await self._commit(kept, aside)
            except Exception as error:
                if not is_outage(error):
                    raise
                # A connection that died with the server's last restart says nothing of the server now, and
                # a 503 would cost a back-off of the homeserver.
                return await self._commit(kept, aside)

    async def _commit(self, kept: Sequence[Kept], aside: Sequence[SetAside]) -> int:
        if self._database.is_postgres and kept and not aside:
            tag = await self._database.execute_straight(
                _PG_INSERT,
                kept[0].event.received_ts,
                [item.event.event_id for item in kept],
                [item.event.room_id for item in kept],
                [shard_of(item.event.room_id) for item in kept],
                [item.body for item in kept],
            )
            return int(tag.rpartition(" ")[2])
        new = 0
        insert = pg_insert if self._database.is_postgres else sqlite_insert
        now = self._clock()
        async with self._database.begin() as connection:
            if kept:
                added = await connection.execute(
                    insert(inbox).on_conflict_do_nothing(index_elements=["event_id"]),
                    [self._row(item) for item in kept],
                )
                # Not every driver counts the rows of many statements.
                new = added.rowcount if added.rowcount >= 0 else len(kept)
            if aside:
                await connection.execute(
                    insert(set_aside).on_conflict_do_nothing(index_elements=["kind", "reference", "sha256"]),
                    [dataclasses.asdict(item) | {"received_ts": now} for item in aside],
                )
        return new

    async def prune(self) -> int:
        """Forget handled events that are too old to come again; answers how many."""
        async with self._database.begin() as connection:
            gone = await connection.execute(
                sa.delete(inbox).where(
                    inbox.c.state == "done", inbox.c.received_ts < self._clock() - KEEP_DONE_MS
                )
            )
        return int(gone.rowcount)

    async def count(self, state: str) -> int:
        """How many events are ``waiting`` or ``quarantined``."""
        async with self._database.connect() as connection:
            query = sa.select(sa.func.count()).select_from(inbox).where(inbox.c.state == state)
            return int((await connection.execute(query)).scalar_one())

    def _row(self, item: Kept) -> dict[str, Any]:
        return {
            "event_id": item.event.event_id,
            "room_id": item.event.room_id,
            "shard": shard_of(item.event.room_id),
            "received_ts": item.event.received_ts,
            "state": "waiting",
            "body": item.body,
        }
