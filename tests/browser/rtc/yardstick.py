"""How slow the machine is at the moment, for tests of how long something takes.

Two cores that several browsers and servers share give each a fraction of what it would have alone. What
takes three seconds by itself then takes longer, through no fault of its own.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_LOAD = Path("/proc/loadavg")
_PAUSE_S = 0.05


class Yardstick:
    """Watches how many want to compute at the same time, for as long as a ``with`` block lasts.

    Attributes:
        slowness: How many there were for each core on average, at least 1; after the block.
    """

    def __init__(self) -> None:
        self.slowness = 1.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        seen = []
        while not self._stop.wait(_PAUSE_S):
            running, _, _everything = _LOAD.read_text().split()[3].partition("/")
            seen.append(int(running) - 1)  # without this one
        if seen:
            self.slowness = max(1.0, sum(seen) / len(seen) / len(os.sched_getaffinity(0)))
