"""The floor of the webhooks: aiohttp's own handling of an empty POST, on the bridge's event loop."""

from __future__ import annotations

import asyncio
import sys

import uvloop
from aiohttp import web

from bridge.demo.peers.ports import HOST


async def _answer(_request: web.Request) -> web.Response:
    return web.Response()


async def serve(port: int) -> None:
    application = web.Application()
    application.add_routes([web.post("/livekit/webhook", _answer), web.get("/health", _answer)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(serve(int(sys.argv[1])))
