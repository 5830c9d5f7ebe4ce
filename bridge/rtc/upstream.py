"""The gateway's own connections to the SFU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from bridge.rtc.limits import Limits

_PATHS = frozenset({"/rtc", "/rtc/v1"})
_MOST_EXPLANATION = 200
_PASSED_ON = ("User-Agent", "X-Forwarded-For", "X-Real-IP")


class UpstreamRefused(Exception):
    """The SFU answered, but did not let somebody in.

    Attributes:
        status: Its HTTP status.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"the SFU refused a connection with status {status}")
        self.status = status


class UpstreamUnreachable(Exception):
    """The SFU gave no answer, or not in time."""


class Upstream:
    """Connects to SFUs; all connections share one client session."""

    def __init__(self, session: aiohttp.ClientSession, limits: Limits) -> None:
        self._session = session
        self._limits = limits

    async def connect(
        self, url: str, path: str, query: str, *, token: str, headers: Mapping[str, str]
    ) -> aiohttp.ClientWebSocketResponse[Literal[True]]:
        """Open a signalling connection.

        Args:
            url: Of the SFU, ``ws(s)://`` or ``http(s)://``.
            path: ``/rtc`` or ``/rtc/v1``.
            query: The client's wishes, without a token.
            token: Opens the SFU.
            headers: The client's, of which the SFU is told what it reads.

        Raises:
            UpstreamRefused: with a status to pass on.
            UpstreamUnreachable: no answer.
        """
        limits = self._limits
        try:
            return await self._session.ws_connect(
                _address(url, path, query),
                headers=_headers(token, headers),
                compress=0,
                max_msg_size=limits.frame_down,
                timeout=aiohttp.ClientWSTimeout(ws_close=limits.close_ms / 1000),
            )
        except aiohttp.WSServerHandshakeError as error:
            raise UpstreamRefused(error.status) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UpstreamUnreachable(str(error)) from error

    async def validate(
        self, url: str, path: str, query: str, *, token: str, headers: Mapping[str, str]
    ) -> tuple[int, str]:
        """Ask why a connection is refused, or whether it would be: status and explanation.

        The arguments are those of `connect`. Only the explanation of a 404 is the SFU's own, because
        clients look into it; others may quote the token.

        Raises:
            UpstreamUnreachable: no answer.
        """
        address = _address(_http(url), f"{path}/validate", query)
        try:
            async with self._session.get(address, headers=_headers(token, headers)) as answer:
                text = ""
                if answer.status == 404:
                    text = (await answer.content.read(_MOST_EXPLANATION)).decode(errors="replace")
                return answer.status, text
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UpstreamUnreachable(str(error)) from error


def _address(url: str, path: str, query: str) -> str:
    if path.removesuffix("/validate") not in _PATHS:
        raise ValueError(f"not a path of the signalling: {path}")
    return f"{url.rstrip('/')}{path}{'?' if query else ''}{query}"


def _headers(token: str, given: Mapping[str, str]) -> dict[str, str]:
    kept = {name: given[name] for name in _PASSED_ON if name in given}
    return {"Authorization": f"Bearer {token}"} | kept


def _http(url: str) -> str:
    parts = urlsplit(url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    return urlunsplit(parts._replace(scheme=scheme))
