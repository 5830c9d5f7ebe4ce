"""Stands between the SFU's webhooks and the bridges, to lose, double or reorder them.

LiveKit reads the addresses of webhooks only when it starts, so the shared one tells the relay alone, and
the relay tells the bridges of the tests that run.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

from bridge.demo.peers.ports import HOST, reserve_port


@dataclass(frozen=True, slots=True)
class Webhook:
    """One call of the SFU, as it came."""

    body: bytes
    headers: dict[str, str]


@dataclass
class Route:
    """How one bridge gets the webhooks. A test may change it at any time.

    Attributes:
        target: The bridge's address for webhooks.
        copies: How often each webhook is delivered: 0 loses them, 2 doubles them.
        holding: Keep them back in ``held`` instead.
    """

    target: str
    copies: int = 1
    holding: bool = False
    held: list[Webhook] = field(default_factory=list)


class WebhookRelay:
    """A small HTTP server in a thread of its own, so that it lives longer than a test's event loop.

    Attributes:
        url: For the SFU's configuration.
        received: All webhooks so far, oldest first.
        routes: The bridges that are told.
    """

    def __init__(self) -> None:
        self.url = f"http://{HOST}:{reserve_port()}/webhook"
        self.received: list[Webhook] = []
        self.routes: list[Route] = []
        self._started = threading.Event()
        self._stopped: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="webhook-relay")

    @contextmanager
    def route(self, target: str) -> Iterator[Route]:
        """Deliver to this address too, for the time of the block."""
        route = Route(target)
        self.routes.append(route)
        try:
            yield route
        finally:
            self.routes.remove(route)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(10), "the webhook relay did not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._loop is not None
        assert self._stopped is not None
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        app.router.add_post("/webhook", self._take_in)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as self._session:
            port = int(self.url.rpartition(":")[2].partition("/")[0])
            await web.TCPSite(runner, HOST, port).start()
            self._started.set()
            await self._stopped.wait()
            await runner.cleanup()

    async def _take_in(self, request: web.Request) -> web.Response:
        wanted = ("Authorization", "Content-Type")
        headers = {name: request.headers[name] for name in wanted if name in request.headers}
        webhook = Webhook(await request.read(), headers)
        for route in list(self.routes):
            if route.holding:
                route.held.append(webhook)
            else:
                for _ in range(route.copies):
                    await self._deliver(route.target, webhook)
        # Last: who waits for a webhook here may change the routes as soon as it is seen.
        self.received.append(webhook)
        return web.Response()

    async def _deliver(self, target: str, webhook: Webhook) -> None:
        # A bridge that is down misses it, as with any SFU that has given up.
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self._session.post(target, data=webhook.body, headers=webhook.headers):
                pass


async def deliver(session: aiohttp.ClientSession, target: str, webhook: Webhook) -> int:
    """Send a webhook that was held back or received before; returns the HTTP status."""
    async with session.post(target, data=webhook.body, headers=webhook.headers) as response:
        return response.status
