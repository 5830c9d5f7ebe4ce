"""The bridge and then the SFU go away in the middle of a call, and come back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Literal

import pytest

from bridge.demo.peers.livekit import LiveKit
from tests.browser.rtc.bridge_scene import House, native_with_visio, shows
from tests.browser.rtc.element_call import ElementCall
from tests.browser.rtc.gateway_scene import meet
from tests.browser.rtc.people import JoinVisio, NewPerson, OpenCall
from tests.browser.rtc.yardstick import Yardstick
from tests.conftest import MakeBridge, MakeVisio

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.timeout(240)
async def test_restarts_of_the_bridge_and_of_the_sfu_lose_nobody(
    make_bridge: MakeBridge,
    make_livekit: Callable[..., LiveKit],
    make_visio: MakeVisio,
    new_person: NewPerson,
    open_call: OpenCall,
    join_visio: JoinVisio,
) -> None:
    livekit = make_livekit()
    await livekit.start()
    visio = make_visio(livekit, external_api_allow_public_access=True)
    bridge = make_bridge(native_with_visio(visio), livekit=livekit)
    await bridge.start()
    house = House(bridge, visio, new_person, open_call, join_visio)
    salon, (alice, bob) = await house.salon("Alice", "Bob")
    card = await house.meeting(salon)
    marie = await house.visio(card, "Marie Curie")
    calls = with_alice, with_bob = await house.call(salon, alice, bob)

    async def everybody_meets() -> None:
        await asyncio.gather(*(meet(call, marie, "Marie Curie") for call in calls))
        await asyncio.gather(with_alice.sees("Bob"), with_bob.sees("Alice"))
        await asyncio.gather(*(call.hears(2) for call in calls))

    await everybody_meets()
    connections = [await call.peer_connections() for call in calls]
    await asyncio.gather(*(call.watch_gaps() for call in calls))
    with Yardstick() as yardstick:
        await bridge.stop()
        await marie.sees_and_hears(*(call.identity for call in calls))
        await bridge.start()
        await everybody_meets()
    assert await longest_gap(calls, "audio") / yardstick.slowness < 1000
    # Element Call hides people for as long as there is no signalling, and then tells the SFU for a moment
    # that it needs no pictures of them.
    assert await longest_gap(calls, "video") / yardstick.slowness < 5000
    assert [await call.peer_connections() for call in calls] == connections, "their media began anew"
    # The new signalling is more than an open socket: somebody who comes now is seen.
    pierre = await house.visio(card, "Pierre Curie")
    await asyncio.gather(*(meet(call, pierre, "Pierre Curie") for call in calls))
    await pierre.leave()
    await salon.card(shows("Alice", "Bob", "Marie Curie"))

    livekit.kill()
    await livekit.start()
    await everybody_meets()
    await salon.card(shows("Alice", "Bob", "Marie Curie"))


async def longest_gap(calls: Sequence[ElementCall], kind: Literal["audio", "video"]) -> float:
    """How long none of this arrived at one of them, in milliseconds."""
    return max(await asyncio.gather(*(call.longest_gap_ms(kind, played=False) for call in calls)))
