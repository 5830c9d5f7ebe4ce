"""What the demo's Matrix client makes of a homeserver's answers."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.demo.matrix_user import MatrixUser

ROOM = "!room:hs"
CALL = "m.call.member"


def member(content: dict[str, Any]) -> dict[str, Any]:
    return {"type": CALL, "state_key": "_@bob:hs", "sender": "@bob:hs", "content": content}


def said(**room: Any) -> dict[str, Any]:
    return {"next_batch": "1", "rooms": {"join": {ROOM: room}}}


async def test_state_is_what_the_homeserver_says_that_it_is_and_not_what_the_timeline_ends_with() -> None:
    # When writings cross, the last to come is not what counts in the end.
    answers = [
        said(timeline={"events": [member({})]}, **{"org.matrix.msc4222.state_after": {"events": []}}),
        said(timeline={"events": []}, **{"org.matrix.msc4222.state_after": {"events": [member({})]}}),
    ]
    asked: list[web.Request] = []

    async def sync(request: web.Request) -> web.Response:
        asked.append(request)
        if not answers:
            await asyncio.Event().wait()
        return web.json_response(answers.pop(0))

    application = web.Application()
    application.router.add_get("/_matrix/client/v3/sync", sync)
    async with TestServer(application) as homeserver:
        url = str(homeserver.make_url("")).rstrip("/")
        async with MatrixUser(url, "@alice:hs", "password", "token") as alice:
            assert (CALL, "_@bob:hs") not in alice.room(ROOM).state
            await alice.wait_until(lambda: (CALL, "_@bob:hs") in alice.room(ROOM).state)
    assert all(request.query["org.matrix.msc4222.use_state_after"] == "true" for request in asked)
