"""What stands in front of several replicas: a small HTTP load balancer with health checks.

It does what an administrator's reverse proxy does: it asks each replica every half second whether it is
ready, hands requests to those that are, in turn, and tries another one when a replica does not answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

from bridge.demo.peers.ports import HOST

_EVERY_S = 0.5
_PATIENCE_S = 4.0
_PASSED_ON = ("Authorization", "Content-Type")


@dataclass
class Backend:
    """One replica.

    Attributes:
        url: Where requests go.
        health: What is asked whether it is ready.
        ready: What it answered last.
    """

    url: str
    health: str
    ready: bool = False


class Balancer:
    """``async with`` listens on a port and spreads what comes over the replicas."""

    def __init__(self, port: int, backends: Sequence[Backend]) -> None:
        self._port = port
        self._backends = list(backends)
        self._next = 0

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PATIENCE_S))
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self._port).start()
        self._checks = [asyncio.create_task(self._check(backend)) for backend in self._backends]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for check in self._checks:
            check.cancel()
        await asyncio.gather(*self._checks, return_exceptions=True)
        await self._runner.cleanup()
        await self._session.close()

    async def _check(self, backend: Backend) -> None:
        while True:
            try:
                async with asyncio.timeout(2), self._session.get(backend.health) as response:
                    backend.ready = response.status == 200
            except (aiohttp.ClientError, TimeoutError):
                backend.ready = False
            await asyncio.sleep(_EVERY_S)

    async def _pass_on(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        self._next += 1
        turn = self._next % len(self._backends)
        for backend in [*self._backends[turn:], *self._backends[:turn]]:
            if not backend.ready:
                continue
            try:
                async with self._session.request(
                    request.method, f"{backend.url}{request.path_qs}", data=body, headers=headers
                ) as response:
                    return web.Response(
                        status=response.status,
                        body=await response.read(),
                        content_type=response.content_type,
                    )
            except (aiohttp.ClientError, TimeoutError):
                backend.ready = False
        return web.Response(status=503)
