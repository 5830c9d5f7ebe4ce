"""Bridges that start quickly: forked from a process that has imported the bridge already.

Importing is most of what a start computes, and tests start the bridge a hundred times. What runs then is the
same command line; the demo and the benchmarks start it as administrators do.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]


class Forked:
    """A process that somebody else forked, as far as ``subprocess.Popen`` is needed for it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = threading.Event()

    def ended(self, code: int) -> None:
        """It has ended with this exit code, negative if by a signal."""
        self.returncode = code
        self._ended.set()

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it has not come within so many seconds.
        """
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(["passerelle"], timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


@dataclass
class Forking:
    """Forks bridges; its own process starts with the first one and ends with us."""

    _program: subprocess.Popen[str] | None = None
    _running: dict[int, Forked] = field(default_factory=dict)
    _started: queue.Queue[Forked] = field(default_factory=queue.Queue)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _listener: threading.Thread = field(init=False)

    def run(self, command: Sequence[str], folder: Path, log: Path, environment: Mapping[str, str]) -> Forked:
        """Run ``passerelle`` with the arguments that follow the program in ``command``."""
        wish = {
            "arguments": list(command),
            "folder": str(folder),
            "log": str(log),
            "environment": dict(environment),
        }
        with self._lock:
            program = self._program or self._start()
            assert program.stdin is not None
            program.stdin.write(json.dumps(wish) + "\n")
            program.stdin.flush()
            return self._started.get(timeout=60)

    def close(self) -> None:
        """End the process that forks. What it has forked goes on."""
        if self._program is not None:
            assert self._program.stdin is not None
            self._program.stdin.close()
            self._program.wait()
            self._listener.join()

    def _start(self) -> subprocess.Popen[str]:
        self._program = subprocess.Popen(
            [sys.executable, "-m", "tests.support.cradle"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._program.stdout is not None
        self._listener = threading.Thread(target=self._listen, args=(self._program.stdout,), daemon=True)
        self._listener.start()
        return self._program

    def _listen(self, news: IO[str]) -> None:
        with news:
            for line in news:
                pid, code = json.loads(line)
                if code is None:
                    self._running[pid] = Forked(pid)
                    self._started.put(self._running[pid])
                else:
                    self._running.pop(pid).ended(code)
