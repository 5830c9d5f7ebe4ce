"""The bridge or the SFU goes away in the middle of a call and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from bridge.demo.peers.livekit import LiveKit
from bridge.demo.visio.stand_in import StandIn
from tests.browser.rtc.bridge_scene import House, native_with_visio, shows
from tests.browser.rtc.gateway_scene import meet
from tests.browser.rtc.people import JoinVisio, NewPerson, OpenCall
from tests.conftest import MakeBridge, MakeVisio

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_bridge_that_is_restarted_in_mid_call_loses_neither_media_nor_tiles(
    make_bridge: MakeBridge,
    visio: StandIn,
    new_person: NewPerson,
    open_call: OpenCall,
    join_visio: JoinVisio,
) -> None:
    bridge = make_bridge(native_with_visio(visio))
    await bridge.start()
    house = House(bridge, visio, new_person, open_call, join_visio)
    salon, (alice, bob) = await house.salon("Alice", "Bob")
    card = await house.meeting(salon)
    marie = await house.visio(card, "Marie Curie")
    calls = with_alice, with_bob = await house.call(salon, alice, bob)
    await asyncio.gather(*(meet(call, marie, "Marie Curie") for call in calls))
    connections = [await call.peer_connections() for call in calls]
    await asyncio.gather(*(call.watch_gaps() for call in calls))
    await bridge.stop()
    await marie.sees_and_hears(*(call.identity for call in calls))
    await bridge.start()
    await asyncio.gather(*(meet(call, marie, "Marie Curie") for call in calls))
    await asyncio.gather(with_alice.sees("Bob"), with_bob.sees("Alice"))
    assert [await call.peer_connections() for call in calls] == connections
    assert max(await asyncio.gather(*(call.longest_gap_ms() for call in calls))) < 3000
    await salon.card(shows("Alice", "Bob", "Marie Curie"))
    # Whoever comes now is seen: the signalling is whole again.
    pierre = await house.visio(card, "Pierre Curie")
    await asyncio.gather(*(meet(call, pierre, "Pierre Curie") for call in calls))


async def test_after_the_sfu_was_restarted_everybody_is_together_again(
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
    salon, (alice,) = await house.salon("Alice")
    card = await house.meeting(salon)
    marie = await house.visio(card, "Marie Curie")
    (call,) = await house.call(salon, alice)
    await meet(call, marie, "Marie Curie")
    livekit.kill()
    await livekit.start()
    await marie.sees_and_hears(call.identity)
    await meet(call, marie, "Marie Curie")
    await salon.card(shows("Alice", "Marie Curie"))
