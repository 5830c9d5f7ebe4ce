from __future__ import annotations

import asyncio
import itertools

import pytest

from bridge.calls.ports import SfuUnreachable
from bridge.sfu.retry import Passing, Patience, insist

QUICK = Patience(attempt_ms=50, total_ms=200, pause_ms=1, longest_pause_ms=2)


def failing(times: int, error: type[Exception] = Passing) -> tuple[list[int], object]:
    tries: list[int] = []

    async def attempt() -> str:
        tries.append(1)
        if len(tries) <= times:
            raise error("not yet")
        return "done"

    return tries, attempt


async def test_what_can_heal_is_tried_again() -> None:
    tries, attempt = failing(3)
    assert await insist(attempt, QUICK) == "done"  # type: ignore[arg-type]
    assert len(tries) == 4


async def test_a_time_out_of_one_attempt_can_heal() -> None:
    _, attempt = failing(1, TimeoutError)
    assert await insist(attempt, QUICK) == "done"  # type: ignore[arg-type]


async def test_what_cannot_heal_goes_through_at_once() -> None:
    tries, attempt = failing(1, ValueError)
    with pytest.raises(ValueError, match="not yet"):
        await insist(attempt, QUICK)  # type: ignore[arg-type]
    assert len(tries) == 1


async def test_the_trying_ends_with_the_time() -> None:
    _, attempt = failing(10**9)
    with pytest.raises(SfuUnreachable, match="not yet"):
        await insist(attempt, QUICK)  # type: ignore[arg-type]


async def test_an_attempt_that_hangs_ends_with_the_time() -> None:
    async def attempt() -> None:
        await asyncio.Event().wait()

    with pytest.raises(SfuUnreachable, match="TimeoutError"):
        await insist(attempt, QUICK)


async def test_a_single_attempt_is_not_repeated() -> None:
    tries, attempt = failing(5)
    with pytest.raises(SfuUnreachable):
        await insist(attempt, QUICK.once())  # type: ignore[arg-type]
    assert len(tries) == 1


async def test_being_cancelled_is_no_failure() -> None:
    started = asyncio.Event()

    async def attempt() -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(insist(attempt, Patience(total_ms=60_000)))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_pauses_grow_to_a_limit_and_differ() -> None:
    patience = Patience(pause_ms=100, longest_pause_ms=400)
    longest = [100, 200, 400, 400, 400]
    runs = [list(itertools.islice(patience.pauses(), 5)) for _ in range(20)]
    for run in runs:
        assert all(limit / 2 <= pause <= limit for pause, limit in zip(run, longest, strict=True))
    assert len({tuple(run) for run in runs}) > 1
