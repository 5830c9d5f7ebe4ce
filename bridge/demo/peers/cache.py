"""Where installed servers live: one folder per name, version and lock, shared by all runs of a user."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

FINISHED = ".finished"
"""Present in an installed folder only once its installation went through to the end."""

_HEARTBEAT_S = 30
"""How often a long step says that it is still at work."""

Say = Callable[[str], None]
"""Tells the person who waits what is going on: one line, no newline."""


class InstallFailed(Exception):
    """A server could not be installed; the message says what to do about it."""


def say(line: str) -> None:
    """Print progress at once, also when the output goes into a file or a pipe."""
    print(line, flush=True)


def cache_folder() -> Path:
    """The per-user folder under which everything is installed."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "passerelle" / "peers"


def installed(
    name: str, version: str, lock: str, build: Callable[[Path], None], *, takes: str, say: Say = say
) -> Path:
    """Return the folder of a server, after installing it there when that has not been done yet.

    An installation that was interrupted starts again from nothing. Two processes that ask at the same
    time install once: the second waits for the first.

    Args:
        name: Which server; the first part of the folder's name.
        version: Its version, for the eyes of whoever looks into the cache.
        lock: Everything that decides what gets installed; another text is another folder.
        build: Installs into the empty folder that it is given.
        takes: How long that usually takes, shown before it starts.
        say: Receives the progress.

    Raises:
        InstallFailed: ``build`` failed; nothing half installed will be used.
    """
    digest = hashlib.sha256(lock.encode()).hexdigest()[:12]
    folder = cache_folder() / f"{name}-{version}-{digest}"
    if (folder / FINISHED).exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_name(folder.name + ".lock"), f"{name} {version}", say):
        if (folder / FINISHED).exists():
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        say(f"Installing {name} {version}, usually {takes} ...")
        started = time.monotonic()
        build(folder)
        (folder / FINISHED).touch()
        say(f"Installed {name} {version} in {time.monotonic() - started:.0f} s")
    return folder


def run(command: Sequence[str], *, advice: str, environment: Mapping[str, str] | None = None) -> None:
    """Run one step of an installation, quietly when it works.

    Args:
        command: The program and its arguments.
        advice: What a person can do when this fails.
        environment: Variables that are added to ours.

    Raises:
        InstallFailed: The step failed; the message ends with its last lines and the advice.
    """
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **(environment or {})},
        )
    except OSError as error:
        raise InstallFailed(f"{command[0]} could not be run: {error.strerror}. {advice}") from error
    with process:
        while True:
            try:
                output, _ = process.communicate(timeout=_HEARTBEAT_S)
                break
            except subprocess.TimeoutExpired:
                say(f"... {' '.join(command[:4])} ..., {time.monotonic() - started:.0f} s so far")
    if process.returncode != 0:
        last_lines = "\n".join(output.splitlines()[-20:])
        raise InstallFailed(f"{' '.join(command)} failed:\n{last_lines}\n{advice}")


def apt_install(package: str, *, say: Say = say) -> None:
    """Install a Debian package when we may, which is when we are root.

    Raises:
        InstallFailed: We may not, or apt failed; the message names the package.
    """
    by_hand = f"Install it yourself: apt-get install {package} (or your system's package of that name)."
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise InstallFailed(f"{package} is missing and only root may install it. {by_hand}")
    cache_folder().mkdir(parents=True, exist_ok=True)
    # apt itself gives up when another apt is running; ours wait for each other.
    with _locked(cache_folder() / "apt.lock", "apt-get", say):
        say(f"Installing the package {package} with apt-get, usually less than a minute ...")
        started = time.monotonic()
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update"], advice=by_hand, environment=quiet)
        run(
            ["apt-get", "install", "-y", "--no-install-recommends", package],
            advice=by_hand,
            environment=quiet,
        )
        say(f"Installed the package {package} in {time.monotonic() - started:.0f} s")


@contextmanager
def _locked(path: Path, what: str, say: Say) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting for another installation of {what} to finish ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
