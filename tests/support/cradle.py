"""The process from which `tests.support.forking` forks bridges."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import sys
from collections.abc import Mapping
from typing import Any

import bridge.app  # noqa: F401  what the command line would import later
from bridge.cli import main as passerelle


def main() -> None:
    """Fork a bridge for each line on the standard input, and tell of each when it has begun and ended.

    With one thread: a fork while another one holds a lock would hold it for ever.
    """
    gc.collect()
    gc.freeze()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(wake)
    wishes = b""
    while True:
        ready, _, _ = select.select([sys.stdin, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _tell_of_the_dead()
        if sys.stdin in ready:
            if not (more := os.read(sys.stdin.fileno(), 65536)):
                return
            *lines, wishes = (wishes + more).split(b"\n")
            for line in lines:
                if (pid := os.fork()) == 0:
                    for pipe in (woken, wake):
                        os.close(pipe)
                    _become(json.loads(line))
                    passerelle()
                _tell(pid, None)


def _tell(pid: int, code: int | None) -> None:
    sys.stdout.write(json.dumps([pid, code]) + "\n")
    sys.stdout.flush()


def _tell_of_the_dead() -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            _tell(ended[0], os.waitstatus_to_exitcode(ended[1]))


def _become(wish: Mapping[str, Any]) -> None:
    """Be what ``subprocess.Popen`` would have started."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.chdir(wish["folder"])
    os.environ.clear()
    os.environ.update(wish["environment"])
    log = os.open(wish["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, stream in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, stream)
    os.close(nothing)
    os.close(log)
    sys.argv = list(wish["arguments"])


if __name__ == "__main__":
    main()
