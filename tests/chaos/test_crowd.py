"""Many rooms ask for a meeting in the same instant."""

from __future__ import annotations

import asyncio
import statistics
import time

from bridge.demo.matrix_user import Event, MatrixUser
from tests.conftest import MakeBridge
from tests.support.cards import CALL, Salon
from tests.support.chaos_bridge import settings, worked_off
from tests.support.chaos_extent import Extent

ROOMS_MADE_AT_ONCE = 8
PATIENCE_S = 120


async def test_every_room_that_asks_at_the_same_time_gets_its_one_card(
    make_bridge: MakeBridge, some_database_url: str, alice: MatrixUser, extent: Extent
) -> None:
    bridge = make_bridge(settings(some_database_url))
    await bridge.start()
    turns = asyncio.Semaphore(ROOMS_MADE_AT_ONCE)

    async def room() -> Salon:
        async with turns:
            return await Salon.made_by(alice, bridge.bot_id)

    salons = await asyncio.gather(*(room() for _ in range(extent.crowd)))
    came: dict[str, float] = {}

    def arrived(room_id: str, event: Event) -> None:
        if CALL in event["content"]:
            came.setdefault(room_id, time.monotonic())

    alice.listeners.append(arrived)
    began = time.monotonic()
    await asyncio.gather(*(salon.say("!visio") for salon in salons))
    asked = time.monotonic()
    await alice.wait_until(lambda: len(came) == len(salons), PATIENCE_S)
    waits = sorted(moment - began for moment in came.values())
    extent.note(
        f"{len(salons)} rooms asked within {asked - began:.1f} s; cards after {waits[0]:.1f} s (first), "
        f"{statistics.median(waits):.1f} s (median), {waits[-1]:.1f} s (last)"
    )
    # In each room the answer to a last question comes after everything else.
    await asyncio.gather(*(salon.say("!visio ping") for salon in salons))
    await alice.wait_until(lambda: all("Je suis là." in salon.said() for salon in salons), PATIENCE_S)
    wrong = {
        salon.room_id: salon.said() for salon in salons if len(salon.cards) != 1 or len(salon.said()) != 2
    }
    assert not wrong, wrong
    await worked_off(some_database_url)
    assert await bridge.stop() == 0
