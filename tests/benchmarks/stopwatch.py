"""From something a person does to what the person then sees in the room."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from bridge.demo.matrix_user import Event, MatrixUser

PATIENCE_S = 30.0

SETTLE_S = 0.15
"""Pause after each measurement, so that what is left to do of one is not paid for by the next."""


def in_turn(names: Iterable[str], number: int) -> list[str]:
    """The order of a round: shuffled, so that nobody always follows the same one; the same in each run."""
    order = list(names)
    random.Random(number).shuffle(order)
    return order


@contextmanager
def sight(
    user: MatrixUser, room_id: str, wanted: Callable[[Event], object]
) -> Iterator[asyncio.Future[float]]:
    """A future that holds when the user first saw such an event of a room through ``/sync``.

    The time is that of ``time.perf_counter``.
    """
    seen: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def look(where: str, event: Event) -> None:
        if where == room_id and not seen.done() and wanted(event):
            seen.set_result(time.perf_counter())

    user.listeners.append(look)
    try:
        yield seen
    finally:
        user.listeners.remove(look)


async def seconds_until(
    user: MatrixUser, room_id: str, wanted: Callable[[Event], object], act: Callable[[], Awaitable[Any]]
) -> float:
    """How long after ``act`` was begun the user saw such an event.

    Raises:
        TimeoutError: It did not come.
    """
    with sight(user, room_id, wanted) as seen:
        begun = time.perf_counter()
        await act()
        async with asyncio.timeout(PATIENCE_S):
            duration = await seen - begun
    await asyncio.sleep(SETTLE_S)
    return duration
