from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from bridge.demo.peers.postgres import Postgres
from tests.conftest import wait_in_thread
from tests.support.application import BOT, ROOM
from tests.support.fake_homeserver import FakeHomeserver, fake_homeserver


@pytest.fixture
async def homeserver() -> AsyncIterator[FakeHomeserver]:
    """A homeserver that answers, and knows one room with the bot in it."""
    async with fake_homeserver() as server:
        server.add_room(ROOM, BOT)
        yield server


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
