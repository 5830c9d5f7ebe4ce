"""``/health/live``, ``/health/ready`` and ``/metrics`` on the internal listener."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

Probe = Callable[[], Awaitable[None]]
"""Asks a peer for something small; raises if it does not answer."""

_PATIENCE_S = 2.0
_FRESH_S = 1.0


class Health:
    """Answers whether the process lives, and whether it and its peers can work.

    Ready means that the database is usable. A homeserver or SFU that is away is in the body only: taking
    the bridge out of a load balancer would not bring it back, and would cut what still works.
    """

    def __init__(self, database: Probe, peers: Mapping[str, Probe], registry: CollectorRegistry) -> None:
        self._database = database
        self._peers = dict(peers)
        self._registry = registry
        self._asked = 0.0
        self._states: dict[str, str] = {}
        self._lock = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """Routes for the internal listener."""
        return [
            web.get("/health/live", self._live),
            web.get("/health/ready", self._ready),
            web.get("/metrics", self._metrics),
        ]

    async def _live(self, _request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _ready(self, _request: web.Request) -> web.Response:
        states = await self._look()
        ready = states["database"] == "ok"
        return web.json_response({"ready": ready, **states}, status=200 if ready else 503)

    async def _look(self) -> dict[str, str]:
        async with self._lock:
            # Load balancers ask often; peers are asked once a second at most.
            if time.monotonic() - self._asked > _FRESH_S:
                probes = {"database": self._database, **self._peers}
                answers = await asyncio.gather(*(_state(probe) for probe in probes.values()))
                self._states = dict(zip(probes, answers, strict=True))
                self._asked = time.monotonic()
            return self._states

    async def _metrics(self, _request: web.Request) -> web.Response:
        body = generate_latest(self._registry)
        return web.Response(body=body, content_type="text/plain", charset="utf-8")


async def _state(probe: Probe) -> str:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await probe()
    except Exception:
        # Which of many ways it failed is for the log of whoever met it at work.
        return "away"
    return "ok"
