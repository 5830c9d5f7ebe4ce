from __future__ import annotations

import asyncio
import itertools
import random
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from appservice import tables
from appservice.database import Database, DatabaseIsReadOnly, is_outage
from bridge.demo.peers.postgres import Postgres
from bridge.store.migrate import migrate
from tests.support.databases import open_quickly
from tests.support.waiting import until


def drivers() -> set[threading.Thread]:
    """The threads in which SQLite works."""
    return {thread for thread in threading.enumerate() if "connection_worker" in thread.name}


async def failure(database: Database, statement: str, value: object = None) -> Exception | None:
    try:
        async with database.begin() as connection:
            await connection.execute(sa.text(statement), {} if value is None else {"x": value})
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("SELECT nothing", None),
        ("SELECT * FROM nowhere", None),
        ("SELECT (", None),
        ("SELECT CAST(:x AS text)", "\ud800"),
        ("SELECT CAST(:x AS bigint)", 2**70),
        ("SELECT CAST(:x AS text)", object()),
        ("INSERT INTO inbox (event_id) VALUES (:x)", "$incomplete"),
    ],
)
async def test_a_mistake_of_ours_is_no_outage(database_url: str, statement: str, value: object) -> None:
    database = Database.open(database_url)
    async with database.begin() as connection:
        await connection.run_sync(tables.metadata.create_all)
    error = await failure(database, statement, value)
    await database.close()
    assert error is not None
    assert not is_outage(error)


@pytest.mark.parametrize(
    "state", ["08006", "25006", "40001", "40P01", "53100", "55P03", "57014", "57P01", "58030"]
)
async def test_what_others_do_to_a_statement_is_no_fault_of_it(postgres_url: str, state: str) -> None:
    database = Database.open(postgres_url)
    error = await failure(database, f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")
    await database.close()
    assert error is not None
    assert is_outage(error)


async def test_a_connection_that_takes_itself_to_be_in_a_transaction_is_not_used_again(
    postgres_url: str,
) -> None:
    # As asyncpg does of one whose BEGIN was cancelled: it then begins with a savepoint for ever.
    database = Database.open(postgres_url, pool_size=1)
    with pytest.raises(sa.exc.DBAPIError) as caught:
        async with database.connect() as connection:
            await connection.execute(sa.text("SAVEPOINT one"))
    assert is_outage(caught.value)
    assert caught.value.connection_invalidated
    assert await failure(database, "SELECT 1") is None
    await database.close()


async def test_a_server_that_is_away_or_coming_up_is_an_outage_and_heals(
    make_postgres: Callable[..., Postgres],
) -> None:
    postgres = make_postgres()
    await postgres.start()
    database = Database.open(postgres.sqlalchemy_url(await postgres.create_database()))
    await database.ping()
    await postgres.stop()
    seen = [await failure(database, "SELECT 1") for _ in range(2)]
    starting = asyncio.create_task(postgres.start())

    async def works() -> bool:
        seen.append(await failure(database, "SELECT 1"))
        return seen[-1] is None

    await until(works, 30)
    await starting
    await database.close()
    assert all(is_outage(error) for error in seen if error is not None)
    assert len([error for error in seen if error is not None]) >= 2


async def test_a_connection_that_is_killed_in_the_middle_is_an_outage(postgres_url: str) -> None:
    database = Database.open(postgres_url)
    error = await failure(database, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert error is not None
    assert is_outage(error)
    assert await failure(database, "SELECT 1") is None
    await database.close()


async def test_a_sqlite_file_that_cannot_be_written_is_an_outage(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    async with database.begin() as connection:
        await connection.run_sync(tables.metadata.create_all)
        await connection.execute(sa.text("SELECT 1"))
    beside = Database.open(sqlite_url, exclusive=False)
    async with beside.connect() as connection:
        await connection.execute(sa.text("PRAGMA busy_timeout = 10"))
    async with database.begin() as connection:
        await connection.execute(sa.insert(tables.replicas).values(replica="x", seen_ts=1))
        error = await failure(beside, "SELECT 1")
    assert error is not None
    assert is_outage(error)
    assert await failure(beside, "SELECT 1") is None
    await beside.close()
    await database.close()


async def test_whoever_is_cancelled_in_the_middle_leaves_the_file_free(sqlite_url: str) -> None:
    database = open_quickly(sqlite_url)
    async with database.begin() as connection:
        await connection.run_sync(tables.metadata.create_all)
    chance = random.Random(1)
    numbers = itertools.count()
    kept = []

    async def write(patience: float) -> None:
        async with asyncio.timeout(chance.random() * patience), database.begin() as connection:
            for number in (next(numbers), next(numbers)):
                values = {"replica": str(number), "seen_ts": 1}
                await connection.execute(sa.insert(tables.replicas).values(values))

    for attempt in range(60):
        # The errors are kept, and with them the frames and cursors in their tracebacks. The patience
        # grows, so that some are cut off and some come through on any disk.
        patience = 0.001 * 1.1**attempt
        kept += await asyncio.gather(*(write(patience) for _ in range(4)), return_exceptions=True)
    assert {type(each) for each in kept} == {TimeoutError, type(None)}
    async with asyncio.timeout(5), database.connect() as connection:
        rows = (await connection.execute(sa.select(tables.replicas))).all()
    await database.close()
    assert len(rows) % 2 == 0
    assert len(rows) >= 2 * kept.count(None)


async def test_a_database_that_takes_nothing_in_is_not_usable_and_heals(postgres_url: str) -> None:
    admin = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
    name = await admin.fetchval("SELECT current_database()")
    write = "CREATE TABLE things (thing int)"
    # New connections are read only, as to a standby, and stay so.
    await admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    database = Database.open(postgres_url)
    for _ in range(2):
        with pytest.raises(DatabaseIsReadOnly, match="standby"):
            await database.ping()
        error = await failure(database, write)
        assert error is not None
        assert is_outage(error)
    assert await failure(database, "SELECT 1") is None
    # Another server has taken over, or this one writes again: with whatever was connected before, too.
    await admin.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    await failure(database, write)
    assert await failure(database, write) is None
    await database.ping()
    await database.close()
    await admin.close()


async def test_erased_content_cannot_be_read_in_the_file(sqlite_url: str) -> None:
    secret = "confidentiel-" * 20
    database = Database.open(sqlite_url)
    async with database.begin() as connection:
        await connection.run_sync(tables.metadata.create_all)
        await connection.execute(sa.insert(tables.replicas).values(replica=secret, seen_ts=1))
    async with database.begin() as connection:
        await connection.execute(sa.delete(tables.replicas))
    for _ in range(2):
        await database.tidy()
    file = Path(sqlite_url.partition(":///")[2])
    left = [part.name for part in file.parent.glob(f"{file.name}*") if b"confidentiel" in part.read_bytes()]
    await database.ping()
    await database.close()
    assert left == []


async def test_a_commit_reaches_the_disk(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    async with database.connect() as connection:
        asked = [
            (await connection.execute(sa.text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        ]
    await database.close()
    assert asked == ["wal", 2, 1, 1]


async def test_replicas_that_start_together_migrate_once(postgres_url: str) -> None:
    databases = [Database.open(postgres_url) for _ in range(3)]
    await asyncio.gather(*(migrate(database) for database in databases))
    async with databases[0].connect() as connection:
        versions = (await connection.execute(sa.text("SELECT version_num FROM alembic_version"))).all()
        names = await connection.run_sync(lambda sync: set(sa.inspect(sync).get_table_names()))
    for database in databases:
        await database.close()
    assert len(versions) == 1
    assert set(tables.metadata.tables) <= names


async def test_the_migrations_make_the_tables_that_the_runtime_uses(database_url: str) -> None:
    database = Database.open(database_url)
    await migrate(database)
    await migrate(database)

    def differences(sync: sa.Connection) -> list[object]:
        inspector = sa.inspect(sync)
        return [
            (
                table.name,
                {c.name for c in table.columns} ^ {c["name"] for c in inspector.get_columns(table.name)},
            )
            for table in tables.metadata.sorted_tables
            if {c.name for c in table.columns} != {c["name"] for c in inspector.get_columns(table.name)}
            or {i.name for i in table.indexes} - {i["name"] for i in inspector.get_indexes(table.name)}
        ]

    async with database.connect() as connection:
        found = await connection.run_sync(differences)
    await database.close()
    assert found == []


async def test_a_closed_database_has_left_nothing_that_would_speak_to_its_event_loop(sqlite_url: str) -> None:
    before = drivers()
    database = Database.open(sqlite_url)

    started = asyncio.Event()

    async def reading() -> None:
        async with database.begin() as connection:
            while True:
                await connection.execute(sa.text("SELECT 1"))
                started.set()

    busy = asyncio.create_task(reading())
    await started.wait()
    busy.cancel()
    await asyncio.gather(busy, return_exceptions=True)
    await database.close()
    assert drivers() - before == set()


async def test_a_file_that_is_still_being_opened_is_let_go_of_too(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, really = drivers(), sqlite3.connect
    opening, may_go_on = threading.Event(), threading.Event()

    def slowly(*given: Any, **more: Any) -> sqlite3.Connection:
        opening.set()
        may_go_on.wait()
        connection: sqlite3.Connection = really(*given, **more)
        return connection

    monkeypatch.setattr(sqlite3, "connect", slowly)
    database = Database.open(sqlite_url)
    waiting = asyncio.create_task(database.ping())
    await asyncio.to_thread(opening.wait)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    may_go_on.set()
    await closing
    assert drivers() - before == set()
