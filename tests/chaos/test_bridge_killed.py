"""The bridge killed with SIGKILL while it works."""

from __future__ import annotations

import asyncio

from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.livekit import LiveKit
from tests.conftest import MakeBridge
from tests.support.chaos_bridge import nothing_is_left, settings
from tests.support.chaos_extent import Extent
from tests.support.chaos_scene import Scene


async def test_killed_at_random_instants_it_answers_every_command_once(
    make_bridge: MakeBridge,
    database_url: str,
    livekit: LiveKit,
    alice: MatrixUser,
    bob: MatrixUser,
    extent: Extent,
) -> None:
    bridge = make_bridge(settings(database_url))
    await bridge.start()
    async with Scene(livekit, bridge.bot_id, [alice, bob], extent) as scene:
        await scene.open_rooms()
        for _ in range(extent.rounds):
            await scene.let_happen()
            bridge.kill()
            if scene.rng.random() < 0.3:
                # It dies once more while it starts.
                bridge.launch()
                await asyncio.sleep(scene.rng.uniform(0, 2.5))
                bridge.kill()
            await bridge.start()
            await scene.hush()
            await scene.cards_come_right()
            await scene.settle()
        scene.report()
        await nothing_is_left(bridge, database_url, scene.talks)
