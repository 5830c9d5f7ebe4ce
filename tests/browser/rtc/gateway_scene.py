"""A room, a meeting in Visio, and people in both, with the gateway between them."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, field

from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.livekit import LiveKit
from bridge.sfu.tokens import ApiKey, JoinPass, join_token
from tests.browser.rtc.element_call import ElementCall
from tests.browser.rtc.gateway_service import GatewayService
from tests.browser.rtc.people import JoinVisio, NewPerson, OpenCall
from tests.browser.rtc.rooms import call_room, stand_in_call
from tests.browser.rtc.visio_page import VisioPage

GHOST_DEVICE = "VISIO"


@dataclass
class Scene:
    """What a test of the gateway is made of.

    Attributes:
        service: The authorization service and the gateway.
        room_id: The Matrix room, after `people`.
        meeting: The SFU room of the meeting in Visio.
    """

    service: GatewayService
    livekit: LiveKit
    new_person: NewPerson
    open_call: OpenCall
    join_visio: JoinVisio
    room_id: str = ""
    meeting: str = field(default_factory=lambda: str(uuid.uuid4()))

    async def people(self, *names: str) -> list[MatrixUser]:
        """Register people and bring them together in a room."""
        users = await asyncio.gather(*(self.new_person(name) for name in names))
        self.room_id = await call_room(*users)
        return list(users)

    def meeting_opens(self) -> None:
        """From now on, the room's call is the meeting."""
        self.service.meetings[self.room_id] = self.meeting

    def meeting_ends(self) -> None:
        """From now on, the room's call is its own again."""
        del self.service.meetings[self.room_id]

    async def move_everybody(self) -> None:
        """Bring those who are connected to where the room's call is now."""
        await self.service.gateway.move(self.service.gateway.connections(room_id=self.room_id))

    async def visio(
        self, name: str, *, shown_as: MatrixUser | None = None, device_id: str = GHOST_DEVICE
    ) -> VisioPage:
        """Join the meeting with an identity that means nothing to Matrix."""
        join = JoinPass(room=self.meeting, identity=str(uuid.uuid4()), name=name, ttl_ms=60_000)
        key = ApiKey(self.livekit.key, self.livekit.secret)
        visio = await self.join_visio(self.livekit.url, join_token(key, join, int(time.time() * 1000)))
        if shown_as is not None:
            await self.show(visio, shown_as, device_id)
        return visio

    async def show(self, visio: VisioPage, ghost: MatrixUser, device_id: str = GHOST_DEVICE) -> None:
        """Let a membership of a Matrix user stand for somebody in Visio."""
        self.service.stands_for[visio.identity] = f"{ghost.user_id}:{device_id}"
        await self.service.gateway.names_changed(self.meeting)
        await stand_in_call(ghost, self.room_id, device_id, self.service.url)

    async def call(self, *users: MatrixUser) -> list[ElementCall]:
        """Join the room's call with Element Call."""
        calls = [await self.open_call(user, self.room_id, service_url=self.service.url) for user in users]
        return list(await asyncio.gather(*(call.joined() for call in calls)))


async def meet(call: ElementCall, visio: VisioPage, name: str) -> None:
    """Wait until two see and hear each other.

    Args:
        call: One of them.
        visio: The other.
        name: Under which Element Call shows them.
    """
    await asyncio.gather(call.sees(name), call.hears(), visio.sees_and_hears(call.identity))
