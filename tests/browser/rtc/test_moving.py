"""A native call that becomes a meeting while people talk, and the end of the meeting."""

from __future__ import annotations

import asyncio

import pytest

from bridge.demo.visio.stand_in import StandIn
from tests.browser.rtc.bridge_scene import House, native_with_visio, shows
from tests.browser.rtc.element_call import ElementCall
from tests.browser.rtc.gateway_scene import meet
from tests.browser.rtc.people import JoinVisio, NewPerson, OpenCall
from tests.browser.rtc.yardstick import Yardstick
from tests.conftest import MakeBridge

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]

LONGEST_GAP_MS = 3000


async def test_a_native_call_becomes_a_meeting_and_goes_on_after_it(house: House) -> None:
    salon, (alice, bob) = await house.salon("Alice", "Bob")
    calls = with_alice, with_bob = await house.call(salon, alice, bob)
    await talk(with_alice, with_bob)
    tokens = [tokens_asked_for(call) for call in calls]

    await asyncio.gather(*(call.watch_gaps() for call in calls))
    with Yardstick() as yardstick:
        card = await house.meeting(salon)
        await salon.card(shows("Alice", "Bob"))
        await talk(with_alice, with_bob)
    await no_long_gap(yardstick, *calls)
    marie = await house.visio(card, "Marie Curie")
    await asyncio.gather(*(meet(call, marie, "Marie Curie") for call in calls))

    await asyncio.gather(*(call.watch_gaps() for call in calls))
    with Yardstick() as yardstick:
        await salon.say("!visio fin")
        await salon.card(lambda card: card.state == "ended")
        await asyncio.gather(*(call.sees_nobody_called("Marie") for call in calls))
        await talk(with_alice, with_bob)
    await no_long_gap(yardstick, *calls)
    assert len(salon.cards) == 1
    assert [tokens_asked_for(call) for call in calls] == tokens, "somebody joined again"


async def test_who_opens_the_meeting_by_calling_comes_into_it(
    make_bridge: MakeBridge,
    visio: StandIn,
    new_person: NewPerson,
    open_call: OpenCall,
    join_visio: JoinVisio,
) -> None:
    bridge = make_bridge(native_with_visio(visio, open="always"))
    await bridge.start()
    house = House(bridge, visio, new_person, open_call, join_visio)
    salon, (alice,) = await house.salon("Alice")
    # The meeting opens while Element Call is still joining.
    (call,) = await house.call(salon, alice)
    card = await salon.card(lambda card: card.url)
    marie = await house.visio(card, "Marie Curie")
    await meet(call, marie, "Marie Curie")


async def talk(with_alice: ElementCall, with_bob: ElementCall) -> None:
    """Wait until the two see and hear each other."""
    await asyncio.gather(with_alice.sees("Bob"), with_bob.sees("Alice"), with_alice.hears(), with_bob.hears())


async def no_long_gap(yardstick: Yardstick, *calls: ElementCall) -> None:
    """Check how long anybody was without sound or picture, by a machine with nothing else to do."""
    longest = max(await asyncio.gather(*(call.longest_gap_ms() for call in calls)))
    assert longest / yardstick.slowness < LONGEST_GAP_MS


def tokens_asked_for(call: ElementCall) -> int:
    """How often a page asked for a place in a call."""
    return sum("/sfu/get" in url or "/get_token" in url for url in call.requests)
