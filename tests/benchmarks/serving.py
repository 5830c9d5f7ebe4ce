"""How a server that is measured listens: as `bridge.app` does, and nothing more."""

from __future__ import annotations

import asyncio

from aiohttp import web

from bridge.demo.peers.ports import HOST


async def serve_until_killed(application: web.Application, port: int) -> None:
    """Listen on loopback; ``/health`` answers as soon as it does."""
    application.router.add_get("/health", _health)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    await asyncio.Event().wait()


async def _health(_request: web.Request) -> web.Response:
    return web.Response()
