from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from appservice.federation.limits import Limits
from appservice.federation.settings import Settings
from appservice.federation.transport import Answer, Transport
from appservice.federation.well_known import Delegation, WellKnownReader, read
from tests.unit.appservice.federation.servers import (
    Authority,
    Handler,
    Homeserver,
    delegating_to,
    names,
    serving,
    talking,
)

HOUR = 60 * 60 * 1000
NOW = 1_800_000_000_000
GOOD = b'{"m.server": "hs.example:443"}'


def kept(**headers: str) -> int:
    return read(
        Answer(200, {name.replace("_", "-"): value for name, value in headers.items()}, GOOD), NOW
    ).keep_ms


@pytest.mark.parametrize(
    ("headers", "keep_ms"),
    [
        ({}, 24 * HOUR),
        ({"cache_control": "max-age=7200"}, 2 * HOUR),
        ({"cache_control": "public, Max-Age = 7200, immutable"}, 2 * HOUR),
        ({"cache_control": "max-age=9999999999"}, 48 * HOUR),
        ({"cache_control": "max-age=1"}, HOUR // 12),
        ({"cache_control": "no-store"}, HOUR // 12),
        ({"cache_control": "max-age=lots"}, 24 * HOUR),
        ({"expires": "Fri, 15 Jan 2027 10:00:00 GMT"}, 2 * HOUR),
        ({"expires": "0"}, HOUR // 12),
        ({"expires": "Fri, 15 Jan 9999999 10:00:00 GMT"}, HOUR // 12),
        ({"cache_control": "max-age=7200", "expires": "0"}, 2 * HOUR),
    ],
)
def test_a_file_is_kept_as_its_headers_say_between_five_minutes_and_two_days(
    headers: dict[str, str], keep_ms: int
) -> None:
    assert kept(**headers) == keep_ms


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"7",
        b'"m.server"',
        b"{}",
        b'{"m.server": null}',
        b'{"m.server": ["hs.example"]}',
        b'{"m.server": "https://hs.example"}',
        b'{"m.server": "hs.example/path"}',
        b'{"m.server": "127.1"}',
        b"\xff\xfe",
        b"[" * 5000,
    ],
)
def test_a_file_that_is_not_valid_counts_as_none_for_an_hour(body: bytes) -> None:
    assert read(Answer(200, {}, body), NOW) == Delegation(None, HOUR, "not valid")


@given(st.binary(max_size=200), st.integers(100, 599))
def test_no_answer_makes_reading_fail(body: bytes, status: int) -> None:
    assert (
        read(
            Answer(status, {"cache-control": "max-age=" + str(body), "expires": str(body)}, body), NOW
        ).keep_ms
        > 0
    )


def test_no_file_is_an_answer_and_an_outage_is_none() -> None:
    assert read(Answer(404, {}, GOOD), NOW) == Delegation(None, HOUR, "HTTP 404")
    for status in (429, 500, 502):
        assert read(Answer(status, {}, GOOD), NOW) == Delegation(
            None, HOUR // 30, f"HTTP {status}", settled=False
        )


@asynccontextmanager
async def site(
    authority: Authority, handler: Handler, limits: Limits | None = None
) -> AsyncIterator[tuple[WellKnownReader, Homeserver]]:
    """A web site with this handler, and a reader that takes every name for it."""
    limits = limits or Limits()
    tls = authority.server_context("example.org", "www.example.org")
    settings = Settings(ca_file=authority.file, networks=["127.0.0.1/32"])
    async with serving(handler, tls) as server:
        transport = Transport(
            settings, limits, names(inside_example="10.0.0.1", mapped_example="::ffff:a00:1")
        )
        try:
            yield WellKnownReader(transport, limits, port=server.port), server
        finally:
            await transport.close()


async def test_the_file_is_read_over_https(authority: Authority) -> None:
    async with site(authority, delegating_to("hs.example")) as (reader, server):
        delegation = await reader("example.org")
    assert delegation.server is not None
    assert delegation.server.text == "hs.example"
    assert server.seen[0].path == "/.well-known/matrix/server"
    assert server.hosts == [f"example.org:{server.port}"]


async def test_a_certificate_of_somebody_else_counts_as_no_answer(authority: Authority) -> None:
    async with site(authority, delegating_to("hs.example")) as (reader, server):
        assert await reader("foreign.example") == Delegation(
            None, HOUR // 30, "certificate_refused", settled=False
        )
    assert not server.seen


async def test_redirects_are_followed_to_other_hosts_and_paths(authority: Authority) -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.path == "/elsewhere":
            return web.json_response({"m.server": "hs.example"})
        if request.host.startswith("example.org"):
            raise web.HTTPFound(f"https://www.example.org:{request.url.port}/.well-known/matrix/server")
        raise web.HTTPPermanentRedirect("/elsewhere")

    async with site(authority, handler) as (reader, server):
        delegation = await reader("example.org")
    assert delegation.server is not None
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("/.well-known/matrix/server", "nonsense"),
        ("", "nonsense"),
        ("http://example.org/.well-known/matrix/server", "nonsense"),
        ("file:///etc/passwd", "nonsense"),
        ("https://", "nonsense"),
        ("https://user:password@example.org/", "nonsense"),
        ("https://[::1", "nonsense"),
        ("//\udcff", "nonsense"),
        ("https://0x7f000001/", "nonsense"),
        ("https://127.0.0.2/", "address_refused"),
        ("https://[::ffff:127.0.0.2]/", "address_refused"),
        ("https://[::1]/", "address_refused"),
        ("https://169.254.169.254/latest/meta-data", "address_refused"),
        ("https://inside.example/", "address_refused"),
        ("https://mapped.example/", "address_refused"),
    ],
)
async def test_a_redirect_in_a_circle_or_to_where_nobody_may_lead_is_no_file(
    authority: Authority, location: str, why: str
) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": location})

    async with site(authority, handler) as (reader, server):
        delegation = await reader("example.org")
    assert (delegation.server, delegation.how) == (None, why)
    assert len(server.seen) <= 6


async def test_a_huge_file_is_no_file(authority: Authority) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=b'{"m.server": "hs.example"}' + b" " * 100_000)

    async with site(authority, handler) as (reader, _):
        delegation = await reader("example.org")
    assert delegation == Delegation(None, HOUR // 30, "nonsense", settled=True)


async def test_a_site_that_never_ends_its_answer_is_left_after_the_time_out(authority: Authority) -> None:
    left = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n{")
        await reader.read()
        left.set()

    limits = Limits(well_known_ms=200)
    settings = Settings(ca_file=authority.file, networks=["127.0.0.0/8"])
    async with talking(talk, authority.server_context("example.org")) as port:
        transport = Transport(settings, limits, names())
        delegation = await WellKnownReader(transport, limits, port=port)("example.org")
        async with asyncio.timeout(10):
            await left.wait()
        await transport.close()
    assert delegation == Delegation(None, HOUR // 30, "no answer in time", settled=False)
