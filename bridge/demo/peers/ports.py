"""Free ports on loopback that stay ours while a server on them is stopped and started again."""

from __future__ import annotations

import fcntl
import os
import random
import socket
from contextlib import suppress

from bridge.demo.peers.cache import cache_folder

HOST = "127.0.0.1"

_RANGE = range(12_000, 32_000)
"""Below the range from which systems take ports for outgoing connections (32768 and up on Linux), so that
no connection can take the port of a server that is down for the moment."""

_held: dict[int, int] = {}


def reserve_port(preferred: int | None = None) -> int:
    """Return a port that nobody listens on, TCP and UDP, and that no other caller gets while we live.

    Args:
        preferred: Taken if it is free.

    Raises:
        OSError: No free port was found.
    """
    first = [] if preferred is None else [preferred]
    for port in (*first, *random.sample(_RANGE, 200)):
        if _hold(port):
            if _is_free(port):
                return port
            release_port(port)
    raise OSError(f"No free port between {_RANGE.start} and {_RANGE.stop} on {HOST}")


def release_port(port: int) -> None:
    """Give a port back that ``reserve_port`` returned."""
    descriptor = _held.pop(port, None)
    if descriptor is not None:
        os.close(descriptor)


def _hold(port: int) -> bool:
    # A lock on a file goes away with the process that holds it, however that ends.
    if port in _held:
        return False
    folder = cache_folder().parent / "ports"
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    _held[port] = descriptor
    return True


def _is_free(port: int) -> bool:
    with suppress(OSError):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as probe:
                probe.bind((HOST, port))
        return True
    return False
