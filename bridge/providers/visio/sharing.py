"""One question at a time: whoever asks the same meanwhile waits for the same answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Sharing(Generic[T]):
    """Questions under way, by key."""

    def __init__(self) -> None:
        self._asking: dict[str, asyncio.Task[T]] = {}

    async def ask(self, key: str, question: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The answer, or the error, of the question under way; asks it if there is none.

        Whoever stops waiting does not stop the question, which others may wait for.
        """
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(question())
            self._asking[key] = task
            task.add_done_callback(lambda done: self._answered(key, done))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Stop every question under way."""
        tasks = tuple(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _answered(self, key: str, task: asyncio.Task[T]) -> None:
        self._asking.pop(key, None)
        if not task.cancelled():
            # Taken note of even if nobody waits any more.
            task.exception()
