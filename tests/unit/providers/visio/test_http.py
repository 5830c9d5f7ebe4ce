from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.providers.visio.errors import Nonsense, Unreachable
from bridge.providers.visio.http import (
    LONGEST_ANSWER,
    Answer,
    NoAnswer,
    NotSent,
    Redirected,
    Request,
    VisioHttp,
)
from tests.unit.providers.visio.office import QUICK

GET = Request("GET", "/rooms/")
POST = Request("POST", "/rooms/", json={})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def before(*script: Handler) -> AsyncIterator[tuple[VisioHttp, list[web.Request]]]:
    """Requests to a server that follows a script and repeats its last line."""
    lines, asked = list(script), list[web.Request]()

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request)
        return await (lines.pop(0) if len(lines) > 1 else lines[0])(request)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(application) as server:
        http = VisioHttp(str(server.make_url("")), QUICK)
        try:
            yield http, asked
        finally:
            await http.close()


def saying(text: str, status: int = 200, /, **headers: str) -> Handler:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(text=text, status=status, content_type="application/json", headers=headers)

    return handler


async def cut(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@pytest.mark.parametrize("target", ["/rooms", "rooms", "../rooms"])
async def test_a_slash_is_taken_off_where_visio_wants_it(target: str) -> None:
    async with before(saying("", 301, Location=target if target != "rooms" else "/rooms"), saying("{}")) as (
        http,
        asked,
    ):
        assert (await http.ask(GET)).status == 200
    assert [request.path for request in asked] == ["/rooms/", "/rooms"]


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/rooms",
        "//evil.example/rooms",
        "http://127.0.0.1:1/rooms",
        "/rooms/?next=1",
        "/login",
        "/rooms/",
        "",
        "javascript:alert(1)",
        "http://[evil",
        "//ex\u2100mple.org/rooms",
    ],
)
async def test_no_other_redirection_is_followed(target: str) -> None:
    async with before(saying("", 302, Location=target), saying("{}")) as (http, asked):
        with pytest.raises(Redirected):
            await http.ask(GET)
    assert len(asked) == 1


async def test_of_a_redirection_the_log_is_told_the_host_alone() -> None:
    elsewhere = saying("", 302, Location="https://jean.martin:secret@evil.example:8443/?ticket=1")
    async with before(elsewhere) as (http, _):
        with pytest.raises(Redirected) as failure:
            await http.order(POST)
    assert failure.value.said == "it redirects to evil.example:8443"


async def test_slashes_are_taken_off_once() -> None:
    async with before(saying("", 301, Location="/rooms"), saying("", 301, Location="/rooms/")) as (
        http,
        asked,
    ):
        with pytest.raises(Redirected):
            await http.ask(GET)
    assert len(asked) == 2


async def test_an_order_is_not_carried_elsewhere_even_for_a_slash() -> None:
    async with before(saying("", 301, Location="/rooms"), saying("{}")) as (http, asked):
        with pytest.raises(Redirected):
            await http.order(POST)
    assert len(asked) == 1


async def test_questions_are_repeated_and_orders_are_not() -> None:
    async with before(cut, saying("", 502), saying("{}")) as (http, asked):
        assert (await http.ask(GET)).status == 200
        assert len(asked) == 3
    async with before(cut, saying("{}")) as (http, asked):
        with pytest.raises(NoAnswer) as failure:
            await http.order(POST)
        assert not isinstance(failure.value, NotSent)
        assert len(asked) == 1


async def test_who_asks_to_wait_is_asked_again_no_sooner() -> None:
    busy = saying("", 429, **{"Retry-After": "1"})
    async with before(busy, saying("{}")) as (http, asked):
        begun = time.monotonic()
        assert (await http.ask(GET)).status == 200
        assert time.monotonic() - begun >= 1
        assert len(asked) == 2


@pytest.mark.parametrize("wait", ["3600", "999999"])
async def test_who_asks_to_wait_longer_than_people_do_is_not_asked_again(wait: str) -> None:
    async with before(saying("", 503, **{"Retry-After": wait})) as (http, asked):
        with pytest.raises(Unreachable):
            await http.ask(GET)
        assert len(asked) == 1


@pytest.mark.parametrize("wait", ["", "soon", "-1", "9999999", "Wed, 21 Oct 2026 07:28:00 GMT", "٣"])
async def test_what_is_no_number_of_seconds_does_not_count(wait: str) -> None:
    async with before(saying("", 503, **{"Retry-After": wait}), saying("{}")) as (http, _):
        assert (await http.ask(GET)).status == 200


async def test_an_order_is_repeated_while_there_is_no_connection(unused_tcp_port: int) -> None:
    http = VisioHttp(f"http://127.0.0.1:{unused_tcp_port}", QUICK)
    try:
        with pytest.raises(NotSent):
            await http.order(POST)
        with pytest.raises(Unreachable):
            await http.ask(GET)
    finally:
        await http.close()


@pytest.mark.parametrize("length", [LONGEST_ANSWER, LONGEST_ANSWER + 1])
async def test_an_answer_has_a_greatest_length(length: int) -> None:
    async with before(saying(" " * length)) as (http, _):
        if length <= LONGEST_ANSWER:
            assert len((await http.ask(GET)).body) == length
        else:
            with pytest.raises(Nonsense):
                await http.ask(GET)


async def test_nothing_of_visios_is_kept_between_requests() -> None:
    async with before(saying("{}", 200, **{"Set-Cookie": "lobbyParticipantId=me; Path=/"}), saying("{}")) as (
        http,
        asked,
    ):
        await http.ask(GET)
        await http.ask(GET)
    assert "Cookie" not in asked[1].headers


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"detail": "Token expired."}', "Token expired."),
        (b'{"error": "Scope should be a valid email address."}', "Scope should be a valid email address."),
        (b'{"detail": "two\\nlines\\u0000"}', "two lines"),
        (b'{"detail": "marie@example.org is unknown"}', "… is unknown"),
        (b'{"detail": ["a", "b"]}', ""),
        (b'{"access_level": ["no"]}', ""),
        (b"[]", ""),
        (b"<html>", ""),
    ],
)
def test_what_visio_says_is_made_fit_for_the_log(body: bytes, said: str) -> None:
    assert Answer(400, "application/json", body).said() == said
