from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from appservice.federation import errors
from appservice.federation.limits import Limits
from appservice.federation.openid import OpenIdVerifier, user_of
from appservice.federation.settings import OwnServer, Settings
from appservice.federation.srv import SystemSrv
from appservice.federation.transport import Answer
from tests.support.waiting import until
from tests.unit.appservice.federation.servers import (
    Authority,
    Handler,
    delegating_to,
    name_server,
    names,
    serving,
    talking,
    vouching_for,
)

HERE = ["127.0.0.0/8"]
TOKEN = "syt_secret+/&=token"


@asynccontextmanager
async def verifier(
    settings: Settings, limits: Limits | None = None, **options: Any
) -> AsyncIterator[OpenIdVerifier]:
    """A verifier that has every name on loopback, and no name servers."""
    async with name_server({}) as resolver:
        options = {"look_up": names(), "look_up_srv": SystemSrv(1000, resolver), **options}
        async with OpenIdVerifier(settings, limits=limits, **options) as made:
            yield made


def said(status: int, body: object) -> Answer:
    return Answer(status, {}, body if isinstance(body, bytes) else orjson.dumps(body))


# Judging an answer.


def test_a_server_speaks_for_its_own_users() -> None:
    assert user_of(said(200, {"sub": "@a:hs.example", "more": 1}), "hs.example") == "@a:hs.example"
    assert user_of(said(200, {"sub": "@a:hs.example:8448"}), "hs.example:8448") == "@a:hs.example:8448"


@pytest.mark.parametrize(
    "user_id",
    [
        "@a:victim.example",
        "@a:hs.example:8448",
        "@a:HS.example",
        "@a:hs.example.victim.example",
        "@a:b:hs.example",
    ],
)
def test_a_server_does_not_speak_for_the_users_of_others(user_id: str) -> None:
    with pytest.raises(errors.WrongServer):
        user_of(said(200, {"sub": user_id}), "hs.example")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>It works!</html>",
        b"[" * 10_000,
        b'{"sub": "@a:hs.example"',
        b'{"sub": "\\ud800"}',
        [],
        None,
        {},
        {"sub": None},
        {"sub": ["@a:hs.example"]},
        {"sub": {"@a:hs.example": 1}},
        {"sub": ""},
        {"sub": "a:hs.example"},
        {"sub": "@:hs.example"},
        {"sub": "@a\n:hs.example"},
        {"sub": "@" + "a" * 250 + ":hs.example"},
    ],
)
def test_an_answer_without_a_user_is_nonsense(body: object) -> None:
    with pytest.raises(errors.NonsenseAnswer):
        user_of(said(200, body), "hs.example")


@pytest.mark.parametrize(
    ("status", "body", "cause"),
    [
        (
            401,
            {"errcode": "M_UNKNOWN_TOKEN", "error": "Access Token unknown or expired"},
            errors.TokenRefused,
        ),
        (400, {"errcode": "M_MISSING_PARAM"}, errors.TokenRefused),
        (403, {"errcode": "M_FORBIDDEN"}, errors.TokenRefused),
        (404, {"errcode": "M_UNKNOWN_TOKEN"}, errors.TokenRefused),
        (404, {"errcode": "M_UNRECOGNIZED"}, errors.NoUserinfo),
        (405, b"", errors.NoUserinfo),
        (404, b"<html>", errors.NoUserinfo),
        (403, b"<html>web application firewall", errors.ServerFailed),
        (401, b"", errors.ServerFailed),
        (429, {"errcode": "M_LIMIT_EXCEEDED"}, errors.ServerFailed),
        (500, {"errcode": "M_UNKNOWN"}, errors.ServerFailed),
        (502, b"<html>", errors.ServerFailed),
        (302, b"", errors.NonsenseAnswer),
        (204, b"", errors.NonsenseAnswer),
        (400, b"", errors.NonsenseAnswer),
        (418, {"errcode": ["a", {}]}, errors.NonsenseAnswer),
    ],
)
def test_every_refusal_has_its_cause(status: int, body: object, cause: type[errors.LookupFailed]) -> None:
    with pytest.raises(errors.LookupFailed) as caught:
        user_of(said(status, body), "hs.example")
    assert type(caught.value) is cause


@given(st.integers(100, 599), st.binary(max_size=100))
def test_judging_raises_nothing_else(status: int, body: bytes) -> None:
    with pytest.raises(errors.LookupFailed):
        user_of(said(status, body), "hs.example")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["sub", "errcode", "x"]), inner)
    ),
    max_leaves=6,
)


@given(st.sampled_from([200, 401, 404, 500]), json_values)
def test_no_json_makes_a_user_of_another_server(status: int, content: object) -> None:
    try:
        user = user_of(said(status, content), "hs.example")
    except errors.LookupFailed:
        return
    assert user.endswith(":hs.example")


def test_every_cause_has_a_code_and_advice_of_its_own() -> None:
    causes = errors.LookupFailed.__subclasses__()
    assert len({cause.code for cause in causes}) == len({cause.advice for cause in causes}) == len(causes)


# Asking.


async def test_a_token_is_verified_by_its_homeserver_through_well_known(authority: Authority) -> None:
    asked: list[str] = []
    async with (
        serving(vouching_for("@alice:example.org"), authority.server_context("hs.example.org")) as homeserver,
        serving(
            delegating_to(f"hs.example.org:{homeserver.port}"), authority.server_context("example.org")
        ) as site,
        verifier(Settings(ca_file=authority.file, networks=HERE), well_known_port=site.port) as verify,
    ):
        for _ in range(3):
            assert await verify.verify(TOKEN, "example.org") == "@alice:example.org"
        asked = homeserver.hosts
    assert asked == [f"hs.example.org:{homeserver.port}"] * 3
    assert homeserver.seen[0].path == "/_matrix/federation/v1/openid/userinfo"
    assert homeserver.seen[0].query == {"access_token": TOKEN}
    assert len(site.seen) == 1
    assert homeserver.connections == 1


async def test_an_srv_record_leads_to_another_host_but_not_to_another_certificate(
    authority: Authority,
) -> None:
    async with (
        serving(vouching_for("@alice:example.org"), authority.server_context("example.org")) as good,
        serving(vouching_for("@alice:example.org"), authority.server_context("machine.example")) as bad,
    ):
        zone = {
            "_matrix-fed._tcp.example.org": [
                f"10 0 {bad.port} machine.example.",
                f"20 0 {good.port} other.example.",
            ]
        }
        async with (
            name_server(zone) as resolver,
            verifier(
                Settings(ca_file=authority.file, networks=HERE),
                well_known_port=bad.port,
                look_up_srv=SystemSrv(1000, resolver),
            ) as verify,
        ):
            assert await verify.verify(TOKEN, "example.org") == "@alice:example.org"
            tried = bad.connections
            assert await verify.verify(TOKEN, "example.org") == "@alice:example.org"
    assert good.hosts == ["example.org"] * 2
    assert not bad.seen
    assert bad.connections == tried  # The one that answered comes first from then on.


async def test_a_server_name_with_an_address_or_a_port_needs_nothing_else(authority: Authority) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response({"sub": f"@alice:{request.headers['Host']}"})

    async with (
        serving(handler, authority.server_context("127.0.0.1", "hs.example")) as homeserver,
        verifier(Settings(ca_file=authority.file, networks=HERE)) as verify,
    ):
        for name in (f"127.0.0.1:{homeserver.port}", f"hs.example:{homeserver.port}"):
            assert await verify.verify(TOKEN, name) == f"@alice:{name}"


async def test_a_server_that_the_admin_wrote_down_is_asked_there_without_discovery() -> None:
    async with (
        serving(vouching_for("@alice:example.org")) as homeserver,
        verifier(Settings(servers={"example.org": f"http://127.0.0.1:{homeserver.port}/base"})) as verify,
    ):
        assert await verify.verify(TOKEN, "example.org") == "@alice:example.org"
    assert homeserver.seen[0].path == "/base/_matrix/federation/v1/openid/userinfo"
    assert homeserver.hosts == [f"127.0.0.1:{homeserver.port}"]


async def test_the_own_server_is_asked_directly_and_if_that_address_has_no_look_up_like_any_other(
    authority: Authority,
) -> None:
    async def clients_only(_: web.Request) -> web.Response:
        return web.json_response({"errcode": "M_UNRECOGNIZED"}, status=404)

    async with (
        serving(clients_only) as client_port,
        serving(
            vouching_for("@alice:example.org"), authority.server_context("hs.example.org")
        ) as federation_port,
        serving(
            delegating_to(f"hs.example.org:{federation_port.port}"), authority.server_context("example.org")
        ) as site,
        verifier(
            Settings(
                own=OwnServer("example.org", f"http://127.0.0.1:{client_port.port}"),
                ca_file=authority.file,
                networks=HERE,
            ),
            well_known_port=site.port,
        ) as verify,
    ):
        assert await verify.verify(TOKEN, "example.org") == "@alice:example.org"
        client_port.handler = vouching_for("@alice:example.org")
        assert await verify.verify(TOKEN, "example.org") == "@alice:example.org"
    assert len(client_port.seen) == 2
    assert len(federation_port.seen) == 1


async def test_a_server_that_vouches_for_another_servers_user_is_not_believed() -> None:
    async with (
        serving(vouching_for("@admin:victim.example")) as homeserver,
        verifier(Settings(servers={"evil.example": f"http://127.0.0.1:{homeserver.port}"})) as verify,
    ):
        with pytest.raises(errors.WrongServer):
            await verify.verify(TOKEN, "evil.example")


@pytest.mark.parametrize(
    "server_name",
    [
        "127.0.0.1:{}",
        "[::1]:{}",
        "[::ffff:127.0.0.1]:{}",
        "localhost:{}",
        "inside.example:{}",
        "inside.example",
    ],
)
async def test_without_listed_networks_nothing_on_this_machine_is_reached(
    authority: Authority, server_name: str
) -> None:
    async with (
        serving(vouching_for("@a:b")) as homeserver,
        verifier(Settings(ca_file=authority.file), well_known_port=homeserver.port) as verify,
    ):
        with pytest.raises(errors.AddressRefused):
            await verify.verify(TOKEN, server_name.format(homeserver.port))
    assert homeserver.connections == 0


async def test_a_delegation_to_this_machine_is_refused(authority: Authority) -> None:
    async def look_up(_: str) -> list[str]:
        return ["127.0.0.1"]

    async with serving(vouching_for("@a:example.org")) as victim:
        for target in (f"127.0.0.2:{victim.port}", f"[::1]:{victim.port}"):
            async with (
                serving(delegating_to(target), authority.server_context("example.org")) as site,
                verifier(
                    Settings(ca_file=authority.file, networks=["127.0.0.1/32"]),
                    well_known_port=site.port,
                    look_up=look_up,
                ) as verify,
            ):
                with pytest.raises(errors.AddressRefused, match="names"):
                    await verify.verify(TOKEN, "example.org")
    assert victim.connections == 0


@pytest.mark.parametrize(
    "server_name", ["", "example.org/x", "https://example.org", "127.1", "a b", "ex\nample"]
)
async def test_what_is_no_server_name_is_asked_of_nobody(server_name: str) -> None:
    async with verifier(Settings()) as verify:
        with pytest.raises(errors.BadServerName):
            await verify.verify(TOKEN, server_name)


@pytest.mark.parametrize("token", ["", "a" * 5000, "a\r\nHost: b", "\x00", "\ud800"])
async def test_what_is_no_token_is_asked_of_nobody(token: str) -> None:
    async with (
        serving(vouching_for("@a:hs")) as homeserver,
        verifier(Settings(servers={"hs": f"http://127.0.0.1:{homeserver.port}"})) as verify,
    ):
        with pytest.raises(errors.TokenRefused):
            await verify.verify(token, "hs")
    assert homeserver.connections == 0


async def test_a_redirect_of_the_look_up_is_not_followed() -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.path == "/other":
            return web.json_response({"sub": "@a:hs"})
        raise web.HTTPFound("/other")

    async with (
        serving(handler) as homeserver,
        verifier(Settings(servers={"hs": f"http://127.0.0.1:{homeserver.port}"})) as verify,
    ):
        with pytest.raises(errors.NonsenseAnswer):
            await verify.verify(TOKEN, "hs")
    assert len(homeserver.seen) == 1


async def test_a_server_that_drips_its_answer_is_left_after_the_time_out() -> None:
    left = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        try:
            while not reader.at_eof():
                writer.write(b"X: ")
                await writer.drain()
                await asyncio.sleep(0.02)  # the drip itself
        finally:
            left.set()

    async with (
        talking(drip) as port,
        verifier(Settings(servers={"hs": f"http://127.0.0.1:{port}"}), Limits(total_ms=300)) as verify,
    ):
        with pytest.raises(errors.ServerTooSlow, match="300 ms"):
            await verify.verify(TOKEN, "hs")
        async with asyncio.timeout(10):
            await left.wait()


async def test_a_name_that_is_never_resolved_is_left_after_the_time_out() -> None:
    async def never(_: str) -> list[str]:
        await asyncio.Event().wait()
        return []

    async with verifier(Settings(), Limits(total_ms=200), look_up=never) as verify:
        with pytest.raises(errors.ServerTooSlow):
            await verify.verify(TOKEN, "slow.example:8448")


def held(gate: asyncio.Event) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        await gate.wait()
        return web.json_response({"sub": "@a:slow"})

    return handler


async def test_a_slow_server_holds_only_so_many_look_ups_and_no_other_servers() -> None:
    gate = asyncio.Event()
    limits = Limits(per_server=3)
    async with serving(held(gate)) as slow, serving(vouching_for("@a:quick")) as quick:
        settings = Settings(
            servers={"slow": f"http://127.0.0.1:{slow.port}", "quick": f"http://127.0.0.1:{quick.port}"}
        )
        async with verifier(settings, limits) as verify:
            waiting = [asyncio.create_task(verify.verify(TOKEN, "slow")) for _ in range(3)]
            await until(lambda: len(slow.seen) == 3)
            with pytest.raises(errors.TooManyLookups):
                await verify.verify(TOKEN, "slow")
            assert await verify.verify(TOKEN, "quick") == "@a:quick"
            gate.set()
            assert await asyncio.gather(*waiting) == ["@a:slow"] * 3
            assert await verify.verify(TOKEN, "slow") == "@a:slow"


async def test_connections_are_used_again_and_one_that_the_server_closed_meanwhile_harms_nobody() -> None:
    async def closing(_: web.Request) -> web.Response:
        return web.json_response({"sub": "@a:hs"}, headers={"Connection": "close"})

    async with (
        serving(vouching_for("@a:hs")) as homeserver,
        verifier(Settings(servers={"hs": f"http://127.0.0.1:{homeserver.port}"})) as verify,
    ):
        for _ in range(20):
            await verify.verify(TOKEN, "hs")
        assert homeserver.connections == 1
        await asyncio.gather(*(verify.verify(TOKEN, "hs") for _ in range(16)))
        assert homeserver.connections <= 17
        homeserver.handler = closing
        for _ in range(20):
            await verify.verify(TOKEN, "hs")


async def test_no_failure_repeats_the_token() -> None:
    async with serving(vouching_for(None)) as homeserver:
        settings = Settings(
            servers={
                "nonsense": f"http://127.0.0.1:{homeserver.port}",
                "closed": "http://127.0.0.1:1",
                "no-tls": f"https://127.0.0.1:{homeserver.port}",
                "unresolved": "http://name.invalid",
            },
        )

        async def nobody(_: str) -> list[str]:
            raise OSError("no such name")

        async with verifier(settings, look_up=nobody) as verify:
            for server in (*settings.servers, "127.0.0.1:1", "stranger.example"):
                with pytest.raises(errors.LookupFailed) as caught:
                    await verify.verify(TOKEN, server)
                assert TOKEN not in str(caught.value)
                assert "secret" not in repr(caught.value)


async def test_a_failure_tells_how_the_server_was_looked_for(authority: Authority) -> None:
    async with verifier(Settings(ca_file=authority.file, networks=HERE), well_known_port=1) as verify:
        with pytest.raises(errors.LookupFailed, match=r"example\.org:8448.*\(\.well-known: unreachable\)"):
            await verify.verify(TOKEN, "example.org")
