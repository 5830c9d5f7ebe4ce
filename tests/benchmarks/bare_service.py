"""The floor: an application service that does what has to be done, and nothing to do it safely.

It sends one message when it is pushed ``!floor``, and one edit when a webhook says that somebody joined.
Nothing is written down, checked, retried or deduplicated.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson
import uvloop
from aiohttp import web

from appservice import registration
from appservice.registration import Registration
from tests.benchmarks.serving import serve_until_killed

COMMAND = "!floor"
ANSWER = "floor"
"""The text of the message; an edit names who joined instead."""


class BareService:
    """A bot without memory."""

    def __init__(self, session: aiohttp.ClientSession, known: Registration, homeserver_url: str) -> None:
        self._session = session
        self._bot_id = known.bot_id
        self._bot = known.bot
        self._headers = {"Authorization": f"Bearer {known.as_token}"}
        self._url = f"{homeserver_url}/_matrix/client/v3"
        self._numbers = itertools.count()
        self._cards: dict[str, tuple[str, str]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.put("/_matrix/app/v1/transactions/{txn_id}", self._transaction),
            web.post("/livekit/webhook", self._webhook),
            web.post("/card", self._card),
        ]

    async def register(self) -> None:
        await self._ask("POST", "/register", {"type": "m.login.application_service", "username": self._bot})

    async def _transaction(self, request: web.Request) -> web.Response:
        for event in orjson.loads(await request.read())["events"]:
            room_id, content = event["room_id"], event["content"]
            if event.get("state_key") == self._bot_id and content["membership"] == "invite":
                self._begin(self._ask("POST", f"/join/{quote(room_id)}", {}))
            elif content.get("body") == COMMAND:
                self._begin(self._send(room_id, _message(ANSWER)))
        return web.json_response({})

    async def _webhook(self, request: web.Request) -> web.Response:
        told = orjson.loads(await request.read())
        card = self._cards.get(told.get("room", {}).get("name", ""))
        if card is not None and told["event"] == "participant_joined":
            room_id, event_id = card
            new = _message(told["participant"]["name"])
            relation = {"rel_type": "m.replace", "event_id": event_id}
            edit = {**new, "m.new_content": new, "m.relates_to": relation}
            self._begin(self._send(room_id, edit))
        return web.Response()

    async def _card(self, request: web.Request) -> web.Response:
        """Send the message that is edited when somebody joins ``sfu_room``."""
        wanted = orjson.loads(await request.read())
        sent = await self._send(wanted["room_id"], _message(ANSWER))
        self._cards[wanted["sfu_room"]] = wanted["room_id"], sent["event_id"]
        return web.Response()

    async def _send(self, room_id: str, content: dict[str, Any]) -> dict[str, Any]:
        path = f"/rooms/{quote(room_id)}/send/m.room.message/{next(self._numbers)}"
        return await self._ask("PUT", path, content)

    async def _ask(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        async with self._session.request(
            method, self._url + path, data=orjson.dumps(body), headers=self._headers
        ) as response:
            answer: dict[str, Any] = orjson.loads(await response.read())
            return answer

    def _begin(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _message(body: str) -> dict[str, Any]:
    return {"msgtype": "m.notice", "body": body, "m.mentions": {}}


async def serve(port: int, known: Registration, homeserver_url: str) -> None:
    async with aiohttp.ClientSession() as session:
        service = BareService(session, known, homeserver_url)
        await service.register()
        application = web.Application()
        application.add_routes(service.routes())
        await serve_until_killed(application, port)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(serve(int(sys.argv[1]), registration.read(Path(sys.argv[2])), sys.argv[3]))
