"""Bringing a database to the current schema."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from appservice.database import Database

# One number for all replicas: who starts second waits until the first has migrated.
_MIGRATION_LOCK = 7_264_001


async def migrate(database: Database) -> None:
    """Run what is missing of the alembic history; safe with several replicas starting at once."""
    async with database.begin() as connection:
        if database.is_postgres:
            await connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
        await connection.run_sync(_upgrade)


def _upgrade(connection: sa.Connection) -> None:
    command.upgrade(alembic_config(connection), "head")


def alembic_config(connection: sa.Connection) -> Config:
    """The configuration of our history, bound to a connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
