from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from appservice.client import LONGEST_RETRY_AFTER_MS, V3, Client
from appservice.errors import HomeserverUnreachable, MatrixError


async def ask(handler: object, timeout: float = 10) -> dict[str, object]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)  # type: ignore[arg-type]
    async with (
        TestServer(application) as server,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout)) as session,
    ):
        client = Client(str(server.make_url("/behind/a/path/")), "as-token", session)
        room = V3.rooms["!odd/room?:hs"].send["m.type"]["txn+1"]
        return await client.request(
            "PUT", room, {"é": 1}, user_id="@a+b:hs", device_id="D", query={"via": "x&y"}
        )


async def test_a_request_says_who_asks_and_quotes_everything() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response(
            {
                "path": request.raw_path.partition("?")[0],
                "query": dict(request.query),
                "token": request.headers["Authorization"],
                "body": await request.json(),
            }
        )

    assert await ask(handler) == {
        "path": "/behind/a/path/_matrix/client/v3/rooms/%21odd%2Froom%3F%3Ahs/send/m.type/txn%2B1",
        "query": {"user_id": "@a+b:hs", "device_id": "D", "via": "x&y"},
        "token": "Bearer as-token",
        "body": {"é": 1},
    }


@pytest.mark.parametrize(
    ("body", "header", "wait"),
    [
        ({"retry_after_ms": 1234}, "9", 1234),
        ({"retry_after_ms": 12.7}, None, 12),
        ({}, "7", 7000),
        ({"retry_after_ms": "1"}, None, 5000),
        ({"retry_after_ms": -1}, "soon", 5000),
        ({"retry_after_ms": True}, None, 5000),
        ({}, "²", 5000),
        ({}, "9" * 5000, 5000),
        ({"retry_after_ms": 10**30}, None, LONGEST_RETRY_AFTER_MS),
        ({"retry_after_ms": 1e300}, None, LONGEST_RETRY_AFTER_MS),
        ({}, "999999999", LONGEST_RETRY_AFTER_MS),
    ],
)
async def test_a_rate_limit_says_how_long_to_wait(
    body: dict[str, object], header: str | None, wait: int
) -> None:
    async def handler(_request: web.Request) -> web.Response:
        headers = {"Retry-After": header} if header else {}
        return web.json_response({"errcode": "M_LIMIT_EXCEEDED", **body}, status=429, headers=headers)

    with pytest.raises(MatrixError) as caught:
        await ask(handler)
    assert caught.value.is_rate_limit
    assert caught.value.can_heal
    assert caught.value.retry_after_ms == wait


@pytest.mark.parametrize(
    ("status", "text", "errcode", "can_heal", "is_outage"),
    [
        (403, '{"errcode":"M_FORBIDDEN","error":"no"}', "M_FORBIDDEN", False, False),
        (413, "<html>too large</html>", "", False, False),
        (500, "{}", "", True, False),
        (502, '{"errcode":"M_UNKNOWN","error":"Failed to make_join"}', "M_UNKNOWN", True, False),
        (502, "<html>bad gateway</html>", "", True, True),
        (504, "", "", True, True),
        (200, "<html>please log in</html>", "", True, True),
        (200, "[]", "", True, True),
        (400, '{"errcode":"M_BAD_JSON"}', "M_BAD_JSON", False, False),
        (401, '{"errcode":"M_UNKNOWN_TOKEN"}', "M_UNKNOWN_TOKEN", False, False),
        (404, '{"errcode":"M_NOT_FOUND"}', "M_NOT_FOUND", False, False),
        (404, "404 page not found", "", True, True),
        (404, "[1]", "", True, True),
        (403, "<html>forbidden</html>", "", True, True),
        (302, "", "", True, True),
        (414, "<html>too long</html>", "", False, False),
    ],
)
async def test_an_answer_says_whether_to_ask_again(
    status: int, text: str, errcode: str, can_heal: bool, is_outage: bool
) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=text)

    with pytest.raises(MatrixError) as caught:
        await ask(handler)
    error = caught.value
    assert (error.errcode, error.can_heal, error.is_outage) == (errcode, can_heal, is_outage)
    assert error.retry_after_ms is None


async def test_no_answer_is_no_answer_whatever_the_cause() -> None:
    async def cut(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"event_id":')
        assert request.transport is not None
        request.transport.abort()
        return response

    for handler in (cut, half):
        with pytest.raises(HomeserverUnreachable):
            await ask(handler)


async def test_an_answer_that_does_not_come_is_waited_for_so_long_only() -> None:
    hold = asyncio.Event()

    async def never(_request: web.Request) -> web.Response:
        await hold.wait()
        return web.Response()

    with pytest.raises(HomeserverUnreachable, match="Timeout"):
        await ask(never, timeout=0.05)


async def test_nobody_listening_is_no_answer() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(HomeserverUnreachable):
            await Client("http://127.0.0.1:1", "token", session).request("GET", V3.account.whoami)
