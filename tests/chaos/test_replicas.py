"""Two replicas on one PostgreSQL: one freezes or dies, the other goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from appservice.ownership import LeaseTimes
from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.livekit import LiveKit
from tests.conftest import MakeBridge
from tests.support.bridges import LocalBridge
from tests.support.chaos_bridge import settings, worked_off
from tests.support.chaos_extent import Extent
from tests.support.chaos_scene import Scene
from tests.support.replicas import Replicas, two_replicas
from tests.support.slots import Slot

TAKEN_OVER_S = LeaseTimes().lease_ms / 1000 + LeaseTimes().renew_s
"""After so long the rooms of a replica that is gone belong to another one."""

MARGIN_S = 8
"""For answering what has gathered, on a busy machine."""


@pytest.fixture
async def replicas(make_bridge: MakeBridge, slot: Slot, postgres_url: str) -> AsyncIterator[Replicas]:
    """Two running replicas behind a load balancer."""
    async with two_replicas(make_bridge, slot, postgres_url, settings(postgres_url)) as made:
        yield made


async def test_while_one_replica_is_frozen_or_dead_the_other_works_and_nothing_is_doubled(
    replicas: Replicas,
    postgres_url: str,
    livekit: LiveKit,
    alice: MatrixUser,
    bob: MatrixUser,
    extent: Extent,
) -> None:
    async with Scene(livekit, replicas[0].bot_id, [alice, bob], extent) as scene:
        await scene.open_rooms(4, visitors=1)
        for number in range(extent.rounds):
            await freeze(replicas[number % 2], scene)
            took_s = await kill(replicas[(number + 1) % 2], scene)
            extent.note(f"everything answered {took_s:.1f} s after one replica had died")
        scene.report()
        await worked_off(postgres_url)
        assert [await bridge.stop() for bridge in replicas] == [0, 0]


async def freeze(replica: LocalBridge, scene: Scene) -> None:
    """Let one stand still for longer than its lease."""
    began = await do_without(replica.pause, scene)
    # It wakes up in the belief that the rooms are still its own.
    await asyncio.sleep(max(0, began + TAKEN_OVER_S - time.monotonic()))
    await scene.let_happen()
    replica.resume()
    await scene.let_happen()
    await scene.hush()
    await scene.settle()
    await scene.cards_come_right()


async def kill(replica: LocalBridge, scene: Scene) -> float:
    """Kill one, and start it again; answers how long it took until all was answered, seconds."""
    began = await do_without(replica.kill, scene)
    took_s = time.monotonic() - began
    await scene.cards_come_right()
    await replica.start()
    return took_s


async def do_without(taken_away: Callable[[], object], scene: Scene) -> float:
    """Take one away while much happens, until the other has answered everything; answers when that began."""
    await scene.let_happen()
    taken_away()
    began = time.monotonic()
    await scene.let_happen()
    await scene.hush()
    await scene.settle(TAKEN_OVER_S + MARGIN_S)
    return began
