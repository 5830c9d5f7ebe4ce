"""One task per busy room, rooms side by side: what the worker and the sender have in common."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable

import structlog

from appservice.database import is_outage
from appservice.faults import place, trail
from appservice.ownership import NotOwner

log = structlog.get_logger()

_OUTAGE_WAIT_MS = 500
_DEFECT_WAIT_MS = 5_000


class RoomTasks:
    """Runs ``drain(room_id)`` for rooms that were poked, never twice at a time for one room.

    A poke during a run makes it run once more, so nothing that was committed before a poke is missed.
    """

    def __init__(
        self,
        drain: Callable[[str], Awaitable[int | None]],
        waiting: Callable[[], Awaitable[Iterable[str]]],
        *,
        at_once: int,
        look_every_s: float,
        name: str,
    ) -> None:
        """Build the runner.

        Args:
            drain: Works through what waits in a room; answers how many milliseconds to wait before the
                next run, or None when nothing waits.
            waiting: Finds the rooms where something waits, for what nobody poked us about.
            at_once: How many rooms may be worked on at the same time.
            look_every_s: How often to look for waiting rooms, seconds.
            name: For logs.
        """
        self._drain = drain
        self._waiting = waiting
        self._look_every_s = look_every_s
        self._name = name
        self._slots = asyncio.Semaphore(at_once)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._look_now = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        """Start looking for waiting rooms."""
        self._looking = asyncio.create_task(self._look(), name=f"{self._name}-look")

    def look(self) -> None:
        """Look for waiting rooms now."""
        self._look_now.set()

    def poke(self, room_id: str) -> None:
        """Say that something waits in a room."""
        if self._stopping:
            return
        timer = self._timers.pop(room_id, None)
        if timer is not None:
            timer.cancel()
        if room_id in self._running:
            self._again.add(room_id)
            return
        self._running[room_id] = asyncio.create_task(self._run(room_id), name=f"{self._name}")

    @property
    def busy(self) -> int:
        """How many rooms are being worked on or wait for their turn."""
        return len(self._running)

    async def stop(self, patience_s: float) -> None:
        """Let what is running finish its step, then stop."""
        self._stopping = True
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        tasks = list(self._running.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=patience_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def is_stopping(self) -> bool:
        """Whether a run should end after the step that it is in."""
        return self._stopping

    async def _look(self) -> None:
        while True:
            self._look_now.clear()
            try:
                for room_id in await self._waiting():
                    if room_id not in self._running:
                        self.poke(room_id)
            except Exception as error:
                log.warning(f"{self._name}.look_failed", error=place(error), outage=is_outage(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._look_every_s):
                    await self._look_now.wait()

    async def _run(self, room_id: str) -> None:
        wait_ms: int | None = None
        try:
            while True:
                self._again.discard(room_id)
                async with self._slots:
                    wait_ms = await self._step(room_id)
                if self._stopping or room_id not in self._again:
                    break
        finally:
            self._running.pop(room_id, None)
            self._again.discard(room_id)
        if wait_ms is not None and not self._stopping:
            loop = asyncio.get_running_loop()
            self._timers[room_id] = loop.call_later(wait_ms / 1000, self.poke, room_id)

    async def _step(self, room_id: str) -> int | None:
        try:
            return await self._drain(room_id)
        except NotOwner:
            return None
        except Exception as error:
            if is_outage(error):
                log.warning(f"{self._name}.database_away", error=type(error).__name__)
                return _OUTAGE_WAIT_MS
            log.error(f"{self._name}.failed", error=place(error), trail=trail(error))
            return _DEFECT_WAIT_MS
