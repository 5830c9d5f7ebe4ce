"""The homeserver killed with SIGKILL while the bridge writes to it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from urllib.parse import quote

import aiohttp

from appservice.intents import DEVICE_ID
from bridge.demo.peers.livekit import LiveKit
from bridge.demo.peers.synapse import Synapse
from tests.conftest import MakeBridge, NewUser
from tests.support.bridges import LocalBridge
from tests.support.chaos_bridge import nothing_is_left, settings
from tests.support.chaos_extent import Extent
from tests.support.chaos_scene import Scene


async def test_killed_in_the_middle_of_sends_nothing_is_doubled_and_nothing_lost(
    make_synapse: Callable[..., Synapse],
    make_bridge: MakeBridge,
    new_user: NewUser,
    database_url: str,
    livekit: LiveKit,
    extent: Extent,
) -> None:
    synapse = make_synapse()
    await synapse.start()
    bridge = make_bridge(settings(database_url), synapse=synapse)
    await bridge.start()
    people = [await new_user(name, at=synapse) for name in ("alice", "bob")]
    async with Scene(livekit, bridge.bot_id, people, extent) as scene:
        await scene.open_rooms(4, visitors=1)
        # What everything rests on: a request that is repeated is answered with the same event.
        room_id, txn_id = scene.talks[0].salon.room_id, secrets.token_hex(8)
        first = await send_as_bot(synapse, bridge, room_id, txn_id)
        for _ in range(extent.rounds):
            await scene.let_happen()
            synapse.kill()
            # As when their machine loses its power.
            both = scene.rng.random() < 0.3
            if both:
                bridge.kill()
            # People go on typing: their clients repeat what they wrote until somebody takes it.
            await asyncio.sleep(scene.rng.uniform(0, 2))
            await synapse.start()
            if both:
                await bridge.start()
            assert await send_as_bot(synapse, bridge, room_id, txn_id) == first
            await scene.hush()
            await scene.settle(40)
            await scene.cards_come_right()
        scene.report()
        await nothing_is_left(bridge, database_url, scene.talks)


async def send_as_bot(synapse: Synapse, bridge: LocalBridge, room_id: str, txn_id: str) -> str:
    """Send an event the way the bridge does; answers its event id."""
    url = f"{synapse.url}/_matrix/client/v3/rooms/{quote(room_id)}/send/m.room.message/{txn_id}"
    async with (
        aiohttp.ClientSession() as session,
        session.put(
            url,
            params={"user_id": bridge.bot_id, "device_id": DEVICE_ID},
            headers={"Authorization": f"Bearer {bridge.slot.registration.as_token}"},
            json={"msgtype": "m.notice", "body": "Bonjour"},
        ) as response,
    ):
        answer = await response.json()
        assert response.status == 200, answer
        return str(answer["event_id"])
