"""The synthetic participants of the demo and the tests hear and see one another."""

from __future__ import annotations

import asyncio

from livekit import api

from bridge.demo.guest import Guest
from bridge.demo.peers.livekit import LiveKit


def token(livekit: LiveKit, name: str) -> str:
    grants = api.VideoGrants(room_join=True, room="test-guest")
    made = api.AccessToken(livekit.key, livekit.secret).with_identity(name).with_name(name)
    return made.with_grants(grants).to_jwt()


async def test_two_guests_hear_and_see_each_other_until_the_room_is_closed(livekit: LiveKit) -> None:
    async with (
        Guest("Chloé", livekit.url, token(livekit, "Chloé")) as chloe,
        Guest("Denis", livekit.url, token(livekit, "Denis")) as denis,
    ):
        await asyncio.gather(chloe.wait_for_media("Denis"), denis.wait_for_media("Chloé"))
        async with api.LiveKitAPI(livekit.api_url, livekit.key, livekit.secret) as client:
            await client.room.delete_room(api.DeleteRoomRequest(room="test-guest"))
        await asyncio.gather(chloe.wait_until_disconnected(), denis.wait_until_disconnected())
