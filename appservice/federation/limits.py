"""How long, how much and how many: what a look-up may cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from appservice.federation.errors import TooManyLookups


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one look-up and of all together.

    Attributes:
        total_ms: From the question to the verified user, discovery included.
        connect_ms: One attempt to connect, TLS included.
        well_known_ms: The whole of ``.well-known/matrix/server``, redirects included.
        dns_ms: One SRV look-up.
        answer_bytes: Body of a userinfo answer.
        well_known_bytes: Body of a well-known file.
        redirects: How many the well-known file may take.
        per_server: Look-ups at one server at the same time.
        strangers: Look-ups at the same time at all servers that the admin did not name. Those that the admin
            named do not count, so that strangers cannot keep them waiting.
    """

    total_ms: int = 10_000
    connect_ms: int = 4_000
    well_known_ms: int = 5_000
    dns_ms: int = 3_000
    answer_bytes: int = 16 * 1024
    well_known_bytes: int = 50 * 1024
    redirects: int = 5
    per_server: int = 64
    strangers: int = 256


class Admission:
    """Counts look-ups under way."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._under_way: Counter[str] = Counter()
        self._strangers = 0

    @contextmanager
    def place(self, server: str, *, stranger: bool) -> Iterator[None]:
        """Hold a place while a look-up goes on.

        Raises:
            TooManyLookups: there is none.
        """
        if self._under_way[server] >= self._limits.per_server:
            raise TooManyLookups(f"{self._limits.per_server} look-ups at {server} are under way")
        if stranger and self._strangers >= self._limits.strangers:
            raise TooManyLookups(f"{self._limits.strangers} look-ups at other homeservers are under way")
        self._under_way[server] += 1
        self._strangers += stranger
        try:
            yield
        finally:
            self._strangers -= stranger
            self._under_way[server] -= 1
            if not self._under_way[server]:
                del self._under_way[server]  # or the counter would remember every name ever asked for
