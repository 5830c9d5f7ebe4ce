"""The smallest MatrixRTC authorization service: the SFU's own tokens for everybody with an OpenID token.

What Element Call gets where no bridge is, so that tests can tell the bridge's doing from Element Call's.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

from bridge.demo.peers.livekit import LiveKit
from bridge.demo.peers.ports import HOST, reserve_port
from bridge.demo.peers.synapse import Synapse
from bridge.rtc.limits import MOST_ADDRESS
from bridge.sfu.tokens import ApiKey, JoinPass, join_token

_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Content-Type",
}


class PlainService:
    """The service on a port of its own; ``async with`` starts and stops it.

    Attributes:
        port: Where it listens.
        url: The ``livekit_service_url``.
        asked: Matrix rooms that tokens were given out for, in order.
    """

    def __init__(self, synapse: Synapse, livekit: LiveKit) -> None:
        self.port = reserve_port()
        self.url = f"http://{HOST}:{self.port}"
        self.asked: list[str] = []
        self._synapse = synapse
        self._livekit = livekit
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    def sfu_room(self, room_id: str) -> str:
        """The SFU room of a Matrix room."""
        return f"native {room_id}"

    def grant(self, room_id: str, user_id: str, device_id: str) -> tuple[str, str]:
        """The address to connect to, and the token to do it with."""
        join = JoinPass(
            room=self.sfu_room(room_id), identity=f"{user_id}:{device_id}", name="", ttl_ms=3_600_000
        )
        key = ApiKey(self._livekit.key, self._livekit.secret)
        return self._livekit.url, join_token(key, join, int(time.time() * 1000))

    def routes(self) -> list[web.RouteDef]:
        """What is served. Nothing else is there: no ``/get_token``, no ``/delegate_delayed_leave``."""
        return [web.post("/sfu/get", self._token)]

    async def open(self) -> None:
        """Listen."""
        app = web.Application()
        app.add_routes([*self.routes(), web.route("*", "/{path:.*}", self._other)])
        self._session = aiohttp.ClientSession()
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1, max_line_size=MOST_ADDRESS)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self.port, reuse_address=True).start()

    async def close(self) -> None:
        """Stop listening; `open` takes the same port again."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _token(self, request: web.Request) -> web.Response:
        asked = await request.json()
        user_id = await self._user(asked["openid_token"]["access_token"])
        self.asked.append(asked["room"])
        url, token = self.grant(asked["room"], user_id, asked["device_id"])
        return web.json_response({"url": url, "jwt": token}, headers=_CORS)

    async def _user(self, token: str) -> str:
        assert self._session is not None
        url = f"{self._synapse.url}/_matrix/federation/v1/openid/userinfo"
        async with self._session.get(url, params={"access_token": token}) as response:
            return str((await response.json())["sub"])

    async def _other(self, request: web.Request) -> web.Response:
        return web.Response(status=200 if request.method == "OPTIONS" else 404, headers=_CORS)
