"""The real gateway behind the smallest authorization service, steered by the test.

Without commands, policy, memberships and database: what is seen here is the gateway's doing alone.
"""

from __future__ import annotations

import time

from aiohttp import web

from bridge.demo.peers.livekit import LiveKit
from bridge.demo.peers.ports import HOST
from bridge.demo.peers.synapse import Synapse
from bridge.rtc.gateway import Gateway, routes
from bridge.rtc.passes import Pass, Passes
from bridge.rtc.routing import Route
from bridge.sfu.tokens import ApiKey, JoinPass, join_token
from tests.browser.rtc.plain_service import PlainService


class GatewayService(PlainService):
    """Gives out passes, and routes them where `meetings` says.

    Attributes:
        meetings: SFU room by Matrix room; where there is none, the room has one of its own.
        stands_for: Identity that Matrix users see, by SFU identity.
        gateway: The gateway; a new one after each `open`.
        ahead_ms: How far the gateway's clock is ahead, so that tokens expire sooner.
    """

    def __init__(self, synapse: Synapse, livekit: LiveKit) -> None:
        super().__init__(synapse, livekit)
        self.meetings: dict[str, str] = {}
        self.stands_for: dict[str, str] = {}
        self.ahead_ms = 0
        self._passes = Passes(livekit.secret, lambda: _now() + self.ahead_ms)
        self.gateway = Gateway(self._passes, self)

    def sfu_room(self, room_id: str) -> str:
        """The SFU room where people of a Matrix room are now."""
        return self.meetings.get(room_id) or super().sfu_room(room_id)

    def grant(self, room_id: str, user_id: str, device_id: str) -> tuple[str, str]:
        """A pass for the gateway."""
        granted = Pass(user_id, device_id, room_id, f"{user_id}:{device_id}", publish=True)
        token = self._passes.sign(granted, ttl_ms=60_000, shown_room=self.sfu_room(room_id))
        return f"ws://{HOST}:{self.port}/livekit", token

    async def route(self, granted: Pass, *, resume: bool) -> Route:
        """See `bridge.rtc.routing.Router`."""
        room = granted.sfu_room if resume and granted.sfu_room else self.sfu_room(granted.room_id)
        join = JoinPass(room=room, identity=granted.identity, name="", ttl_ms=60_000)
        token = join_token(ApiKey(self._livekit.key, self._livekit.secret), join, _now())
        return Route(self._livekit.url, room, token, self)

    def shown(self, identity: str) -> str | None:
        """See `bridge.rtc.names.Names`."""
        return self.stands_for.get(identity, identity)

    def real(self, identity: str) -> str:
        """See `bridge.rtc.names.Names`."""
        return next((real for real, shown in self.stands_for.items() if shown == identity), identity)

    def routes(self) -> list[web.RouteDef]:
        """The authorization service's and the gateway's."""
        return super().routes() + routes(self.gateway)

    async def open(self) -> None:
        """Listen, with a new gateway."""
        self.gateway = Gateway(self._passes, self)
        await self.gateway.start()
        await super().open()

    async def close(self) -> None:
        """End as the bridge does when it stops."""
        await self.gateway.stop()
        await super().close()


def _now() -> int:
    return int(time.time() * 1000)
