"""Chromium, the browser of the tests: the system's own, because Playwright's download is not needed."""

from __future__ import annotations

import shutil
from pathlib import Path

from bridge.demo.peers.cache import InstallFailed, Say, apt_install, say

ARGUMENTS = (
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
)
"""Camera and microphone that need no hardware, and no request to the browser's own maker."""


_SHELL = "chromium-headless-shell"
"""The same browser without windows: a call in it takes a fifth less of the processors."""

_NAMES = (_SHELL, "chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def find() -> Path | None:
    """The browser's program, if the system has one."""
    return next((Path(program) for name in _NAMES if (program := shutil.which(name))), None)


def install(*, say: Say = say) -> Path:
    """Return the browser's program, after installing the system's package when needed.

    Raises:
        InstallFailed: It is missing and we may not install it.
    """
    program = find()
    if program is None:
        try:
            apt_install(_SHELL, say=say)
        except InstallFailed:
            # Not every distribution has it.
            apt_install("chromium", say=say)
        program = find()
    if program is None:
        raise InstallFailed("Chromium was not found. Install it: apt-get install chromium.")
    return program
