from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from appservice.federation.errors import ServerTooSlow
from bridge.rtc.requests import MAX_BODY
from bridge.rtc.routes import routes
from tests.unit.rtc.house import serving
from tests.unit.rtc_service.parts import House
from tests.unit.rtc_service.test_requests import OPENID, SFU_GET


@pytest.fixture
def house() -> House:
    return House(tokens={"secret": "@alice:example.org"})


@pytest.fixture
async def service(house: House) -> AsyncIterator[aiohttp.ClientSession]:
    application = web.Application()
    application.add_routes(routes(house.authorization()))
    async with (
        serving(application) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}/livekit/") as session,
    ):
        yield session


async def test_a_token_comes_with_the_address_that_it_opens(service: aiohttp.ClientSession) -> None:
    async with service.post("sfu/get", json=SFU_GET) as answer:
        assert answer.status == 200
        assert set(await answer.json()) == {"url", "jwt"}
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Cache-Control"] == "no-store"


async def test_errors_are_matrix_errors_that_browsers_may_read(service: aiohttp.ClientSession) -> None:
    async with service.post("sfu/get", data=b"{not json") as answer:
        assert answer.status == 400
        assert (await answer.json())["errcode"] == "M_NOT_JSON"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_a_body_larger_than_any_real_one_is_not_read_to_its_end(
    service: aiohttp.ClientSession, house: House
) -> None:
    async with service.post("get_token", data=b" " * (MAX_BODY + 1)) as answer:
        assert answer.status == 413
        assert (await answer.json())["errcode"] == "M_TOO_LARGE"
    assert house.looked_up == []


async def test_a_body_that_is_not_what_it_says_is_refused(service: aiohttp.ClientSession) -> None:
    headers = {"Content-Encoding": "gzip"}
    async with service.post("sfu/get", data=b"not gzip", headers=headers) as answer:
        assert answer.status == 400


async def test_who_has_to_wait_is_told_how_long(service: aiohttp.ClientSession, house: House) -> None:
    house.failure = ServerTooSlow("x")
    async with service.post("sfu/get", json=SFU_GET) as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "2"


async def test_guessing_ends_with_a_limit(service: aiohttp.ClientSession) -> None:
    forged = SFU_GET | {"openid_token": OPENID | {"access_token": "forged"}}
    for _ in range(30):
        async with service.post("sfu/get", json=forged) as answer:
            assert answer.status == 401
    async with service.post("sfu/get", json=forged) as answer:
        assert answer.status == 429
        assert (await answer.json())["retry_after_ms"] == 60_000


async def test_where_delegation_is_not_offered_clients_learn_it_whatever_they_send(
    service: aiohttp.ClientSession,
) -> None:
    async with service.options("delegate_delayed_leave") as answer:
        assert answer.status == 200
    for body in (b"", b"{not json", b"{}"):
        async with service.post("delegate_delayed_leave", data=body) as answer:
            assert answer.status == 404
            assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_it_is_healthy_and_takes_only_posts(service: aiohttp.ClientSession) -> None:
    for method in ("GET", "HEAD"):
        async with service.request(method, "healthz") as answer:
            assert answer.status == 200
    async with service.get("sfu/get") as answer:
        assert answer.status == 405
    async with service.options("get_token") as answer:
        assert answer.headers["Access-Control-Allow-Methods"] == "POST"


async def test_a_fault_of_ours_is_worth_another_try(service: aiohttp.ClientSession, house: House) -> None:
    house.fault = OSError("the database is away")
    async with service.post("sfu/get", json=SFU_GET) as answer:
        assert answer.status == 503
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "database" not in await answer.text()
