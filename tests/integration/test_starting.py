"""What the bridge does when it cannot start, as an administrator meets it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator

from bridge.demo.peers.postgres import Postgres
from tests.conftest import MakeBridge
from tests.support.bridges import LocalBridge


@contextlib.asynccontextmanager
async def starting(bridge: LocalBridge) -> AsyncIterator[asyncio.subprocess.Process]:
    """The process, without waiting for it to answer."""
    process = await asyncio.create_subprocess_exec(
        *bridge.command(), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def line_with(process: asyncio.subprocess.Process, word: str) -> str:
    """The first line of its log that holds a word; empty if it ended without one."""
    assert process.stderr is not None
    async for line in process.stderr:
        if word in line.decode():
            return line.decode()
    return ""


async def test_a_signal_ends_a_bridge_that_waits_for_its_database(make_bridge: MakeBridge) -> None:
    bridge = make_bridge({"database": {"url": "postgresql+asyncpg://passerelle@127.0.0.1:9/passerelle"}})
    async with starting(bridge) as process, asyncio.timeout(20):
        assert "database.away" in await line_with(process, "database.away")
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def test_a_database_that_refuses_is_named_in_one_line(
    make_bridge: MakeBridge, postgres: Postgres
) -> None:
    bridge = make_bridge({"database": {"url": postgres.sqlalchemy_url("nosuchdb")}})
    async with starting(bridge) as process, asyncio.timeout(20):
        line = await line_with(process, "cannot.start")
        assert "database.url" in line
        assert "nosuchdb" in line
        assert await process.wait() == 1


async def test_an_sqlite_database_is_readable_by_its_owner_only(make_bridge: MakeBridge) -> None:
    bridge = make_bridge({})
    await bridge.start()
    files = sorted(bridge.folder.glob("passerelle.db*"))
    assert files
    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}
