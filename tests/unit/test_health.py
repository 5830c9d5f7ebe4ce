from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry
from pytest_aiohttp.plugin import AiohttpClient
from structlog.testing import capture_logs

from bridge import health
from bridge.health import Health, Probe, Refuses

Ask = Callable[[str], Awaitable[tuple[int, Any]]]


class Peers:
    """A database and two peers; what each raises when it is asked."""

    def __init__(self) -> None:
        self.errors: dict[str, Exception] = {}
        self.hanging: set[str] = set()
        self.asked: list[str] = []

    def probe(self, name: str) -> Probe:
        async def probe() -> None:
            self.asked.append(name)
            if name in self.hanging:
                await asyncio.Event().wait()
            if name in self.errors:
                raise self.errors[name]

        return probe


@pytest.fixture
def peers() -> Peers:
    return Peers()


@pytest.fixture
async def ask(aiohttp_client: AiohttpClient, peers: Peers, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Ask a bridge between these peers; every question looks anew."""
    monkeypatch.setattr(health, "_FRESH_S", -1.0)
    monkeypatch.setattr(health, "_FRESH_FOR_METRICS_S", -1.0)
    others = {
        "homeserver": (peers.probe("homeserver"), "homeserver.url"),
        "sfu": (peers.probe("sfu"), "sfu.api_url"),
    }
    application = web.Application()
    application.add_routes(Health(peers.probe("database"), others, CollectorRegistry()).routes())
    client = await aiohttp_client(application)

    async def ask(path: str) -> tuple[int, Any]:
        async with client.get(path) as response:
            if response.content_type == "application/json":
                return response.status, await response.json()
            return response.status, await response.text()

    return ask


async def test_when_all_is_well_the_body_says_so_without_advice(ask: Ask) -> None:
    assert await ask("/health/ready") == (
        200,
        {"ready": True, "database": "ok", "homeserver": "ok", "sfu": "ok"},
    )


async def test_a_peer_that_is_away_is_told_from_one_that_refuses(ask: Ask, peers: Peers) -> None:
    peers.errors = {"homeserver": Refuses("Load the registration."), "sfu": ConnectionRefusedError()}
    status, body = await ask("/health/ready")
    assert (status, body["homeserver"], body["sfu"]) == (200, "refuses", "away")
    assert body["advice"] == {
        "homeserver": "Load the registration.",
        "sfu": "It does not answer. Look whether it runs, and whether sfu.api_url leads to it.",
    }


async def test_without_the_database_the_bridge_is_not_ready_but_lives(ask: Ask, peers: Peers) -> None:
    peers.errors = {"database": OSError()}
    status, body = await ask("/health/ready")
    assert (status, body["ready"], body["database"]) == (503, False, "away")
    assert (await ask("/health/live"))[0] == 200


async def test_a_peer_that_hangs_is_away(ask: Ask, peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_PATIENCE_S", 0.05)
    peers.hanging = {"sfu"}
    _, body = await ask("/health/ready")
    assert (body["homeserver"], body["sfu"]) == ("ok", "away")


async def test_at_the_start_the_log_says_who_is_not_well_and_what_to_do(peers: Peers) -> None:
    peers.errors = {"sfu": Refuses("Check the key.")}
    others = {"sfu": (peers.probe("sfu"), "sfu.api_url")}
    with capture_logs() as logs:
        await Health(peers.probe("database"), others, CollectorRegistry()).tell()
    assert logs == [
        {"event": "peer.refuses", "log_level": "warning", "peer": "sfu", "advice": "Check the key."}
    ]


async def test_metrics_say_who_is_up(ask: Ask, peers: Peers) -> None:
    peers.errors = {"sfu": Refuses("The key is wrong.")}
    _, text = await ask("/metrics")
    up = dict(line.split(" ") for line in text.splitlines() if "_up " in line and not line.startswith("#"))
    assert up == {
        "passerelle_database_up": "1.0",
        "passerelle_homeserver_up": "1.0",
        "passerelle_sfu_up": "0.0",
    }


async def test_many_who_ask_at_once_are_one_question(
    ask: Ask, peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_FRESH_S", 60.0)
    monkeypatch.setattr(health, "_FRESH_FOR_METRICS_S", 60.0)
    await asyncio.gather(*(ask("/health/ready") for _ in range(5)), ask("/metrics"))
    assert sorted(peers.asked) == ["database", "homeserver", "sfu"]
