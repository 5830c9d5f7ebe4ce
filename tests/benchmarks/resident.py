"""How much memory a process has in use, from its start on, and what it computes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psutil

from tests.benchmarks.report import MIB

_EVERY_S = 0.05


class Resident:
    """What was seen; a process that has gone keeps its last figures.

    Attributes:
        now: MiB at the last look.
        most: MiB at most.
        cpu_s: Processor time since its start, seconds: what the machine's other work does not change much.
    """

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.now = 0.0
        self.most = 0.0
        self.cpu_s = 0.0

    def look(self) -> None:
        """Ask the system."""
        with suppress(psutil.NoSuchProcess):
            self.now = self._process.memory_info().rss / MIB
            self.most = max(self.most, self.now)
            times = self._process.cpu_times()
            self.cpu_s = times.user + times.system


@asynccontextmanager
async def resident(pid: int) -> AsyncIterator[Resident]:
    """Watch a process for the time of the block."""
    seen = Resident(pid)

    async def keep_looking() -> None:
        while True:
            seen.look()
            await asyncio.sleep(_EVERY_S)

    task = asyncio.create_task(keep_looking())
    try:
        yield seen
    finally:
        seen.look()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
