"""The API client and the provider, before a stand-in for Visio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bridge.demo.visio.stand_in import SERVICE_EMAIL, StandIn
from bridge.providers.visio.api import Credentials, VisioApi
from bridge.providers.visio.http import VisioHttp
from bridge.providers.visio.owner import Ownership
from bridge.providers.visio.parts import VisioParts
from bridge.providers.visio.provider import VisioProvider
from bridge.sfu.retry import Patience

QUICK = Patience(attempt_ms=1_000, total_ms=1_500, pause_ms=2, longest_pause_ms=5, attempts=3)
HURRIED = Patience(attempt_ms=100, total_ms=100, pause_ms=2, attempts=1)


@dataclass
class Ticks:
    """A monotonic clock that a test moves."""

    now: int = 1_000_000

    def __call__(self) -> int:
        return self.now


@dataclass
class Orphans:
    """How many meetings may have been made for nobody."""

    count: int = field(default=0)

    def __call__(self) -> None:
        self.count += 1


def credentials(stand_in: StandIn) -> Credentials:
    return Credentials(stand_in.application.client_id, stand_in.application.client_secret)


@dataclass
class Client:
    """The API client with what a test wants to know of it."""

    api: VisioApi
    http: VisioHttp
    orphans: Orphans
    ticks: Ticks

    async def create(self, email: str = SERVICE_EMAIL, access: str = "trusted") -> Any:
        return await self.api.create(email, access)


@asynccontextmanager
async def client(
    stand_in: StandIn, patience: Patience = QUICK, known: Credentials | None = None
) -> AsyncIterator[Client]:
    http, orphans, ticks = VisioHttp(stand_in.url, patience), Orphans(), Ticks()
    api = VisioApi(http, known or credentials(stand_in), on_orphan=orphans, clock=ticks)
    try:
        yield Client(api, http, orphans, ticks)
    finally:
        await api.close()
        await http.close()


def parts(stand_in: StandIn, **changes: Any) -> VisioParts:
    given: dict[str, Any] = {
        "url": stand_in.url,
        "credentials": credentials(stand_in),
        "ownership": Ownership(None, SERVICE_EMAIL),
        "patience": QUICK,
    }
    return VisioParts(**{**given, **changes})


@asynccontextmanager
async def provider(stand_in: StandIn, **changes: Any) -> AsyncIterator[VisioProvider]:
    made = VisioProvider(parts(stand_in, **changes))
    try:
        yield made
    finally:
        await made.close_connections()
