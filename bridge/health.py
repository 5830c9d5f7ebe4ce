"""``/health/live``, ``/health/ready`` and ``/metrics`` on the internal listener."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, generate_latest

log = structlog.get_logger()

Probe = Callable[[], Awaitable[None]]
"""Asks a peer for something small.

Raises:
    Refuses: it answers, but will not work with us until somebody changes something.
    Exception: anything else means that it is away.
"""

_PATIENCE_S = 2.0
_FRESH_S = 1.0
_FRESH_FOR_METRICS_S = 10.0


class Refuses(Exception):
    """A peer answers, but not to us: waiting does not help.

    Attributes:
        advice: What the administrator can do, in one or two sentences.
    """

    def __init__(self, advice: str) -> None:
        super().__init__(advice)
        self.advice = advice


@dataclass(frozen=True, slots=True)
class State:
    """What a look at a peer found.

    Attributes:
        word: ``ok``, ``away`` (no answer) or ``refuses`` (an answer, but not one to work with).
        advice: What the administrator can do; empty when all is well.
    """

    word: Literal["ok", "away", "refuses"]
    advice: str = ""


class Health:
    """Answers whether the process lives, and whether it and its peers can work.

    Ready means that the database is usable. A homeserver or SFU that is away is in the body only: taking
    the bridge out of a load balancer would not bring it back, and would cut what still works.
    """

    def __init__(
        self, database: Probe, peers: Mapping[str, tuple[Probe, str]], registry: CollectorRegistry
    ) -> None:
        """Nothing is asked before somebody asks.

        Args:
            database: Raises if the database cannot be used.
            peers: For each peer how it is asked, and the setting that holds its address.
            registry: What ``/metrics`` shows; gets a gauge ``passerelle_…_up`` for each peer.
        """
        self._probes = {"database": (database, "database.url"), **peers}
        self._registry = registry
        self._up = {
            name: Gauge(f"passerelle_{name}_up", f"The {name} answers, and to us", registry=registry)
            for name in self._probes
        }
        self._asked = float("-inf")
        self._states: dict[str, State] = {}
        self._lock = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """Routes for the internal listener."""
        return [
            web.get("/health/live", self._live),
            web.get("/health/ready", self._ready),
            web.get("/metrics", self._metrics),
        ]

    async def tell(self) -> None:
        """Log what is not well, for whoever starts the bridge and watches."""
        for name, state in (await self._look(_FRESH_S)).items():
            if state.word != "ok":
                log.warning(f"peer.{state.word}", peer=name, advice=state.advice)

    async def _live(self, _request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _ready(self, _request: web.Request) -> web.Response:
        states = await self._look(_FRESH_S)
        ready = states["database"].word == "ok"
        words = {name: state.word for name, state in states.items()}
        advice = {name: state.advice for name, state in states.items() if state.advice}
        body = {"ready": ready, **words} | ({"advice": advice} if advice else {})
        return web.json_response(body, status=200 if ready else 503)

    async def _look(self, fresh_s: float) -> dict[str, State]:
        async with self._lock:
            # Load balancers ask often; peers are asked once a second at most.
            if time.monotonic() - self._asked > fresh_s:
                self._states = await _states(self._probes.items())
                self._asked = time.monotonic()
            return self._states

    async def _metrics(self, _request: web.Request) -> web.Response:
        for name, state in (await self._look(_FRESH_FOR_METRICS_S)).items():
            self._up[name].set(state.word == "ok")
        body = generate_latest(self._registry)
        return web.Response(body=body, content_type="text/plain", charset="utf-8")


async def _states(probes: Iterable[tuple[str, tuple[Probe, str]]]) -> dict[str, State]:
    """Ask all at once."""
    names, questions = zip(*probes, strict=True)
    answers = await asyncio.gather(*(_state(probe, key) for probe, key in questions))
    return dict(zip(names, answers, strict=True))


async def _state(probe: Probe, key: str) -> State:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await probe()
    except Refuses as refusal:
        return State("refuses", refusal.advice)
    except Exception:
        # Which of many ways it failed is for the log of whoever met it at work.
        return State("away", f"It does not answer. Look whether it runs, and whether {key} leads to it.")
    return State("ok")
