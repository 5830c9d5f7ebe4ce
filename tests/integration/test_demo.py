"""``passerelle demo``: the whole story on servers of its own, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from bridge.demo.peers import guard
from bridge.demo.peers.passerelle import PROGRAM
from tests.support.waiting import alive, until


@asynccontextmanager
async def demo(folder: Path, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the demo with its data below ``folder``."""
    process = await asyncio.create_subprocess_exec(
        *(str(PROGRAM), "demo", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            guard.kill_all(process.pid)
            await process.wait()


async def lines_until(process: asyncio.subprocess.Process, last: str) -> str:
    assert process.stdout is not None
    text = ""
    while last not in text:
        line = await process.stdout.readline()
        assert line, f"the demo ended early:\n{text}"
        text += line.decode()
    return text


async def test_the_headless_demo_plays_the_story_to_its_end(tmp_path: Path) -> None:
    async with demo(tmp_path, "--headless") as process:
        output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    assert "Visio ouverte : Point budget" in output
    assert "Visio en cours : Point budget" in output
    assert "Visio terminée : Point budget" in output
    assert re.search(r"Chloé Martin received [1-9]\d* frames of sound and [1-9]\d* pictures", output)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_ctrl_c_stops_everything_that_the_demo_started(tmp_path: Path, number: signal.Signals) -> None:
    async with demo(tmp_path) as process:
        output = await lines_until(process, "Ctrl-C stops everything.")
        link = re.search(r"http://127\.0\.0\.1:\d+/call/\S+#\S+", output)
        assert link, output
        async with aiohttp.ClientSession() as session, session.get(link[0]) as page:
            assert page.status == 200
        family = guard.descendants(process.pid)
        assert len(family) >= 4
        process.send_signal(number)
        rest = (await process.communicate())[0].decode()
    assert process.returncode == 0, rest
    await until(lambda: not any(alive(pid) for pid in family))
