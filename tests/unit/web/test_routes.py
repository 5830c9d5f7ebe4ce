from __future__ import annotations

import json
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pytest_aiohttp.plugin import AiohttpClient

from bridge.calls.model import CallState
from bridge.web.attempts import Attempts
from bridge.web.routes import MAX_BODY, content_security_policy, routes
from bridge.web.static_page import StaticPage
from tests.unit.web.doubles import SECRET, VISITOR, World, a_call

Client = TestClient[web.Request, None]
JOIN = {"secret": SECRET, "name": "Ada", "visitor": VISITOR}


@pytest.fixture
def world() -> World:
    return World(a_call(), max_participants=3)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>Visio</title>")
    (tmp_path / "assets" / "index-1a2b.js").write_text("export {}")
    (tmp_path / "assets" / "index-1a2b.js.gz").write_bytes(b"gzipped")
    (tmp_path / "secret.txt").write_text("not for the web")
    return tmp_path


@pytest.fixture
async def client(world: World, built: Path, aiohttp_client: AiohttpClient) -> Client:
    return await serve(world, built, aiohttp_client)


async def serve(
    world: World, folder: Path, aiohttp_client: AiohttpClient, attempts: Attempts | None = None
) -> Client:
    app = web.Application()
    app.add_routes(routes(world.desk, StaticPage(folder), attempts))
    return await aiohttp_client(TestServer(app))


async def test_the_page_is_the_same_for_every_id(client: Client) -> None:
    known = await client.get("/call/abc123")
    unknown = await client.get("/call/nobody")
    assert known.status == unknown.status == 200
    assert await known.read() == await unknown.read()
    assert known.headers["Content-Type"] == "text/html; charset=utf-8"
    assert known.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("path", ["/call/abc123", "/call/assets/index-1a2b.js", "/call/assets/none.js"])
async def test_every_answer_carries_the_security_headers(client: Client, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "camera=(self)" in headers["Permissions-Policy"]
    assert "display-capture=(self)" in headers["Permissions-Policy"]
    assert "script-src 'self';" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("sfu_url", "allowed"),
    [
        ("wss://sfu.example.org", "connect-src 'self' wss://sfu.example.org https://sfu.example.org;"),
        ("https://sfu.example.org/path", "connect-src 'self' wss://sfu.example.org https://sfu.example.org;"),
        ("ws://127.0.0.1:7880", "connect-src 'self' ws://127.0.0.1:7880 http://127.0.0.1:7880;"),
    ],
)
def test_the_page_may_reach_its_own_origin_and_the_sfu_only(sfu_url: str, allowed: str) -> None:
    policy = content_security_policy(sfu_url)
    assert allowed in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "*" not in policy


async def test_hashed_assets_are_cached_for_ever_and_sent_compressed(client: Client) -> None:
    answer = await client.get("/call/assets/index-1a2b.js", headers={"Accept-Encoding": "identity"})
    assert answer.status == 200
    assert await answer.text() == "export {}"
    assert "javascript" in answer.headers["Content-Type"]
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    small = await client.get(
        "/call/assets/index-1a2b.js", headers={"Accept-Encoding": "gzip"}, auto_decompress=False
    )
    assert small.headers["Content-Encoding"] == "gzip"
    assert "javascript" in small.headers["Content-Type"]
    assert await small.read() == b"gzipped"


@pytest.mark.parametrize("name", ["none.js", "..%2Fsecret.txt", "%2e%2e%2fsecret.txt", "../secret.txt"])
async def test_only_the_built_files_are_served(client: Client, name: str) -> None:
    answer = await client.get(f"/call/assets/{name}")
    assert b"not for the web" not in await answer.read()


async def test_a_page_that_is_not_built_says_which_command_builds_it(
    world: World, tmp_path: Path, aiohttp_client: AiohttpClient
) -> None:
    client = await serve(world, tmp_path, aiohttp_client)
    answer = await client.get("/call/abc123")
    assert answer.status == 503
    assert "make page" in await answer.text()


async def test_looking_shows_what_the_page_needs_and_no_more(client: Client) -> None:
    answer = await client.post("/call/abc123/look", json={"secret": SECRET})
    assert answer.status == 200
    assert await answer.json() == {
        "subject": "Point budget",
        "state": "open",
        "count": 0,
        "max": 3,
        "language": "fr",
    }
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_guest_gets_address_token_and_ice_servers(client: Client) -> None:
    answer = await client.post("/call/abc123/token", json=JOIN)
    body = await answer.json()
    assert answer.status == 200
    assert body["sfu_url"] == "wss://sfu.example.org"
    assert body["token"].startswith("token for guest-")
    assert body["ice_servers"] == [
        {"urls": ["turn:turn.example.org"], "username": "user", "credential": "pass"}
    ]
    assert body["name"] == "Ada"
    assert VISITOR not in json.dumps(body)


@pytest.mark.parametrize("question", ["look", "token"])
async def test_a_wrong_secret_and_an_unknown_call_look_alike(client: Client, question: str) -> None:
    wrong = await client.post(f"/call/abc123/{question}", json=JOIN | {"secret": "wrong"})
    unknown = await client.post(f"/call/nobody/{question}", json=JOIN)
    assert wrong.status == unknown.status == 403
    assert await wrong.read() == await unknown.read() == b'{"error": "wrong_link"}'


async def test_a_call_that_is_over_is_gone(client: Client, world: World) -> None:
    world.call = a_call(state=CallState.ENDED)
    answer = await client.post("/call/abc123/token", json=JOIN)
    assert (answer.status, await answer.json()) == (410, {"error": "over"})


async def test_an_sfu_that_is_away_is_unavailable(client: Client, world: World) -> None:
    world.provider.reachable = False
    answer = await client.post("/call/abc123/token", json=JOIN)
    assert (answer.status, await answer.json()) == (503, {"error": "unavailable"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"secret": 1, "name": "Ada", "visitor": "0123456789abcdef"}',
        b'{"secret": "s", "name": null, "visitor": "0123456789abcdef"}',
        b'{"secret": "s", "name": "Ada"}',
        b'{"secret": "\\ud800", "name": "Ada", "visitor": "0123456789abcdef"}',
        b"\xff\xfe",
        b"[" * MAX_BODY,
        b'{"secret": "' + b"x" * MAX_BODY + b'"}',
    ],
)
async def test_a_body_that_is_not_ours_is_a_bad_request(client: Client, body: bytes) -> None:
    answer = await client.post("/call/abc123/token", data=body, headers={"Content-Type": "application/json"})
    assert (answer.status, await answer.json()) == (400, {"error": "bad_request"})


async def test_a_form_of_another_site_is_a_bad_request(client: Client) -> None:
    headers = {"Content-Type": "text/plain"}
    answer = await client.post("/call/abc123/token", data=json.dumps(JOIN), headers=headers)
    assert answer.status == 400


async def test_wrong_secrets_are_limited_per_address_before_they_cost_a_look_up(
    world: World, built: Path, aiohttp_client: AiohttpClient
) -> None:
    client = await serve(world, built, aiohttp_client, Attempts(limit=2))
    for expected in (403, 403, 429):
        answer = await client.post("/call/abc123/look", json={"secret": "wrong"})
        assert answer.status == expected
    assert answer.headers["Retry-After"] == "60"
    assert await answer.json() == {"error": "busy"}
    assert world.lookups == 2
    other = {"X-Forwarded-For": "198.51.100.7"}
    allowed = await client.post("/call/abc123/look", json={"secret": SECRET}, headers=other)
    assert allowed.status == 200


async def test_right_secrets_are_never_counted(
    world: World, built: Path, aiohttp_client: AiohttpClient
) -> None:
    client = await serve(world, built, aiohttp_client, Attempts(limit=1))
    for _ in range(5):
        assert (await client.post("/call/abc123/look", json={"secret": SECRET})).status == 200
