"""The peer of our intake: mautrix's ``AppService`` as it comes, with a handler that does nothing."""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web
from mautrix.appservice import AppService
from mautrix.types import Event

from bridge.demo.peers.ports import HOST
from tests.benchmarks.intake_ours import HS_TOKEN, NAMESPACE


async def serve(port: int) -> None:
    service = AppService(
        server=f"http://{HOST}:9",  # never asked
        domain=NAMESPACE.server_name,
        as_token="as-token",
        hs_token=HS_TOKEN,
        bot_localpart=NAMESPACE.bot,
        id="measurement",
    )
    handled = 0
    more = asyncio.Event()

    @service.matrix_event_handler
    async def handle(_event: Event) -> None:
        nonlocal handled
        handled += 1
        more.set()

    async def wait_for(request: web.Request) -> web.Response:
        """Answer once so many events were handled since the start."""
        while handled < int(request.query["events"]):
            more.clear()
            await more.wait()
        return web.Response()

    async def health(_request: web.Request) -> web.Response:
        return web.Response()

    service.app.router.add_get("/handled", wait_for)
    service.app.router.add_get("/health", health)
    await service.start(HOST, port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
