"""An SFU's signalling face without an SFU: says what the test says, and keeps what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from tests.unit.rtc.house import serving


@dataclass
class Caller:
    """One connection of the gateway's."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    socket: web.WebSocketResponse
    said: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    pongs: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    closed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class SimulatedSfu:
    """What LiveKit is to the gateway.

    Attributes:
        refuses: Answers every request with this status.
        deaf: Does not read what it is told.
    """

    url: str = ""
    refuses: int | None = None
    explanation: str = ""
    deaf: bool = False
    callers: asyncio.Queue[Caller] = field(default_factory=asyncio.Queue)

    async def rtc(self, request: web.Request) -> web.StreamResponse:
        if self.refuses is not None:
            return web.Response(status=self.refuses, text=self.explanation)
        socket = web.WebSocketResponse(compress=True, autoping=False)
        await socket.prepare(request)
        caller = Caller(request.path, dict(request.query), dict(request.headers), socket)
        self.callers.put_nowait(caller)
        try:
            if self.deaf:
                await caller.closed.wait()
            while (message := await socket.receive()).type in (WSMsgType.BINARY, WSMsgType.PONG):
                heard = caller.said if message.type is WSMsgType.BINARY else caller.pongs
                heard.put_nowait(bytes(message.data))
        finally:
            caller.closed.set()
        return socket

    async def validate(self, _request: web.Request) -> web.Response:
        return web.Response(status=self.refuses or 200, text=self.explanation or "success")


@asynccontextmanager
async def simulated_sfu() -> AsyncIterator[SimulatedSfu]:
    """One that listens on a free port."""
    sfu = SimulatedSfu()
    application = web.Application()
    for path in ("/rtc", "/rtc/v1"):
        application.router.add_get(path, sfu.rtc)
        application.router.add_get(f"{path}/validate", sfu.validate)
    async with serving(application) as port:
        sfu.url = f"ws://127.0.0.1:{port}"
        yield sfu
