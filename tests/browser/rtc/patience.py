"""How long a test waits for what browsers do: two cores may be busy with several of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.support.waiting import until

PATIENCE = 90.0
"""Seconds."""


async def wait_until(condition: Callable[[], object] | Callable[[], Awaitable[object]]) -> None:
    """Look again and again, gently, until ``condition`` holds.

    Raises:
        TimeoutError: It did not within `PATIENCE`.
    """
    await until(condition, timeout=PATIENCE, poll=0.1)
