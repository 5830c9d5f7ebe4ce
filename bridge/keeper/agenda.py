"""When to look at each call: the slow clock, and at once when something hints."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import TypeAlias

import structlog

from appservice.clock import Clock
from appservice.database import is_outage

log = structlog.get_logger()

Gone = frozenset[str]
"""SFU identities that left for sure, as a webhook told."""

Due: TypeAlias = "int | asyncio.Task[int | None] | None"
"""When to look at a call again (None: never), or the work in progress that will tell."""

Looker = Callable[[Mapping[str, Gone]], Awaitable[Mapping[str, Due]]]
"""Looks at some calls together. What may take long goes on as a task, so that it holds up no others."""

_BATCH = 100
_BATCHES_AT_ONCE = 4
_AFTER_FAILURE_MS = 1_000


class Agenda:
    """Due times of calls, and one task that keeps to them. Never two looks at one call at a time."""

    def __init__(self, look: Looker, clock: Clock) -> None:
        self._look = look
        self._clock = clock
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []
        self._gone: dict[str, Gone] = {}
        self._looking: set[str] = set()
        self._asked: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._batches: set[asyncio.Task[None]] = set()
        self._slow: set[asyncio.Task[int | None]] = set()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._due) + len(self._looking)

    def at(self, call_id: str, due_ts: int) -> None:
        """Look at a call at this time at the latest."""
        if call_id in self._looking:
            # The look under way may have asked the SFU before whatever this is about.
            self._asked[call_id] = min(due_ts, self._asked.get(call_id, due_ts))
            return
        if due_ts < self._due.get(call_id, due_ts + 1):
            self._due[call_id] = due_ts
            heapq.heappush(self._heap, (due_ts, call_id))
            self._wake.set()

    def hint(self, call_id: str, gone: Iterable[str] = ()) -> None:
        """Look at a call now."""
        left = frozenset(gone)
        if left:
            self._gone[call_id] = self._gone.get(call_id, frozenset()) | left
        self.at(call_id, self._clock())

    def drop(self, call_id: str) -> None:
        """Stop looking at a call: another process does, or nobody has to."""
        self._due.pop(call_id, None)
        self._gone.pop(call_id, None)
        self._asked.pop(call_id, None)

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._due or call_id in self._looking

    def start(self) -> None:
        """Start keeping to it."""
        self._task = asyncio.create_task(self._run(), name="agenda")

    async def stop(self, patience_s: float) -> None:
        """Finish the looks under way, then stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if under_way := {*self._batches, *self._slow}:
            _, late = await asyncio.wait(under_way, timeout=patience_s)
            for look in late:
                look.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            while len(self._batches) < _BATCHES_AT_ONCE and (batch := self._take_due()):
                task = asyncio.create_task(self._run_batch(batch), name="look")
                self._batches.add(task)
                task.add_done_callback(self._batch_done)
            await self._sleep()

    async def _sleep(self) -> None:
        wait = None
        if self._heap and len(self._batches) < _BATCHES_AT_ONCE:
            wait = max(0, self._heap[0][0] - self._clock()) / 1000
        try:
            async with asyncio.timeout(wait):
                await self._wake.wait()
        except TimeoutError:
            return

    def _batch_done(self, task: asyncio.Task[None]) -> None:
        self._batches.discard(task)
        self._wake.set()

    def _take_due(self) -> dict[str, Gone]:
        now = self._clock()
        batch: dict[str, Gone] = {}
        while self._heap and self._heap[0][0] <= now and len(batch) < _BATCH:
            due, call_id = heapq.heappop(self._heap)
            # An entry that was superseded by an earlier one, or dropped.
            if self._due.get(call_id) != due:
                continue
            del self._due[call_id]
            self._looking.add(call_id)
            batch[call_id] = self._gone.pop(call_id, frozenset())
        return batch

    async def _run_batch(self, batch: dict[str, Gone]) -> None:
        answers: Mapping[str, Due] = {}
        try:
            answers = await self._look(batch)
        except Exception as error:
            answers = dict.fromkeys(batch, self._after_failure(error))
        finally:
            for call_id in batch:
                answer = answers.get(call_id)
                if isinstance(answer, asyncio.Task):
                    self._slow.add(answer)
                    answer.add_done_callback(partial(self._slow_done, call_id))
                else:
                    self._looked(call_id, answer)

    def _slow_done(self, call_id: str, task: asyncio.Task[int | None]) -> None:
        self._slow.discard(task)
        if task.cancelled():
            self._looked(call_id, None)
            return
        error = task.exception()
        self._looked(call_id, task.result() if error is None else self._after_failure(error))

    def _looked(self, call_id: str, due: int | None) -> None:
        self._looking.discard(call_id)
        for moment in (due, self._asked.pop(call_id, None)):
            if moment is not None:
                self.at(call_id, moment)

    def _after_failure(self, error: BaseException) -> int:
        if is_outage(error):
            log.warning("agenda.database_away", error=type(error).__name__)
        else:
            log.error("agenda.look_failed", exc_info=error)
        return self._clock() + _AFTER_FAILURE_MS
