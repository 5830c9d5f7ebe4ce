"""Whether a peer answers, known in one place, so that an outage is one probe and not thousands."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()

_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 8.0


class Gate:
    """Open while the peer answers. Whoever meets an outage closes it; one probe opens it again.

    It is closed until `start`, whose first probe is part of starting; one that is made open needs no start.
    """

    def __init__(
        self, probe: Callable[[], Awaitable[None]], name: str = "homeserver", *, is_open: bool = False
    ) -> None:
        self._probe = probe
        self._name = name
        self._open = asyncio.Event()
        if is_open:
            self._open.set()
        self._task: asyncio.Task[None] | None = None
        self._reopened: list[Callable[[], None]] = []

    @property
    def is_open(self) -> bool:
        """Whether the last word from the peer was an answer."""
        return self._open.is_set()

    def on_reopened(self, callback: Callable[[], None]) -> None:
        """Call back each time an outage is over."""
        self._reopened.append(callback)

    async def wait(self) -> None:
        """Return once the peer answers."""
        await self._open.wait()

    def start(self) -> None:
        """Probe for the first time, at once."""
        self._task = asyncio.create_task(self._probing(0.0), name=f"gate-{self._name}")

    def close(self, why: str) -> None:
        """Say that the peer did not answer."""
        if not self._open.is_set():
            return
        self._open.clear()
        log.warning(f"{self._name}.away", why=why)
        self._task = asyncio.create_task(self._probing(_FIRST_WAIT_S), name=f"gate-{self._name}")

    async def stop(self) -> None:
        """End the probe."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _probing(self, wait: float) -> None:
        why = ""
        while True:
            await asyncio.sleep(wait * random.uniform(0.8, 1.2))  # noqa: S311
            try:
                await self._probe()
            except Exception as error:
                wait = min(_LONGEST_WAIT_S, max(_FIRST_WAIT_S, wait * 2))
                if str(error) != why:
                    # Once per cause: an outage of an hour is not a thousand lines.
                    why = str(error)
                    log.warning(f"{self._name}.does_not_answer", why=why)
                continue
            break
        log.info(f"{self._name}.back")
        self._open.set()
        for callback in self._reopened:
            callback()
