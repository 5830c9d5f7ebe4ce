"""A gateway on loopback, and those who go through it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from aiohttp import web

from bridge.demo.peers.livekit import LiveKit
from bridge.rtc.gateway import Gateway, routes
from bridge.rtc.limits import MOST_ADDRESS, Limits
from bridge.rtc.passes import Pass, Passes
from bridge.rtc.routing import Route, RouteRefused
from bridge.sfu.client import now_ms
from bridge.sfu.model import IceServer
from bridge.sfu.tokens import ApiKey, JoinPass, join_token

SECRET = "a-secret-of-at-least-thirty-two-characters"
KEY = ApiKey("key", SECRET)
ROOM = "!room:example.org"


@dataclass
class Table:
    """Names out of a dictionary; the unseen stand in it with None."""

    shown_as: dict[str, str | None] = field(default_factory=dict)

    def shown(self, identity: str) -> str | None:
        return self.shown_as.get(identity, identity)

    def real(self, identity: str) -> str:
        return next((real for real, shown in self.shown_as.items() if shown == identity), identity)


@dataclass
class Signposts:
    """A router that a test can turn: everybody goes to one SFU room, or nobody."""

    url: str
    room: str
    key: ApiKey = KEY
    names: Table = field(default_factory=Table)
    refusal: int | None = None
    asked: list[tuple[Pass, bool]] = field(default_factory=list)
    hesitation: asyncio.Event | None = None
    """What the next one who asks has to wait for."""

    async def route(self, granted: Pass, *, resume: bool) -> Route:
        self.asked.append((granted, resume))
        if self.hesitation is not None:
            hesitation, self.hesitation = self.hesitation, None
            await hesitation.wait()
        if self.refusal is not None:
            raise RouteRefused(self.refusal, "refused by the test")
        room = granted.sfu_room if resume and granted.sfu_room else self.room
        join = JoinPass(
            room=room,
            identity=granted.identity,
            name="",
            ttl_ms=60_000,
            can_publish=granted.publish,
            can_publish_data=granted.publish,
            hidden=not granted.publish,
        )
        return Route(self.url, room, join_token(self.key, join, now_ms()), self.names)


def signposts(livekit: LiveKit, room: str, names: Mapping[str, str | None] | None = None) -> Signposts:
    """A router to a real SFU."""
    return Signposts(livekit.url, room, ApiKey(livekit.key, livekit.secret), Table(dict(names or {})))


@dataclass
class Face:
    """A gateway that listens.

    Attributes:
        url: What a client is given: the advertised address.
        switch: Has another gateway answer at that address from now on, as a load balancer would.
    """

    gateway: Gateway
    router: Signposts
    passes: Passes
    url: str
    switch: Callable[[Gateway], None]

    def token(self, user: str = "alice", *, ttl_ms: int = 60_000, publish: bool = True) -> str:
        return self.passes.sign(pass_of(user, publish=publish), ttl_ms=ttl_ms)


def pass_of(user: str = "alice", *, publish: bool = True, sfu_room: str | None = None) -> Pass:
    user_id = f"@{user}:example.org"
    return Pass(user_id, "PHONE", ROOM, f"{user_id}:PHONE", publish, sfu_room)


@asynccontextmanager
async def listening(
    router: Signposts,
    *,
    limits: Limits | None = None,
    ice_servers: Sequence[IceServer] = (),
    clock: Callable[[], int] = now_ms,
    close_ms: int = 300,
) -> AsyncIterator[Face]:
    """A gateway on a free port."""
    passes = Passes(SECRET, clock)
    # The clients of most tests do not read on when they have seen enough, so do not answer a close.
    limits = replace(limits or Limits(), close_ms=close_ms)
    async with Gateway(passes, router, limits=limits, ice_servers=ice_servers) as gateway:
        in_charge = [gateway]
        application = web.Application()

        async def answer(request: web.Request) -> web.StreamResponse:
            for route in routes(in_charge[-1]):
                if route.path == request.path and route.method == request.method:
                    return await route.handler(request)
            raise web.HTTPNotFound

        application.router.add_route("*", "/{tail:.*}", answer)
        async with serving(application) as port:
            url = f"ws://127.0.0.1:{port}/livekit"
            yield Face(gateway, router, passes, url, in_charge.append)
            await gateway.stop()


@asynccontextmanager
async def serving(application: web.Application) -> AsyncIterator[int]:
    """An HTTP application on a free port."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1, max_line_size=MOST_ADDRESS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
