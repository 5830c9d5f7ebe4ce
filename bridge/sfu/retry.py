"""How often and how long the SFU is asked again.

``livekit-api`` repeats requests for LiveKit's own cloud only; for a server of one's own every
request is a single attempt, so the bridge brings its own patience.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from bridge.calls.ports import SfuUnreachable

T = TypeVar("T")

_chance = random.SystemRandom()


class Passing(Exception):
    """An attempt failed in a way that can heal by itself: no connection, a time-out, a 5xx."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Limits of one request, all in milliseconds.

    Attributes:
        attempt_ms: What one attempt may take.
        total_ms: What all attempts and pauses together may take.
        pause_ms: Longest first pause; each next one may be twice as long.
        longest_pause_ms: No pause is longer.
        attempts: No more attempts than this; None for as many as the time allows.
    """

    attempt_ms: int = 3_000
    total_ms: int = 6_000
    pause_ms: int = 100
    longest_pause_ms: int = 1_600
    attempts: int | None = None

    def once(self) -> Patience:
        """The same limits for a single attempt."""
        return dataclasses.replace(self, attempts=1)

    def pauses(self) -> Iterator[float]:
        """Pauses in milliseconds, growing, each drawn between half of its length and the whole.

        Drawn, so that thousands of calls do not come back to a restarted SFU in one wave.
        """
        longest = self.pause_ms
        while True:
            yield _chance.uniform(longest / 2, longest)
            longest = min(longest * 2, self.longest_pause_ms)


async def insist(attempt: Callable[[], Awaitable[T]], patience: Patience) -> T:
    """Try until it works, it fails for good, or the time is over.

    Args:
        attempt: One attempt; raises `Passing` (or ``TimeoutError``) for what may heal. Anything
            else it raises ends the trying and goes through.
        patience: How long to go on.

    Raises:
        SfuUnreachable: no attempt worked within the limits.
    """
    last: Exception | None = None
    try:
        async with asyncio.timeout(patience.total_ms / 1000):
            for number, pause in enumerate(patience.pauses(), start=1):
                try:
                    return await attempt()
                except (Passing, TimeoutError) as error:
                    last = error
                if number == patience.attempts:
                    break
                await asyncio.sleep(pause / 1000)
    except TimeoutError as error:
        last = last or error
    raise SfuUnreachable(f"the SFU gave no answer: {describe(last)}") from last


def describe(error: BaseException | None) -> str:
    """A short text for the log; exceptions such as ``TimeoutError`` have none of their own."""
    return str(error) or type(error).__name__
