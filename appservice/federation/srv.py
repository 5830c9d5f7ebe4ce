"""SRV records (RFC 2782): where a domain's federation is served."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import cast

import dns.asyncresolver
import dns.exception
import dns.rdtypes.IN.SRV
import dns.resolver

from appservice.federation.names import is_dns_name

_MOST_RECORDS = 8
_KEEP_NONE_MS = 60 * 60 * 1000
_KEEP_FAILURE_MS = 60 * 1000


@dataclass(frozen=True, slots=True)
class SrvRecord:
    """One record: lower priorities first, among equals by weight."""

    priority: int
    weight: int
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class SrvAnswer:
    """What DNS said.

    Attributes:
        records: In the order in which to try them; none when there are none or DNS did not answer.
        keep_ms: How long the answer may be kept, milliseconds.
        denied: Whether the domain says that it does not offer the service at all (the target ``.``).
        settled: Whether DNS answered at all.
    """

    records: tuple[SrvRecord, ...]
    keep_ms: int
    denied: bool = False
    settled: bool = True


LookUpSrv = Callable[[str], Awaitable[SrvAnswer]]
"""Looks up one SRV name, such as ``_matrix-fed._tcp.example.org``; never raises."""


class SystemSrv:
    """Asks the machine's name servers."""

    def __init__(self, timeout_ms: int, resolver: dns.asyncresolver.Resolver | None = None) -> None:
        """Without a resolver the machine's own configuration is read at the first look-up."""
        self._timeout_s = timeout_ms / 1000
        self._resolver = resolver

    async def __call__(self, name: str) -> SrvAnswer:
        """See ``LookUpSrv``."""
        try:
            if self._resolver is None:
                self._resolver = dns.asyncresolver.Resolver()
            found = await self._resolver.resolve(f"{name}.", "SRV", lifetime=self._timeout_s)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return SrvAnswer((), _KEEP_NONE_MS)
        except (dns.exception.DNSException, OSError, ValueError):
            # In a closed network no name server may answer for the outside: go on without, not for long.
            return SrvAnswer((), _KEEP_FAILURE_MS, settled=False)
        data = [cast("dns.rdtypes.IN.SRV.SRV", each) for each in found]
        if len(data) == 1 and str(data[0].target) == ".":
            return SrvAnswer((), _KEEP_NONE_MS, denied=True)
        records = (
            SrvRecord(each.priority, each.weight, str(each.target).rstrip(".").lower(), each.port)
            for each in data
        )
        usable = (each for each in records if is_dns_name(each.host) and each.port)
        keep_ms = (found.rrset.ttl if found.rrset else 0) * 1000
        return SrvAnswer(in_order(usable, random.Random()), keep_ms)  # noqa: S311 (spreads load, hides nothing)


def in_order(records: Iterable[SrvRecord], chance: random.Random) -> tuple[SrvRecord, ...]:
    """The order in which to try records (RFC 2782, "Usage rules"), at most eight of them."""
    left = sorted(records, key=lambda each: (each.priority, each.weight))
    ordered: list[SrvRecord] = []
    while left and len(ordered) < _MOST_RECORDS:
        equals = [each for each in left if each.priority == left[0].priority]
        # A weight of 0 keeps a small chance, as the RFC asks.
        chosen = chance.choices(equals, [each.weight or 0.01 for each in equals])[0]
        left.remove(chosen)
        ordered.append(chosen)
    return tuple(ordered)
