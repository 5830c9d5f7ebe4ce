"""Ends the servers that we started when we end without being able to do it ourselves.

Runs as a process of its own. It reads ``+PID`` and ``-PID`` lines; at the end of the input, which comes
when the process at the other end has ended in whatever way, it kills what is still on the list.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

_POLL = 0.001
"""How often it is looked whether somebody stands still, seconds."""

_running: subprocess.Popen[str] | None = None
_owner = 0


def watch(pid: int) -> None:
    """Have the process and its descendants killed when this process ends, however it ends."""
    _tell(f"+{pid}")


def forget(pid: int) -> None:
    """The process has ended; its number may belong to somebody else from now on."""
    _tell(f"-{pid}")


def descendants(pid: int) -> list[int]:
    """The process itself and everything that it started.

    What has lost its parent on the way is found by its session, which each of our servers has to itself.
    """
    children: dict[int, list[int]] = {}
    found = [pid]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                # Fields: state, parent, group, session. The name in parentheses before may hold anything.
                _, parent, _, session, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(session) == pid and int(entry.name) != pid:
                    found.append(int(entry.name))
                else:
                    children.setdefault(int(parent), []).append(int(entry.name))
    for each in found:
        found.extend(child for child in children.get(each, []) if child not in found)
    return found


def signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to processes; what is gone already is no error."""
    for each in pids:
        with suppress(ProcessLookupError):
            os.kill(each, number)


def freeze_all(pids: Collection[int]) -> None:
    """Stop processes where they are, and return when they stand still; ``SIGCONT`` lets them go on.

    The signal alone is not enough: a thread that runs on another processor goes on until it next enters the
    kernel, which is time enough for an answer.
    """
    signal_all(pids, signal.SIGSTOP)
    while not all(_stands_still(each) for each in pids):
        time.sleep(_POLL)


def _stands_still(pid: int) -> bool:
    """Whether no thread of it runs. What is gone stands still, too."""
    for thread in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(OSError):
            state, *_ = thread.read_text().rpartition(")")[2].split()
            if state not in "TtZX":  # stopped, traced, ended
                return False
    return True


def kill_all(pid: int) -> None:
    """End a process and everything that it started, at once."""
    signal_all(descendants(pid), signal.SIGKILL)
    # A child that was born between our look and our signal is found by its session.
    signal_all(descendants(pid)[1:], signal.SIGKILL)


def _tell(line: str) -> None:
    global _running, _owner  # noqa: PLW0603  one guard per process, started when first needed
    if _running is None or _owner != os.getpid():
        _running = subprocess.Popen(
            [sys.executable, "-S", "-E", __file__],
            stdin=subprocess.PIPE,
            text=True,
            # In a group of its own, so that Ctrl-C does not end the guard before us.
            start_new_session=True,
        )
        _owner = os.getpid()
        atexit.register(_end)
    assert _running.stdin is not None
    with suppress(BrokenPipeError):
        _running.stdin.write(line + "\n")
        _running.stdin.flush()


def _end() -> None:
    # A fork of the process that started the guard must not end it.
    if _running is not None and _running.stdin is not None and _owner == os.getpid():
        _running.stdin.close()
        _running.wait()


def _main() -> None:
    watched: set[int] = set()
    for line in sys.stdin:
        pid = int(line[1:])
        if line.startswith("+"):
            watched.add(pid)
        else:
            watched.discard(pid)
    for pid in watched:
        kill_all(pid)


if __name__ == "__main__":
    _main()
