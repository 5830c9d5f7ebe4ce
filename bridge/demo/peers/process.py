"""A server that we start, wait for, stop, and hurt on purpose: what all launchers share."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import aiohttp

from bridge.demo.peers import guard

_POLL = 0.05
_LAST_LINES = 25


class PeerFailed(Exception):
    """A server did not start or ended by itself; the message holds the last lines of its log."""


class Running(Protocol):
    """A process, as far as ``subprocess.Popen`` is needed here."""

    @property
    def pid(self) -> int:
        """Its number."""

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; ``subprocess.TimeoutExpired`` if it does not come."""

    def send_signal(self, sig: int, /) -> None:
        """Send it a signal, unless it has ended."""


class Peer(ABC):
    """One server process in a folder of its own.

    ``async with peer:`` starts it and stops it at the end. In between a test may ``stop`` it, ``kill`` it
    or ``pause`` it, and ``start`` or ``resume`` it on the same ports with the same data.

    Not tied to an event loop: a peer that was started under one loop may be stopped under another.

    Attributes:
        name: What it is called in messages and log files.
        folder: Holds its configuration, data and log.
    """

    stop_signal = signal.SIGTERM
    stop_timeout = 15.0
    start_timeout = 90.0

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self._process: Running | None = None

    @property
    def log_file(self) -> Path:
        """What the process wrote, over all its starts."""
        return self.folder / f"{self.name}.log"

    @property
    def pid(self) -> int:
        """The number of the running process.

        Raises:
            PeerFailed: It is not running.
        """
        if self._process is None:
            raise PeerFailed(f"{self.name} is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there, paused or not."""
        return self._process is not None and self._process.poll() is None

    @abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments; writes the configuration if that has not been done."""

    @abstractmethod
    async def answers(self) -> bool:
        """Whether the server does its work by now; ``OSError`` counts as no."""

    def environment(self) -> Mapping[str, str]:
        """Variables for the process in addition to ours."""
        return {}

    def user(self) -> str | None:
        """The system user to run as; none for ours."""
        return None

    async def start(self) -> None:
        """Start the process and wait until it answers. Nothing happens when it is running already.

        Raises:
            PeerFailed: It ended by itself or did not answer in time; nothing is left running.
        """
        if not self.running:
            self.launch()
        try:
            await self.wait_until_it_answers()
        except BaseException:
            self.kill()
            raise

    def launch(self) -> None:
        """Start the process without waiting for it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process = self.spawn(self.command())
        guard.watch(self._process.pid)

    def spawn(self, command: list[str]) -> Running:
        """Run a command in a session of its own, its output at the end of the log."""
        user = self.user()
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment()},
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                # Ctrl-C in the terminal is for us; we stop our servers ourselves, in order.
                start_new_session=True,
            )

    async def wait_until_it_answers(self) -> None:
        """Wait until the server does its work.

        Raises:
            PeerFailed: It ended by itself, or did not answer within ``start_timeout`` seconds.
        """
        deadline = time.monotonic() + self.start_timeout
        while not await self._answers_now():
            if self._process is None or self._process.poll() is not None:
                raise PeerFailed(f"{self.name} ended while starting. {self._last_words()}")
            if time.monotonic() > deadline:
                raise PeerFailed(f"{self.name} does not answer. {self._last_words()}")
            await asyncio.sleep(_POLL)

    async def stop(self) -> int:
        """Ask the process to end; kill it when it takes longer than ``stop_timeout`` seconds.

        Returns:
            Its exit code, 0 when it was not running. Negative when a signal ended it.
        """
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            self.resume()
            process.send_signal(self.stop_signal)
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, self.stop_timeout)
        return self.kill()

    def kill(self) -> int:
        """End the process and everything that it started with SIGKILL, at once.

        Returns:
            Its exit code, 0 when it was not running. Negative when a signal ended it.
        """
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            guard.kill_all(process.pid)
        else:  # its number may belong to somebody else by now, but not those of its children
            guard.signal_all(guard.descendants(process.pid)[1:], signal.SIGKILL)
        code = process.wait()
        guard.forget(process.pid)
        self._process = None
        return code

    def pause(self) -> None:
        """Freeze the process: connections stay open, and nothing is answered from the return of this on."""
        guard.freeze_all(guard.descendants(self.pid))

    def resume(self) -> None:
        """Let a frozen process go on. No effect on one that is not frozen."""
        guard.signal_all(guard.descendants(self.pid), signal.SIGCONT)

    async def _answers_now(self) -> bool:
        try:
            return await self.answers()
        except (OSError, aiohttp.ClientError, TimeoutError):
            return False

    def _last_words(self) -> str:
        lines = self.log_file.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        return f"End of {self.log_file}:\n" + "\n".join(lines)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


async def http_answers(url: str) -> bool:
    """Whether a GET of ``url`` is answered with a success."""
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
        return response.ok
