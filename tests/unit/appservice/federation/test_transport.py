from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from yarl import URL

from appservice.federation import errors
from appservice.federation.limits import Limits
from appservice.federation.settings import OwnServer, Settings
from appservice.federation.transport import Answer, Reach, Transport
from tests.unit.appservice.federation.servers import (
    LOOPBACK,
    Authority,
    Handler,
    connect_proxy,
    names,
    serving,
    talking,
)

HERE = ["127.0.0.0/8"]


@asynccontextmanager
async def transport(
    settings: Settings, limits: Limits | None = None, **known: str
) -> AsyncIterator[Transport]:
    made = Transport(settings, limits or Limits(), names(**known))
    try:
        yield made
    finally:
        await made.close()


async def hello(_: web.Request) -> web.Response:
    return web.Response(text="hello", headers={"X-Some": "Thing"})


async def get(
    way: Transport, url: str, reach: Reach = Reach.STRANGER, *, host_header: str | None = None
) -> Answer:
    async with asyncio.timeout(20):
        return await way.get(URL(url), reach, most_bytes=1000, host_header=host_header)


async def test_an_answer_comes_whole_with_its_headers_in_lower_case(authority: Authority) -> None:
    async with (
        serving(hello, authority.server_context("hs.example")) as server,
        transport(Settings(ca_file=authority.file, networks=HERE)) as way,
    ):
        answer = await get(way, f"https://hs.example:{server.port}/", host_header="example.org")
    assert (answer.status, answer.body, answer.headers["x-some"]) == (200, b"hello", "Thing")
    assert server.hosts == ["example.org"]


async def test_connections_to_a_server_are_kept(authority: Authority) -> None:
    async with (
        serving(hello, authority.server_context("hs.example")) as server,
        transport(Settings(ca_file=authority.file, networks=HERE)) as way,
    ):
        for _ in range(5):
            await get(way, f"https://hs.example:{server.port}/")
        assert server.connections == 1


async def test_a_connection_made_in_one_name_is_not_used_in_another(authority: Authority) -> None:
    """Two domains may name the same machine in their SRV records; only one has its certificate."""
    async with (
        serving(hello, authority.server_context("a.example")) as server,
        transport(Settings(ca_file=authority.file, networks=HERE)) as way,
    ):
        url = URL(f"https://shared.example:{server.port}/")
        await way.get(url, Reach.STRANGER, most_bytes=99, tls_name="a.example")
        with pytest.raises(errors.CertificateRefused):
            await way.get(url, Reach.STRANGER, most_bytes=99, tls_name="b.example")
        assert len(server.seen) == 1


async def test_a_strangers_connection_is_not_the_admins_nor_the_other_way_round(authority: Authority) -> None:
    own = OwnServer("own.example", "https://hs.example", ca_file=authority.file)
    async with (
        serving(hello, authority.server_context("hs.example")) as server,
        transport(Settings(own=own, ca_file=authority.file)) as way,
    ):
        url = f"https://hs.example:{server.port}/"
        assert (await get(way, url, Reach.WRITTEN)).status == 200
        assert (await get(way, url, Reach.OWN)).status == 200
        with pytest.raises(errors.AddressRefused):
            await get(way, url, Reach.STRANGER)


@pytest.mark.parametrize(
    ("names_of_certificate", "asked", "trusted"),
    [
        (["other.example"], "hs.example", True),
        (["hs.example"], "127.0.0.1", True),
        (["hs.example"], "hs.example", False),
    ],
    ids=["another host", "no address in it", "an authority of its own"],
)
async def test_a_certificate_that_does_not_hold_is_refused_unless_nobody_looks(
    authority: Authority, names_of_certificate: list[str], asked: str, *, trusted: bool
) -> None:
    ca_file = authority.file if trusted else None
    async with serving(hello, authority.server_context(*names_of_certificate)) as server:
        url = f"https://{asked}:{server.port}/"
        async with transport(Settings(ca_file=ca_file, networks=HERE)) as way:
            with pytest.raises(errors.CertificateRefused):
                await get(way, url)
            assert not server.seen
        async with transport(Settings(verify_tls=False, networks=HERE)) as way:
            assert (await get(way, url)).status == 200


async def test_the_own_homeservers_authority_vouches_for_it_alone(authority: Authority) -> None:
    own = OwnServer("own.example", "https://hs.example", ca_file=authority.file)
    async with (
        serving(hello, authority.server_context("hs.example")) as server,
        transport(Settings(own=own, networks=HERE)) as way,
    ):
        url = f"https://hs.example:{server.port}/"
        assert (await get(way, url, Reach.OWN)).status == 200
        for reach in (Reach.WRITTEN, Reach.STRANGER):
            with pytest.raises(errors.CertificateRefused):
                await get(way, url, reach)


async def test_a_test_network_without_verification_does_not_weaken_the_way_to_the_own_server(
    authority: Authority,
) -> None:
    settings = Settings(own=OwnServer("own.example", "https://hs.example"), verify_tls=False)
    async with (
        serving(hello, authority.server_context("hs.example")) as server,
        transport(settings) as way,
    ):
        with pytest.raises(errors.CertificateRefused):
            await get(way, f"https://hs.example:{server.port}/", Reach.OWN)


async def test_an_outdated_tls_is_refused(authority: Authority) -> None:
    context = authority.server_context("hs.example")
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with (
        serving(hello, context) as server,
        transport(Settings(ca_file=authority.file, networks=HERE)) as way,
    ):
        # Which of the two depends on who hangs up first.
        with pytest.raises((errors.TlsFailed, errors.ServerUnreachable)):
            await get(way, f"https://hs.example:{server.port}/")
        assert not server.seen


async def test_a_file_without_an_authority_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for file in (tmp_path / "ca.pem", tmp_path / "not-there.pem"):
        with pytest.raises((ssl.SSLError, FileNotFoundError)):
            Transport(Settings(ca_file=file), Limits(), names())


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "169.254.169.254"]
)
async def test_a_literal_private_address_is_not_even_connected_to(host: str) -> None:
    async with serving(hello) as server, transport(Settings()) as way:
        with pytest.raises(errors.AddressRefused):
            await get(way, f"http://{host}:{server.port}/")
        assert server.connections == 0


async def test_a_name_that_resolves_elsewhere_the_second_time_gains_nothing() -> None:
    """One look-up for each connection, and it is the checked one that is connected to."""
    answers = iter([LOOPBACK, "127.0.0.2"])
    asked: list[str] = []

    async def rebinding(host: str) -> list[str]:
        asked.append(host)
        return [next(answers)]

    async with serving(hello) as first, serving(hello) as second:
        way = Transport(Settings(networks=["127.0.0.1/32"]), Limits(), rebinding)
        assert (await get(way, f"http://rebind.example:{first.port}/")).status == 200
        assert asked == ["rebind.example"]
        with pytest.raises(errors.AddressRefused):
            await get(way, f"http://rebind.example:{second.port}/")
        await way.close()
    assert second.connections == 0


async def test_cookies_are_not_kept_and_the_environments_proxy_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    async def handler(_: web.Request) -> web.Response:
        return web.Response(headers={"Set-Cookie": "a=b; Path=/"})

    async with serving(handler) as server, transport(Settings(networks=HERE)) as way:
        for _ in range(2):
            await get(way, f"http://hs.example:{server.port}/")
    assert all("Cookie" not in request.headers for request in server.seen)
    assert server.seen[0].headers["Accept-Encoding"] == "identity"


def redirecting(location: str) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": location})

    return handler


async def test_a_redirect_is_an_answer_like_others() -> None:
    async with serving(redirecting("/again")) as server, transport(Settings(networks=HERE)) as way:
        assert (await get(way, f"http://hs.example:{server.port}/")).status == 302
    assert len(server.seen) == 1


# What a server may say that is no use to anybody.

Script = Callable[[asyncio.StreamWriter], object]


def _endless_body(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 100_000)


def _huge_announcement(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")


def _endless_chunks(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 5_000)


def _bomb(writer: asyncio.StreamWriter) -> None:
    packed = gzip.compress(b" " * 1_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    writer.write(head.encode() + packed)


def _huge_header(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 100_000 + b"\r\n\r\n")


def _endless_headers(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: a\r\n" % number for number in range(10_000)))


def _no_http(writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP\r\n")


def _hangs_up(_: asyncio.StreamWriter) -> None:
    return


def _breaks_off(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    writer.close()


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        (_endless_body, errors.NonsenseAnswer),
        (_huge_announcement, errors.NonsenseAnswer),
        (_endless_chunks, errors.NonsenseAnswer),
        (_huge_header, errors.NonsenseAnswer),
        (_endless_headers, errors.NonsenseAnswer),
        (_no_http, errors.NonsenseAnswer),
        (_hangs_up, errors.ServerUnreachable),
        (_breaks_off, errors.ServerUnreachable),
    ],
)
async def test_a_hostile_answer_is_left_as_soon_as_it_shows(
    script: Script, cause: type[errors.LookupFailed]
) -> None:
    left = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        script(writer)
        if script not in (_hangs_up, _breaks_off):
            try:
                await reader.read()
            finally:
                left.set()
        left.set()

    async with talking(talk) as port, transport(Settings(networks=HERE)) as way:
        with pytest.raises(cause) as caught:
            await get(way, f"http://hs.example:{port}/?access_token=secret")
        async with asyncio.timeout(10):
            await left.wait()
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.advice


async def test_a_packed_body_is_not_unpacked() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        _bomb(writer)
        await reader.read()

    async with talking(talk) as port, transport(Settings(networks=HERE)) as way:
        answer = await way.get(URL(f"http://hs.example:{port}/"), Reach.STRANGER, most_bytes=5_000)
    assert answer.body.startswith(b"\x1f\x8b")


async def test_a_port_without_tls_is_said_to_be_one(authority: Authority) -> None:
    async with (
        serving(hello) as server,
        transport(Settings(ca_file=authority.file, networks=HERE)) as way,
    ):
        with pytest.raises(errors.TlsFailed):
            await get(way, f"https://hs.example:{server.port}/")


async def test_a_handshake_that_never_ends_is_left_after_the_time_out() -> None:
    async def talk(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()
        await asyncio.Event().wait()

    async with talking(talk) as port, transport(Settings(networks=HERE), Limits(connect_ms=200)) as way:
        with pytest.raises(errors.ServerTooSlow):
            await get(way, f"https://hs.example:{port}/")


async def test_a_name_without_an_address_is_said_to_be_one() -> None:
    async def nobody(_: str) -> list[str]:
        raise OSError("no such name")

    way = Transport(Settings(), Limits(), nobody)
    with pytest.raises(errors.NameUnknown, match=r"hs\.example"):
        await get(way, "https://hs.example:8448/")
    await way.close()


# Through a proxy.


async def test_a_proxy_is_given_the_name_and_the_certificate_is_the_servers(authority: Authority) -> None:
    asked: list[str] = []
    async with (
        serving(hello, authority.server_context("hs.example")) as server,
        connect_proxy(asked, server.port) as proxy,
        transport(
            Settings(ca_file=authority.file, proxy=f"http://127.0.0.1:{proxy}"), hs_example="1.1.1.1"
        ) as way,
    ):
        for _ in range(3):
            assert (await get(way, "https://hs.example:8448/", host_header="example.org")).body == b"hello"
        with pytest.raises(errors.CertificateRefused):
            await get(way, "https://other.example.com:8448/", Reach.WRITTEN)
    assert (
        asked
        == [
            "CONNECT hs.example:8448 HTTP/1.1",
            "CONNECT other.example.com:8448 HTTP/1.1",
            "CONNECT other.example.com:8448 HTTP/1.1",
        ][:2]
    )
    assert server.hosts == ["example.org"] * 3


async def test_a_name_that_is_unknown_here_may_be_known_to_the_proxy(authority: Authority) -> None:
    async def nobody(host: str) -> list[str]:
        if host == "proxy.example":
            return [LOOPBACK]
        raise OSError("no such name")

    asked: list[str] = []
    async with (
        serving(hello, authority.server_context("hs.example")) as server,
        connect_proxy(asked, server.port) as proxy,
    ):
        settings = Settings(ca_file=authority.file, proxy=f"http://proxy.example:{proxy}")
        way = Transport(settings, Limits(), nobody)
        assert (await get(way, "https://hs.example:8448/")).status == 200
        await way.close()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "169.254.169.254", "inside.example", "half.example", "0x7f000001"]
)
async def test_a_proxy_is_not_sent_to_a_private_address(host: str) -> None:
    asked: list[str] = []

    async def look_up(name: str) -> list[str]:
        return {"inside.example": ["10.0.0.1"], "half.example": ["1.1.1.1", "10.0.0.1"]}.get(name, [LOOPBACK])

    async with connect_proxy(asked, 1) as proxy:
        way = Transport(Settings(proxy=f"http://127.0.0.1:{proxy}"), Limits(), look_up)
        with pytest.raises((errors.AddressRefused, errors.NonsenseAnswer)):
            await get(way, f"https://{host}:8448/")
        await way.close()
    assert asked == []


async def test_the_own_server_and_hand_written_loopback_are_reached_past_the_proxy() -> None:
    settings = Settings(proxy="http://127.0.0.1:1")
    async with serving(hello) as server, transport(settings) as way:
        for url, reach in [
            (f"http://own.example:{server.port}/", Reach.OWN),
            (f"http://127.0.0.1:{server.port}/", Reach.WRITTEN),
            (f"http://localhost:{server.port}/", Reach.WRITTEN),
            (f"http://hs.localhost:{server.port}/", Reach.WRITTEN),
        ]:
            assert (await get(way, url, reach)).status == 200
        with pytest.raises(errors.ProxyFailed):
            await get(way, f"https://far.example:{server.port}/", Reach.WRITTEN)


async def test_a_proxy_that_says_no_is_named_as_the_cause() -> None:
    asked: list[str] = []
    async with connect_proxy(asked, 1, status="403 Forbidden") as proxy:
        settings = Settings(proxy=f"http://127.0.0.1:{proxy}")
        async with transport(settings, hs_example="1.1.1.1") as way:
            with pytest.raises(errors.ProxyFailed, match="403"):
                await get(way, "https://hs.example:8448/")
