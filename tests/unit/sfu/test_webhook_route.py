from __future__ import annotations

import asyncio
import gzip
import io
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bridge.sfu import webhook_route
from bridge.sfu.receiver import WebhookReceiver
from bridge.sfu.webhook_route import MAX_BODY, webhook_routes
from bridge.sfu.webhooks import Hint
from tests.unit.sfu.webhook_parts import JOINED, KEY, NOW, body_of, signed

BODY = body_of(JOINED)
Client = TestClient[web.Request, web.Application]


@pytest.fixture
def hints() -> list[Hint]:
    return []


@pytest.fixture
async def client(hints: list[Hint]) -> AsyncIterator[Client]:
    receiver = WebhookReceiver(
        KEY, is_ours=lambda room: room == "passerelle-c1", on_hint=hints.append, clock=lambda: NOW
    )
    app = web.Application(client_max_size=32 << 20)
    app.add_routes(webhook_routes(receiver))
    async with TestClient(TestServer(app)) as test_client:
        yield test_client


async def status(client: Client, body: bytes | AsyncIterator[bytes], authorization: str) -> int:
    async with client.post(
        "/livekit/webhook", data=body, headers={"Authorization": authorization}
    ) as response:
        return response.status


async def test_a_webhook_is_answered_and_its_hint_handed_on(client: Client, hints: list[Hint]) -> None:
    assert await status(client, BODY, signed(BODY)) == 200
    assert [hint.event_id for hint in hints] == ["EV_1"]


async def test_a_repeated_webhook_is_answered_alike(client: Client, hints: list[Hint]) -> None:
    assert [await status(client, BODY, signed(BODY)) for _ in range(2)] == [200, 200]
    assert len(hints) == 1


async def test_a_foreign_webhook_is_answered_alike(client: Client, hints: list[Hint]) -> None:
    body = body_of(JOINED | {"room": {"name": "other"}})
    assert await status(client, body, signed(body)) == 200
    assert hints == []


@pytest.mark.parametrize("authorization", ["", "nonsense", signed(b"another body")])
async def test_no_proof_is_unauthorized(client: Client, hints: list[Hint], authorization: str) -> None:
    assert await status(client, BODY, authorization) == 401
    assert hints == []


async def test_nonsense_is_a_bad_request(client: Client) -> None:
    assert await status(client, b"{", signed(b"{")) == 400


async def test_a_body_above_the_limit_is_refused_whatever_the_listener_allows(client: Client) -> None:
    body = body_of(JOINED | {"padding": "x" * MAX_BODY})
    headers = {"Authorization": signed(body)}
    async with client.post("/livekit/webhook", data=io.BytesIO(body), headers=headers) as response:
        assert response.status == 413


async def test_a_body_that_comes_in_pieces_is_read_whole(client: Client, hints: list[Hint]) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(BODY), 50):
            yield BODY[start : start + 50]
            await asyncio.sleep(0)

    assert await status(client, pieces(), signed(BODY)) == 200
    assert len(hints) == 1


async def test_a_body_that_was_packed_is_unpacked(client: Client, hints: list[Hint]) -> None:
    headers = {"Authorization": signed(BODY), "Content-Encoding": "gzip"}
    async with client.post("/livekit/webhook", data=gzip.compress(BODY), headers=headers) as response:
        assert response.status == 200
    assert len(hints) == 1


async def test_a_body_that_unpacks_to_too_much_is_refused(client: Client) -> None:
    headers = {"Authorization": signed(BODY), "Content-Encoding": "gzip"}
    packed = gzip.compress(b" " * (MAX_BODY + 1))
    async with client.post("/livekit/webhook", data=packed, headers=headers) as response:
        assert response.status in {400, 413}


async def test_a_body_that_does_not_arrive_is_given_up(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_route, "BODY_TIMEOUT_S", 0.05)
    never = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield BODY[:10]
        await never.wait()

    request = client.post("/livekit/webhook", data=slowly(), headers={"Authorization": signed(BODY)})
    async with asyncio.timeout(10), request as response:
        assert response.status == 408
    never.set()


async def test_other_methods_are_not_served(client: Client) -> None:
    async with client.get("/livekit/webhook") as response:
        assert response.status == 405
