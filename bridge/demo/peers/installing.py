"""Install several servers at once: one waits for the network while another compiles."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bridge.demo.client import building as client
from bridge.demo.peers import chromium, livekit, postgres, synapse
from bridge.demo.peers.cache import InstallFailed

INSTALLERS: dict[str, Callable[[], Path]] = {
    "synapse": synapse.install,
    "livekit": livekit.install,
    "postgres": postgres.install,
    "chromium": chromium.install,
    "client": client.install,
}


def install_all(names: Iterable[str]) -> dict[str, Path]:
    """Install the named servers; those that work do not stop for those that fail.

    Returns:
        For each what its ``install`` returns: the program, or the folder of programs.

    Raises:
        InstallFailed: One or more failed; the message has them all.
    """
    with ThreadPoolExecutor(len(INSTALLERS)) as pool:
        running = {name: pool.submit(INSTALLERS[name]) for name in names}
    paths: dict[str, Path] = {}
    failures: list[str] = []
    for name, installation in running.items():
        try:
            paths[name] = installation.result()
        except InstallFailed as failure:
            failures.append(f"{name}: {failure}")
    if failures:
        raise InstallFailed("\n".join(failures))
    return paths
