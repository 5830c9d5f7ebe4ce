"""What was set aside waits for the administrator, but not for ever."""

from __future__ import annotations

import sqlalchemy as sa

from appservice.database import Database
from appservice.tables import inbox
from bridge.keeper.housekeeping import KEEP_QUARANTINE_MS, Housekeeping
from bridge.store.migrate import migrate


async def test_an_event_in_quarantine_is_forgotten_after_thirty_days(database_url: str) -> None:
    database = Database.open(database_url)
    await migrate(database)
    now = KEEP_QUARANTINE_MS * 2
    async with database.begin() as connection:
        for number, received in enumerate((now - KEEP_QUARANTINE_MS - 1, now - 1)):
            await connection.execute(
                sa.insert(inbox).values(
                    event_id=f"$e{number}", room_id="!r", shard=0, received_ts=received, state="quarantined"
                )
            )
    await Housekeeping(database, lambda: now).sweep()
    async with database.connect() as connection:
        assert list((await connection.execute(sa.select(inbox.c.event_id))).scalars()) == ["$e1"]
    await database.close()
