"""How often somebody may ask for a token, counted in bounded memory.

Who fails to prove who they are is counted by address and by the server that they name, so that one
homeserver's users cannot be kept waiting by another's; who succeeds is counted by user. Nobody who just
joins calls, or whose client retries, comes near either limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from cachetools import LRUCache, TTLCache

_REMEMBERED = 20_000


class Restraint:
    """Counts attempts of this process."""

    def __init__(
        self,
        *,
        failures: int = 30,
        window_s: float = 60.0,
        burst: int = 3_000,
        per_second: float = 50.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is counted yet.

        Args:
            failures: Failed proofs that one address may send for one server, until it has sent none for a
                while.
            window_s: How long that while is, seconds.
            burst: Tokens that one user may ask for at once.
            per_second: How many more each second brings.
            clock: Seconds on a clock that never goes back.
        """
        self._failures = failures
        self._burst = burst
        self._per_second = per_second
        self._clock = clock
        self._window_s = window_s
        self._failed: TTLCache[tuple[str, str], int] = TTLCache(_REMEMBERED, window_s, timer=clock)
        self._asked: LRUCache[str, tuple[float, float]] = LRUCache(_REMEMBERED)

    def wait_for_address(self, address: str, server_name: str) -> int:
        """How long an address has to wait before another look-up at a server, milliseconds; 0: not at all."""
        failed = self._failed.get((address, server_name), 0)
        return round(self._window_s * 1000) if failed >= self._failures else 0

    def failed(self, address: str, server_name: str) -> None:
        """Note a failed proof."""
        key = (address, server_name)
        self._failed[key] = self._failed.get(key, 0) + 1

    def wait_for_user(self, user_id: str) -> int:
        """Count a request of a user; how long they have to wait, milliseconds, if it is too many; else 0."""
        now = self._clock()
        left, since = self._asked.get(user_id, (float(self._burst), now))
        left = min(float(self._burst), left + (now - since) * self._per_second)
        if left < 1:
            self._asked[user_id] = (left, now)
            return max(1, round(1000 * (1 - left) / self._per_second))
        self._asked[user_id] = (left - 1, now)
        return 0
