"""The bridge killed with SIGKILL while it works."""

from __future__ import annotations

import asyncio

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from appservice.tables import inbox, outbox
from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.livekit import LiveKit
from tests.chaos.conftest import Extent
from tests.conftest import MakeBridge
from tests.support.chaos_scene import CLOCK_S, Scene


async def left_over(database_url: str) -> dict[str, int]:
    """What a stopped bridge still has to do."""
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        counts = {
            "inbox": sa.select(sa.func.count()).select_from(inbox).where(inbox.c.state != "done"),
            "outbox": sa.select(sa.func.count()).select_from(outbox),
        }
        found = {name: (await connection.execute(query)).scalar_one() for name, query in counts.items()}
    await engine.dispose()
    return found


async def test_killed_at_random_instants_it_answers_every_command_once(
    make_bridge: MakeBridge,
    database_url: str,
    livekit: LiveKit,
    alice: MatrixUser,
    bob: MatrixUser,
    extent: Extent,
) -> None:
    bridge = make_bridge({"database": {"url": database_url}, "calls": {"clock": f"{CLOCK_S}s"}})
    await bridge.start()
    async with Scene(livekit, bridge.bot_id, [alice, bob], extent.seed) as scene:
        await scene.open_rooms()
        took = []
        for _ in range(extent.rounds):
            scene.play()
            await asyncio.sleep(scene.rng.uniform(0, 4))
            bridge.kill()
            if scene.rng.random() < 0.3:
                # It dies once more while it starts.
                bridge.launch()
                await asyncio.sleep(scene.rng.uniform(0, 2.5))
                bridge.kill()
            await bridge.start()
            await scene.hush()
            took.append(await scene.cards_come_right())
            await scene.settle()
        print("cards right again after", [f"{seconds:.1f} s" for seconds in took])
        commands = [len(talk.account.commands) for talk in scene.talks]
        print(f"{commands} commands, {[len(talk.account.cards) for talk in scene.talks]} cards")

        # Nothing late comes after the answer to a last question, because a room is written to in order.
        assert await bridge.stop() == 0
        assert await left_over(database_url) == {"inbox": 0, "outbox": 0}
        await bridge.start()
        for talk in scene.talks:
            await talk.ask("!visio ping")
        await scene.settle()
