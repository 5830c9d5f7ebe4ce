"""Time, handed in so that tests can hold it."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Says the time in milliseconds since the epoch."""


def wall_clock() -> int:
    """The machine's time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
