"""The floor of the webhooks: aiohttp's own handling of an empty POST, on the bridge's event loop."""

from __future__ import annotations

import asyncio
import sys

import uvloop
from aiohttp import web

from tests.benchmarks.serving import serve_until_killed


async def _answer(_request: web.Request) -> web.Response:
    return web.Response()


async def serve(port: int) -> None:
    application = web.Application()
    application.router.add_post("/livekit/webhook", _answer)
    await serve_until_killed(application, port)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(serve(int(sys.argv[1])))
