"""A LiveKit server API of a few lines, to make it misbehave in ways that a real one cannot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from google.protobuf.message import Message

from bridge.sfu.client import Sfu
from bridge.sfu.retry import Patience
from bridge.sfu.tokens import ApiKey

KEY = ApiKey("key", "a-secret-of-at-least-thirty-two-characters")
QUICK = Patience(attempt_ms=300, total_ms=1_500, pause_ms=2, longest_pause_ms=5)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Asked:
    """One request: its method, its body, and the grants that its token carries."""

    method: str
    body: bytes
    grants: dict[str, object]


@dataclass
class FakeLivekit:
    """Answers each request with the next handler of the script, then always with the last."""

    script: list[Handler]
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.asked]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        claims = jwt.decode(token, KEY.secret, algorithms=["HS256"], issuer=KEY.id)
        self.asked.append(Asked(request.match_info["method"], await request.read(), claims["video"]))
        handler = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return await handler(request)


@asynccontextmanager
async def fake_livekit(*script: Handler) -> AsyncIterator[tuple[FakeLivekit, Sfu]]:
    """A server that follows the script, and a client for it."""
    fake = FakeLivekit(list(script))
    app = web.Application()
    app.router.add_post("/twirp/livekit.RoomService/{method}", fake.answer)
    async with TestServer(app) as server:
        fake.url = str(server.make_url("/"))
        async with Sfu(fake.url, KEY, patience=QUICK) as sfu:
            yield fake, sfu


def protobuf(message: Message) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=message.SerializeToString(), content_type="application/protobuf")

    return handler


def error(status: int, code: str, msg: str = "") -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response({"code": code, "msg": msg}, status=status)

    return handler


def page(status: int, text: str, content_type: str = "text/html", **headers: str) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type, status=status, headers=headers)

    return handler


async def hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()
