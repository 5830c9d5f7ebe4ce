from __future__ import annotations

import asyncpg
import pytest

from bridge.demo.peers.postgres import Postgres
from tests.conftest import wait_in_thread


@pytest.fixture(scope="session")
def swept_database(postgres: Postgres) -> str:
    """A database for one test after the other; making one for each would take longer than the test."""
    return postgres.sqlalchemy_url(wait_in_thread(postgres.create_database()))


@pytest.fixture
async def postgres_url(swept_database: str) -> str:
    """An empty PostgreSQL database, as SQLAlchemy's address."""
    connection = await asyncpg.connect(swept_database.replace("+asyncpg", ""))
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    finally:
        await connection.close()
    return swept_database
