"""Stands between bridge and SFU and notes which rooms the bridge has asked about, and how often."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web
from livekit.protocol.room import ListParticipantsRequest, ListRoomsRequest, ListRoomsResponse

from bridge.demo.peers.livekit import LiveKit
from bridge.demo.peers.ports import HOST, reserve_port


class Witness:
    """A proxy of LiveKit's server API; ``async with`` starts and stops it.

    Attributes:
        url: For the bridge's ``sfu.api_url``.
        looks: How often each SFU room was looked at: its participants were listed, or the SFU answered that
            there is no such room.
    """

    def __init__(self, livekit: LiveKit) -> None:
        self._livekit = livekit
        self._port = reserve_port()
        self.url = f"http://{HOST}:{self._port}"
        self.looks: Counter[str] = Counter()
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        application = web.Application()
        application.router.add_post("/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self._port).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
        await self._session.close()

    def forget(self) -> None:
        """Count anew."""
        self.looks.clear()

    async def wait_for_looks(self, rooms: Iterable[str], times: int) -> None:
        """Wait until each of the rooms was looked at so often."""
        waiting = set(rooms)
        while waiting := {room for room in waiting if self.looks[room] < times}:
            self._news.clear()
            await self._news.wait()

    async def _pass_on(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name: request.headers[name] for name in ("Authorization", "Content-Type")}
        path = request.match_info["path"]
        async with self._session.post(
            f"{self._livekit.api_url}/{path}", data=body, headers=headers
        ) as response:
            answer = await response.read()
        self._note(path.rpartition("/")[2], body, answer)
        return web.Response(
            body=answer,
            status=response.status,
            headers={"Content-Type": response.headers.get("Content-Type", "")},
        )

    def _note(self, method: str, body: bytes, answer: bytes) -> None:
        if method == "ListParticipants":
            self.looks[ListParticipantsRequest.FromString(body).room] += 1
        elif method == "ListRooms":
            existing = {room.name for room in ListRoomsResponse.FromString(answer).rooms}
            self.looks.update(set(ListRoomsRequest.FromString(body).names) - existing)
        self._news.set()
