"""Who gets through the gateway, and where to: every reason for which somebody does not."""

from __future__ import annotations

import asyncio
import collections
import enum
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl

from aiohttp import web

from bridge.rtc import join_request
from bridge.rtc.join_request import BadJoinRequest, JoinAttempt
from bridge.rtc.limits import Limits
from bridge.rtc.passes import Pass, Passes, PassRefused
from bridge.rtc.routing import Route, Router, RouteRefused


class Outcome(enum.StrEnum):
    """How a connection began or did not; a metric counts them."""

    OPENED = "opened"
    RESUMED = "resumed"
    BAD_TOKEN = "bad_token"  # noqa: S105
    BAD_REQUEST = "bad_request"
    TOO_MANY = "too_many"
    REFUSED = "refused"
    """By the bridge: denied, or the call is over."""
    GONE = "gone"
    """The client did not wait."""
    SFU_REFUSED = "sfu_refused"
    SFU_UNREACHABLE = "sfu_unreachable"
    STOPPING = "stopping"


class TurnedAway(Exception):
    """Somebody who does not get in.

    Attributes:
        outcome: For the metric.
        status: The HTTP status that tells them.
        text: The same in words, for whoever reads a browser's log.
    """

    def __init__(self, outcome: Outcome, status: int, text: str = "") -> None:
        super().__init__(text or words(status))
        self.outcome = outcome
        self.status = status
        self.text = text or words(status)


class Door:
    """Checks in the order of what a check costs: the token, the limits, the request, the router."""

    def __init__(self, passes: Passes, router: Router, limits: Limits) -> None:
        self._passes = passes
        self._router = router
        self._limits = limits
        self._inside: collections.Counter[str] = collections.Counter()

    def verify(self, request: web.Request) -> Pass:
        """What the client's token says.

        Raises:
            TurnedAway: it is none of ours, or expired.
        """
        header = request.headers.get("Authorization", "")
        token = (
            header.removeprefix("Bearer ") if header else dict(_parameters(request)).get("access_token", "")
        )
        try:
            return self._passes.verify(token)
        except PassRefused as refused:
            raise TurnedAway(Outcome.BAD_TOKEN, 401, str(refused)) from refused

    @contextmanager
    def admitted(self, request: web.Request) -> Iterator[Pass]:
        """Verify, and count a connection for as long as the block lasts.

        Raises:
            TurnedAway: as `verify`; and there are too many already, of this user or in all.
        """
        granted = self.verify(request)
        user = granted.user_id
        full = self._inside.total() >= self._limits.connections
        if full or self._inside[user] >= self._limits.connections_per_user:
            raise TurnedAway(Outcome.TOO_MANY, 429)
        self._inside[user] += 1
        try:
            yield granted
        finally:
            self._inside[user] -= 1
            if not self._inside[user]:
                del self._inside[user]

    async def route(self, request: web.Request, granted: Pass) -> tuple[JoinAttempt, Route]:
        """What the client wants, and where it goes.

        Raises:
            TurnedAway: the request cannot be read, or the router refuses or does not answer.
        """
        newer = signalling_path(request) == "/rtc/v1"
        try:
            attempt = join_request.read(_parameters(request), needs_join_request=newer)
        except BadJoinRequest as error:
            raise TurnedAway(Outcome.BAD_REQUEST, 400, str(error)) from error
        try:
            async with asyncio.timeout(self._limits.connect_ms / 1000):
                return attempt, await self._router.route(granted, resume=attempt.resume)
        except RouteRefused as refused:
            raise TurnedAway(Outcome.REFUSED, refused.status) from refused
        except TimeoutError as error:
            raise TurnedAway(Outcome.REFUSED, 503) from error


def signalling_path(request: web.Request) -> str:
    """``/rtc`` or ``/rtc/v1``: which of the SFU's two paths a request is for."""
    return "/rtc/v1" if request.path.removesuffix("/validate").endswith("/v1") else "/rtc"


def _parameters(request: web.Request) -> list[tuple[str, str]]:
    # Not `request.query`, which is kept for as long as the request, that is, the connection.
    return parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True)


def words(status: int) -> str:
    """What an HTTP status means here, where nothing more is to be said."""
    known = {200: "success", 401: "not allowed", 403: "not allowed", 429: "too many connections"}
    return known.get(status, "not available")
