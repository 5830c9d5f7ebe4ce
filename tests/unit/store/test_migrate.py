"""The history of the schema ends where the tables are."""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from appservice.database import Database
from appservice.unit_of_work import UnitOfWork
from bridge.projections.memberships import Face, Rung
from bridge.store import faces
from bridge.store.migrate import HEAD, alembic_config, migrate
from bridge.store.tables import calls, rtc_faces


async def test_the_history_leads_to_the_tables_as_the_code_knows_them(database_url: str) -> None:
    def differences(connection: sa.Connection) -> Any:
        return compare_metadata(MigrationContext.configure(connection), calls.metadata)

    database = Database.open(database_url)
    await migrate(database)
    async with database.begin() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()


async def test_faces_of_before_are_found_under_their_new_key(database_url: str) -> None:
    face = Face("marie", "!room:hs", Rung.BOT, user_id="@visio:hs", device_id="VISIOx")

    def older(connection: sa.Connection) -> None:
        command.upgrade(alembic_config(connection), "0004")
        row = {"call_id": "c1", "identity": "marie", "room_id": "!room:hs", "shard": 1, "renew_ts": 1}
        text = orjson.dumps(dataclasses.asdict(face)).decode()
        connection.execute(sa.insert(rtc_faces).values(**row, face=text))

    database = Database.open(database_url)
    async with database.begin() as connection:
        await connection.run_sync(older)
    await migrate(database)
    async with database.begin() as connection:
        before = await faces.of_call(connection, "c1")
        assert before == {"marie": face}
        await faces.replace(UnitOfWork(connection, "!room:hs", 1), "c1", before, {})
        assert await faces.of_call(connection, "c1") == {}
    await database.close()


async def test_a_database_that_is_current_is_left_alone(database_url: str) -> None:
    database = Database.open(database_url)
    await migrate(database)
    await migrate(database)
    await database.close()


async def test_the_newest_revision_is_the_one_that_the_code_names(sqlite_url: str) -> None:
    def head(connection: sa.Connection) -> str | None:
        return ScriptDirectory.from_config(alembic_config(connection)).get_current_head()

    database = Database.open(sqlite_url)
    async with database.begin() as connection:
        assert await connection.run_sync(head) == HEAD
    await database.close()
