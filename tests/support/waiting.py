"""Waiting for what gives no event: processes, files, answers of other servers."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path


async def until(
    condition: Callable[[], object] | Callable[[], Awaitable[object]], timeout: float = 30, poll: float = 0.02
) -> None:
    """Wait until ``condition``, a plain function or a coroutine function, gives a true value.

    Raises:
        TimeoutError: It did not within ``timeout`` seconds.
    """
    async with asyncio.timeout(timeout):
        while True:
            value = condition()
            if await value if inspect.isawaitable(value) else value:
                return
            await asyncio.sleep(poll)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has collected yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
