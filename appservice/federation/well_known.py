"""``.well-known/matrix/server``: where a domain says its homeserver is (server-server API §2.1, step 3)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import orjson
from yarl import URL

from appservice.clock import Clock, wall_clock
from appservice.federation.errors import BadServerName, LookupFailed, NonsenseAnswer
from appservice.federation.limits import Limits
from appservice.federation.names import ServerName, parse_server_name
from appservice.federation.transport import Answer, Reach, Transport

_HOUR_MS = 60 * 60 * 1000
_KEEP_DEFAULT_MS = 24 * _HOUR_MS  # the specification's advice
_KEEP_LONGEST_MS = 48 * _HOUR_MS  # likewise
_KEEP_SHORTEST_MS = _HOUR_MS // 12  # or a file with no-store would be fetched for every token
_KEEP_NONE_MS = _HOUR_MS  # likewise the specification's, for errors
_KEEP_FAILURE_MS = _HOUR_MS // 30  # no answer at all heals sooner than a file that is not there


@dataclass(frozen=True, slots=True)
class Delegation:
    """What a domain's well-known file says.

    Attributes:
        server: Where it delegates to; None when there is no (valid) file.
        keep_ms: How long this may be kept, milliseconds.
        how: The same in a few words, for error messages.
        settled: Whether the domain answered; an outage says nothing, and must not undo what it said before.
    """

    server: ServerName | None
    keep_ms: int
    how: str
    settled: bool = True


ReadWellKnown = Callable[[str], Awaitable[Delegation]]
"""Reads the file of a host; never raises."""


class WellKnownReader:
    """Fetches the file over HTTPS."""

    def __init__(
        self, transport: Transport, limits: Limits, *, clock: Clock = wall_clock, port: int = 443
    ) -> None:
        self._transport = transport
        self._limits = limits
        self._clock = clock
        self._port = port

    async def __call__(self, host: str) -> Delegation:
        """See ``ReadWellKnown``."""
        url = URL.build(scheme="https", host=host, port=self._port, path="/.well-known/matrix/server")
        try:
            async with asyncio.timeout(self._limits.well_known_ms / 1000):
                answer = await self._follow(url)
        except TimeoutError:
            return Delegation(None, _KEEP_FAILURE_MS, "no answer in time", settled=False)
        except LookupFailed as error:
            return Delegation(None, _KEEP_FAILURE_MS, error.code, settled=isinstance(error, NonsenseAnswer))
        return read(answer, self._clock())

    async def _follow(self, url: URL) -> Answer:
        """Fetch, following redirects: only to HTTPS, only so many, each past the guard like the first."""
        for _ in range(self._limits.redirects + 1):
            answer = await self._transport.get(url, Reach.STRANGER, most_bytes=self._limits.well_known_bytes)
            if answer.status not in (301, 302, 303, 307, 308):
                return answer
            try:
                url = url.join(URL(answer.headers.get("location", "")))
            except ValueError:
                raise NonsenseAnswer("a redirect to something that is no URL") from None
            if url.scheme != "https" or not url.raw_host or url.user is not None:
                raise NonsenseAnswer("a redirect to something else than plain https")
        raise NonsenseAnswer(f"more than {self._limits.redirects} redirects")


def read(answer: Answer, now_ms: int) -> Delegation:
    """What an answer says. Whatever is not a valid file counts as none (§2.1: "skip to step 4")."""
    if answer.status != 200:
        settled = answer.status < 500 and answer.status != 429
        keep_ms = _KEEP_NONE_MS if settled else _KEEP_FAILURE_MS
        return Delegation(None, keep_ms, f"HTTP {answer.status}", settled)
    try:
        content = orjson.loads(answer.body)
        server = parse_server_name(content["m.server"])
    except (orjson.JSONDecodeError, TypeError, KeyError, IndexError, BadServerName):
        return Delegation(None, _KEEP_NONE_MS, "not valid")
    keep_ms = min(max(_lifetime(answer.headers, now_ms), _KEEP_SHORTEST_MS), _KEEP_LONGEST_MS)
    return Delegation(server, keep_ms, f"names {server.text}")


def _lifetime(headers: Mapping[str, str], now_ms: int) -> int:
    """How long the answer is fresh by its headers, milliseconds (RFC 9111 §4.2.1)."""
    control = headers.get("cache-control", "").lower()
    if "no-store" in control or "no-cache" in control:
        return 0
    if found := re.search(r'max-age\s*=\s*"?(\d{1,10})', control):
        return int(found[1]) * 1000
    if "expires" in headers:
        try:
            return int(parsedate_to_datetime(headers["expires"]).timestamp() * 1000) - now_ms
        except (ValueError, OverflowError, OSError):
            return 0  # RFC 9111 §5.3: an invalid date, "0" above all, means the past.
    return _KEEP_DEFAULT_MS
