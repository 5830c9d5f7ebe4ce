"""Whether a peer answers, known in one place, so that an outage is one probe and not thousands."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

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
        self._away: list[Callable[[], None]] = []
        self._now = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether the last word from the peer was an answer."""
        return self._open.is_set()

    def on_reopened(self, callback: Callable[[], None]) -> None:
        """Call back each time an outage is over."""
        self._reopened.append(callback)

    def on_away(self, callback: Callable[[], None]) -> None:
        """Call back once in each outage that a probe confirms: one request may fail by itself."""
        self._away.append(callback)

    def hurry(self) -> None:
        """Something says that the peer is back: ask it now."""
        self._now.set()

    async def wait(self) -> None:
        """Return once the peer answers."""
        await self._open.wait()

    def start(self) -> None:
        """Probe for the first time, at once."""
        self._begin(self._probing(0.0, first=True))

    def close(self, why: str) -> None:
        """Say that the peer did not answer."""
        if not self._open.is_set():
            return
        self._open.clear()
        self._now.clear()
        log.warning(f"{self._name}.away", why=why)
        self._begin(self._probing(_FIRST_WAIT_S))

    async def stop(self) -> None:
        """End the probe."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _begin(self, probing: Coroutine[Any, Any, None]) -> None:
        # In a context of its own: whose request failed first has nothing to do with what is logged then.
        self._task = asyncio.create_task(probing, name=f"gate-{self._name}", context=contextvars.Context())

    async def _probing(self, wait: float, *, first: bool = False) -> None:
        why: str | None = None
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait * random.uniform(0.8, 1.2)):  # noqa: S311
                    await self._now.wait()
            self._now.clear()
            try:
                await self._probe()
            except Exception as error:
                if why is None and not first:
                    for away in self._away:
                        away()
                wait = min(_LONGEST_WAIT_S, max(_FIRST_WAIT_S, wait * 2))
                if str(error) != why:
                    # Once per cause: an outage of an hour is not a thousand lines.
                    why = str(error)
                    log.warning(f"{self._name}.does_not_answer", why=why)
                continue
            break
        if not first or why is not None:
            log.info(f"{self._name}.back")
        self._open.set()
        for callback in self._reopened:
            callback()
