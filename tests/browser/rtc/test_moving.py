"""A native call that becomes a meeting while people talk, and the end of the meeting."""

from __future__ import annotations

import asyncio

import pytest

from tests.browser.rtc.bridge_scene import House, shows

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_native_call_becomes_a_meeting_and_goes_on_after_it(house: House) -> None:
    salon, (alice, bob) = await house.salon("Alice", "Bob")
    calls = with_alice, with_bob = await house.call(salon, alice, bob)
    await asyncio.gather(with_alice.sees("Bob"), with_bob.sees("Alice"))
    assert salon.cards == []

    await asyncio.gather(*(call.watch_gaps() for call in calls))
    card = await house.meeting(salon)
    await salon.card(shows("Alice", "Bob"))
    marie = await house.visio(card, "Marie Curie")
    await marie.sees_and_hears(*(call.identity for call in calls))
    await asyncio.gather(with_alice.sees("Bob", "Marie Curie"), with_bob.sees("Alice", "Marie Curie"))
    assert max(await asyncio.gather(*(call.longest_gap_ms() for call in calls))) < 3000

    await asyncio.gather(*(call.watch_gaps() for call in calls))
    await salon.say("!visio fin")
    await salon.card(lambda card: card.state == "ended")
    await asyncio.gather(*(call.sees_nobody_called("Marie") for call in calls))
    await asyncio.gather(with_alice.sees("Bob"), with_bob.sees("Alice"))
    await asyncio.gather(*(call.hears() for call in calls))
    assert max(await asyncio.gather(*(call.longest_gap_ms() for call in calls))) < 3000
    assert len(salon.cards) == 1
