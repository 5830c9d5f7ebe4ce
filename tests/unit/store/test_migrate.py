"""The history of the schema ends where the tables are."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from appservice.database import Database
from bridge.store.migrate import HEAD, alembic_config, migrate
from bridge.store.tables import calls


async def test_the_history_leads_to_the_tables_as_the_code_knows_them(database_url: str) -> None:
    def differences(connection: sa.Connection) -> Any:
        return compare_metadata(MigrationContext.configure(connection), calls.metadata)

    database = Database.open(database_url)
    await migrate(database)
    async with database.begin() as connection:
        assert await connection.run_sync(differences) == []
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
