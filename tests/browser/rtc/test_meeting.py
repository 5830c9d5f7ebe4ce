"""Element Call and Visio in one call, through the whole bridge."""

from __future__ import annotations

import pytest

from tests.browser.rtc.bridge_scene import GHOSTS_STAY_OUT, House, shows
from tests.browser.rtc.gateway_scene import meet

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_who_visio_knows_and_element_call_meet_under_their_names_and_show_their_screens(
    house: House,
) -> None:
    salon, (alice,) = await house.salon("Alice")
    card = await house.meeting(salon)
    visio = await house.visio(card, "Marie Curie")
    (call,) = await house.call(salon, alice)
    await meet(call, visio, "Marie Curie")
    assert {identity: each.name for identity, each in (await visio.arrived()).items()} == {
        call.identity: "Alice"
    }
    card = await salon.card(shows("Marie Curie", "Alice"))
    people = {person["name"]: person for person in card.call["participants"]}
    assert people["Alice"]["user_id"] == alice.user_id
    assert people["Alice"]["kind"] == "matrix"
    assert people["Marie Curie"]["user_id"] is None

    await call.share_screen()
    await visio.sees_screen_of(call.identity)
    await call.stop_sharing()
    await visio.share_screen()
    await call.sees_several("Marie Curie", 2)

    # No host but those of this machine was asked for anything, nor could be.
    ice_servers = await call.ice_servers()
    assert ice_servers
    assert not any(ice_servers)
    assert call.foreign_requests() == []

    await visio.leave()
    await call.sees_nobody_called("Marie")
    await salon.card(shows("Alice"))
    await call.hang_up()
    await salon.card(shows())


async def test_where_ghosts_cannot_be_invited_the_bot_stands_for_everybody_in_visio(house: House) -> None:
    salon, (alice,) = await house.salon("Alice", power_levels=GHOSTS_STAY_OUT)
    card = await house.meeting(salon)
    marie = await house.visio(card, "Marie Curie")
    jean = await house.visio(card, "Jean", known=False)
    (call,) = await house.call(salon, alice)
    await call.sees_several("Visio", 2)
    await call.hears()
    await marie.sees_and_hears(call.identity, jean.identity)
    await jean.sees_and_hears(call.identity, marie.identity)
    assert not alice.room(salon.room_id).members("invite")
