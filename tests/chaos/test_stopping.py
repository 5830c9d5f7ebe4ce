"""The bridge stopped as an administrator stops it, in the middle of its work."""

from __future__ import annotations

import time

from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.livekit import LiveKit
from tests.conftest import MakeBridge
from tests.support.chaos_bridge import nothing_is_left, settings
from tests.support.chaos_extent import Extent
from tests.support.chaos_scene import Scene

STOPPED_S = 10


async def test_stopped_under_load_it_ends_in_time_and_loses_nothing(
    make_bridge: MakeBridge,
    some_database_url: str,
    livekit: LiveKit,
    alice: MatrixUser,
    bob: MatrixUser,
    extent: Extent,
) -> None:
    bridge = make_bridge(settings(some_database_url))
    await bridge.start()
    async with Scene(livekit, bridge.bot_id, [alice, bob], extent) as scene:
        await scene.open_rooms(4, visitors=1)
        took = []
        for _ in range(extent.rounds):
            await scene.let_happen()
            began = time.monotonic()
            code = await bridge.stop()
            took.append(time.monotonic() - began)
            assert code == 0, "it was killed because it did not stop, or it failed"
            assert took[-1] <= STOPPED_S
            await bridge.start()
            await scene.hush()
            await scene.cards_come_right()
            await scene.settle()
        extent.note("seconds until it had stopped: " + ", ".join(f"{seconds:.1f}" for seconds in took))
        scene.report()
        await nothing_is_left(bridge, some_database_url, scene.talks)
