from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from appservice.client import Client
from appservice.errors import MatrixError
from bridge.rtc.transports import Advertised, advertised, judged

OURS = "https://visio.example/livekit"
UNSTABLE = "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports"
WELL_KNOWN = "/.well-known/matrix/client"


def livekit(url: Any = OURS) -> dict[str, Any]:
    return {"type": "livekit", "livekit_service_url": url}


@asynccontextmanager
async def homeserver(answers: dict[str, Any]) -> AsyncIterator[Client]:
    async def answer(request: web.Request) -> web.Response:
        found = answers.get(request.path, 404)
        if isinstance(found, int):
            return web.json_response({"errcode": "M_UNRECOGNIZED"}, status=found)
        authorized = request.headers.get("Authorization") == "Bearer token"
        assert authorized is (request.path == UNSTABLE), "only the homeserver itself sees our token"
        return web.json_response(found)

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    async with TestServer(application) as server, aiohttp.ClientSession() as session:
        yield Client(str(server.make_url("")), "token", session)


async def test_clients_of_today_ask_the_homeserver() -> None:
    transports = [{"type": "other"}, livekit(), livekit("https://x"), livekit(7), "x"]
    async with homeserver({UNSTABLE: {"rtc_transports": transports}}) as client:
        assert await advertised(client) == Advertised((OURS, "https://x"))


@pytest.mark.parametrize("answer", [{}, {"rtc_transports": None}, {"rtc_transports": [{}]}])
async def test_a_homeserver_may_name_none(answer: Any) -> None:
    async with homeserver({UNSTABLE: answer}) as client:
        assert await advertised(client) == Advertised(())


async def test_what_older_clients_read_is_looked_at_where_the_homeserver_does_not_know_the_question() -> None:
    async with homeserver({WELL_KNOWN: {"org.matrix.msc4143.rtc_foci": [livekit()]}}) as client:
        assert await advertised(client) == Advertised(None, (OURS,))
    async with homeserver({}) as client:
        assert await advertised(client) == Advertised(None)


async def test_a_homeserver_that_does_not_know_us_is_another_matter() -> None:
    async with homeserver({UNSTABLE: 401}) as client:
        with pytest.raises(MatrixError):
            await advertised(client)


def test_where_clients_find_us_nothing_is_wrong() -> None:
    assert judged(Advertised((OURS, "https://x")), OURS) is None


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (Advertised(None), "does not tell clients"),
        (Advertised(None, (OURS,)), "but for older ones"),
        (Advertised(()), "names no LiveKit transport"),
        (Advertised(("https://x", OURS)), "to https://x"),
        (Advertised((OURS + "/",)), f"to {OURS}/"),
    ],
)
def test_what_is_wrong_comes_with_what_to_write(found: Advertised, word: str) -> None:
    wrong = judged(found, OURS)
    assert wrong is not None
    assert word in wrong.fact
    assert f'livekit_service_url: "{OURS}"' in wrong.advice
