"""People who come, go, crash, come back and are called otherwise, in a call with both sides."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from tests.browser.rtc.bridge_scene import House, shows
from tests.browser.rtc.gateway_scene import meet

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_who_leaves_either_side_is_gone_and_may_come_back(house: House) -> None:
    salon, (alice, bob) = await house.salon("Alice", "Bob")
    card = await house.meeting(salon)
    marie = await house.visio(card, "Marie Curie")
    with_alice, with_bob = await house.call(salon, alice, bob)
    await asyncio.gather(meet(with_alice, marie, "Marie Curie"), meet(with_bob, marie, "Marie Curie"))
    await marie.leave()
    await asyncio.gather(*(call.sees_nobody_called("Marie") for call in (with_alice, with_bob)))
    pierre = await house.visio(card, "Pierre Curie")
    await meet(with_alice, pierre, "Pierre Curie")
    await with_bob.hang_up()
    await pierre.is_with(with_alice.identity)
    (again,) = await house.call(salon, bob)
    await meet(again, pierre, "Pierre Curie")
    await salon.card(shows("Alice", "Bob", "Pierre Curie"))


async def test_who_crashes_on_either_side_is_gone_in_a_while(house: House) -> None:
    salon, (alice, bob) = await house.salon("Alice", "Bob")
    card = await house.meeting(salon)
    marie = await house.visio(card, "Marie Curie")
    with_alice, with_bob = await house.call(salon, alice, bob)
    await asyncio.gather(meet(with_alice, marie, "Marie Curie"), with_alice.sees("Bob"))
    await with_bob.crash()
    await marie.crash()
    await with_alice.sees_nobody_called("Bob")
    await with_alice.sees_nobody_called("Marie")
    await salon.card(shows("Alice"))


async def test_a_new_name_in_visio_is_the_name_on_the_tile(house: House) -> None:
    salon, (alice,) = await house.salon("Alice")
    card = await house.meeting(salon)
    visio = await house.visio(card, "Marie Curie")
    (call,) = await house.call(salon, alice)
    await meet(call, visio, "Marie Curie")
    stand_in = house.stand_in
    await stand_in.organiser.rename(stand_in.room_of(card.url), visio.identity, "Marie Skłodowska")
    await salon.card(shows("Alice", "Marie Skłodowska"))
    await meet(call, visio, "Marie Skłodowska")
    assert len(await call.tiles()) == 2


async def test_a_ghost_that_is_put_out_of_the_room_leaves_its_tile_to_the_bot(house: House) -> None:
    salon, (alice,) = await house.salon("Alice")
    card = await house.meeting(salon)
    visio = await house.visio(card, "Marie Curie")
    (call,) = await house.call(salon, alice)
    await meet(call, visio, "Marie Curie")
    (ghost,) = alice.room(salon.room_id).members() - {alice.user_id, salon.bot_id}
    await alice.ban(salon.room_id, ghost)
    await call.sees_nobody_called("Marie")
    await meet(call, visio, "Visio")
    tiles = await call.tiles()
    assert len(tiles) == 2
    assert not any(tile.waiting for tile in tiles)


async def test_who_is_kicked_from_the_room_is_out_and_stays_out(house: House) -> None:
    salon, (alice, bob) = await house.salon("Alice", "Bob")
    card = await house.meeting(salon)
    marie = await house.visio(card, "Marie Curie")
    with_alice, with_bob = await house.call(salon, alice, bob)
    await marie.sees_and_hears(with_alice.identity, with_bob.identity)
    await alice.kick(salon.room_id, bob.user_id)
    await marie.is_with(with_alice.identity)
    await salon.card(shows("Alice", "Marie Curie"))
    sockets = [url for url in with_bob.requests if "/livekit/rtc" in url and url.startswith("ws")]
    async with aiohttp.ClientSession() as session:
        for url in sockets:
            assert parse_qs(urlsplit(url).query)["access_token"]
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(url)
            assert refused.value.status in (401, 403)
    await marie.is_with(with_alice.identity)
    await meet(with_alice, marie, "Marie Curie")
