"""Counting wrong secrets per address, in bounded memory."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable

from cachetools import TTLCache

WINDOW_S = 60.0
"""How long a wrong secret counts against its address, seconds since the last one."""


class Attempts:
    """Remembers which addresses keep asking with wrong secrets.

    A secret cannot be guessed anyway; this keeps whoever tries from costing a look-up each time.
    At most ``addresses`` are remembered, the oldest are forgotten first, so a flood of addresses
    cannot fill the memory.

    Args:
        limit: Wrong secrets that an address may send within `WINDOW_S`.
        addresses: How many addresses are remembered.
        clock: Seconds on a clock that never goes back.
    """

    def __init__(
        self, *, limit: int = 20, addresses: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._wrong: TTLCache[str, int] = TTLCache(addresses, WINDOW_S, timer=clock)

    def allowed(self, address: str, link_id: str) -> bool:
        """Whether this address may ask about this link now."""
        return self._wrong.get(_asker(address, link_id), 0) < self._limit

    def wrong(self, address: str, link_id: str) -> None:
        """Note a wrong secret for this link from this address."""
        asker = _asker(address, link_id)
        self._wrong[asker] = self._wrong.get(asker, 0) + 1


def _asker(address: str, link_id: str) -> str:
    return f"{_network(address)} {link_id[:64]}"


def client_address(remote: str | None, forwarded_for: str | None) -> str:
    """The address of whoever asks, seen through a reverse proxy on this machine or network.

    The last entry of ``X-Forwarded-For`` is the one that the nearest proxy wrote. It is believed
    only when the connection comes from a loopback or private address: from anywhere else it would
    be the caller's own word.
    """
    address = remote or ""
    if forwarded_for and _is_near(address):
        return forwarded_for.rpartition(",")[2].strip()
    return address


def _is_near(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_private
    except ValueError:
        return False


def _network(address: str) -> str:
    """What counts as one asker: an IPv4 address, or the /64 that every IPv6 subscriber has at least."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address
