"""``passerelle demo`` as a process of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from bridge.demo.peers import guard
from bridge.demo.peers.passerelle import PROGRAM


@asynccontextmanager
async def demo(
    folder: Path, *options: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the demo with its data below ``folder``."""
    process = await asyncio.create_subprocess_exec(
        *(str(PROGRAM), "demo", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "TMPDIR": str(folder), **(environment or {})},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            guard.kill_all(process.pid)
            await process.wait()


async def said_by(process: asyncio.subprocess.Process, timeout: float = 200) -> str:
    """What it prints up to its end, which comes within ``timeout`` seconds."""
    assert process.stdout is not None
    text = bytearray()
    try:
        async with asyncio.timeout(timeout):
            while part := await process.stdout.read(4096):
                text += part
            await process.wait()
    except TimeoutError:
        raise AssertionError(f"the demo did not end:\n{text.decode(errors='replace')}") from None
    return text.decode()


async def lines_until(process: asyncio.subprocess.Process, last: str) -> str:
    """What it prints up to the line that has ``last`` in it."""
    assert process.stdout is not None
    text = ""
    while last not in text:
        line = await process.stdout.readline()
        assert line, f"the demo ended early:\n{text}"
        text += line.decode()
    return text
