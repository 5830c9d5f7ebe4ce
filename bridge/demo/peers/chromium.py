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


def find() -> Path | None:
    """The browser's program, if the system has one."""
    for name in ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome"):
        program = shutil.which(name)
        if program is not None:
            return Path(program)
    return None


def install(*, say: Say = say) -> Path:
    """Return the browser's program, after installing the system's package when needed.

    Raises:
        InstallFailed: It is missing and we may not install it.
    """
    program = find()
    if program is None:
        apt_install("chromium", say=say)
        program = find()
    if program is None:
        raise InstallFailed("Chromium was not found. Install it: apt-get install chromium.")
    return program
