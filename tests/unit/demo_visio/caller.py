"""Asks the stand-in as a program would that knows Visio's documentation."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp

from bridge.demo.visio.stand_in import SERVICE_EMAIL, StandIn

TOKEN, ROOMS = "/external-api/v1.0/application/token/", "/external-api/v1.0/rooms/"


@dataclass(frozen=True, slots=True)
class Got:
    """One answer."""

    status: int
    body: Any
    headers: dict[str, str]


class Caller:
    """A program with the application's credentials."""

    def __init__(self, visio: StandIn, session: aiohttp.ClientSession) -> None:
        self.visio = visio
        self.session = session

    async def ask(
        self, method: str, path: str, token: str | None = None, *, kind: str = "", **given: Any
    ) -> Got:
        """One request; redirects are not followed."""
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        if kind:
            headers["Content-Type"] = kind
        async with self.session.request(
            method, self.visio.url + path, headers=headers, allow_redirects=False, **given
        ) as response:
            is_json = response.content_type == "application/json"
            body = await response.json() if is_json and method != "HEAD" else await response.text()
            return Got(response.status, body, dict(response.headers))

    def request(self, **over: Any) -> dict[str, Any]:
        """The body of a token request."""
        application = self.visio.application
        ours = {
            "client_id": application.client_id,
            "client_secret": application.client_secret,
            "grant_type": "client_credentials",
            "scope": SERVICE_EMAIL,
        }
        return {**ours, **over}

    async def token(self, email: str = SERVICE_EMAIL) -> str:
        """A token for a user."""
        got = await self.ask("POST", TOKEN, json=self.request(scope=email))
        assert got.status == 200, got
        return str(got.body["access_token"])


@contextlib.asynccontextmanager
async def calling(visio: StandIn) -> AsyncIterator[Caller]:
    """A caller with connections of its own."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield Caller(visio, session)
