"""What the demo's client is served with."""

from __future__ import annotations

import itertools
from pathlib import Path
from urllib.parse import parse_qs, urldefrag

import aiohttp

from bridge.demo.client.server import ClientServer, Login


async def test_a_short_address_leads_each_visitor_to_a_page_with_a_login_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<h1>Room</h1>")
    devices = itertools.count(1)
    async with ClientServer(tmp_path) as server, aiohttp.ClientSession() as session:

        async def address() -> str:
            login = Login("http://127.0.0.1:8008", "@alice:localhost", f"D{next(devices)}", "token")
            return server.address(login, "!room:localhost", language="fr", beside="http://127.0.0.1:29402/")

        short = server.door("alice-123", address)
        for device in ("D1", "D2"):
            async with session.get(short, allow_redirects=False) as answer:
                assert answer.status == 302
                assert answer.headers["Cache-Control"] == "no-store"
                page, fragment = urldefrag(answer.headers["Location"])
            given = parse_qs(fragment)
            assert (given["device"], given["user"]) == ([device], ["@alice:localhost"])
            assert given["beside"] == ["http://127.0.0.1:29402/"]
            async with session.get(page) as answer:
                assert await answer.text() == "<h1>Room</h1>"
        async with session.get(f"{server.url}bob-123") as answer:
            assert answer.status == 404
