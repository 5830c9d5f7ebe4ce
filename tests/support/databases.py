"""Databases for tests that cut no power: no waits for the disk, and their tables are made already."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from appservice.database import Database

MakeTables = Callable[[Database], Awaitable[None]]

_files: dict[MakeTables, bytes] = {}
"""SQLite files in which the tables were made: that takes longer than most tests, copying next to nothing."""


def open_quickly(url: str) -> Database:
    """Open a database without waits for the disk: no test here cuts the power."""
    database = Database.open(url)
    if not database.is_postgres:
        sync = database.engine.sync_engine
        sa.event.listen(sync, "connect", lambda driver, _: driver.execute("PRAGMA synchronous=OFF"))
    return database


async def open_with_tables(url: str, make_tables: MakeTables) -> Database:
    """Open a database, and make its tables if they are not there."""
    if _is_new_file(url):
        if make_tables not in _files:
            _files[make_tables] = await _file_with(make_tables)
        _write(url, _files[make_tables])
        return open_quickly(url)
    database = open_quickly(url)
    await make_tables(database)
    return database


def _is_new_file(url: str) -> bool:
    parsed = make_url(url)
    return parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").exists()


def _write(url: str, content: bytes) -> None:
    Path(make_url(url).database or "").write_bytes(content)


async def _file_with(make_tables: MakeTables) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "made.db"
        database = open_quickly(f"sqlite+aiosqlite:///{file}")
        await make_tables(database)
        await database.close()
        return await asyncio.to_thread(file.read_bytes)
