"""Calls that have nothing to do with Visio: in encrypted rooms, and where the bot is not."""

from __future__ import annotations

import asyncio

import pytest

from bridge.demo.peers.livekit import LiveKit
from tests.browser.rtc.bridge_scene import House
from tests.browser.rtc.rooms import MEMBERSHIP, call_room

pytestmark = pytest.mark.asyncio(loop_scope="session")

ENCRYPTION = {
    "type": "m.room.encryption",
    "state_key": "",
    "content": {"algorithm": "m.megolm.v1.aes-sha2"},
}


async def test_a_room_without_the_bot_is_served_as_by_any_authorization_service(
    house: House, livekit: LiveKit
) -> None:
    alice, bob = await asyncio.gather(house.new_person("Alice"), house.new_person("Bob"))
    room_id = await call_room(alice, bob)
    calls = [await house.open_call(user, room_id, service_url=house.service_url) for user in (alice, bob)]
    with_alice, with_bob = await asyncio.gather(*(call.joined() for call in calls))
    await asyncio.gather(with_alice.sees("Bob"), with_bob.sees("Alice"))
    await asyncio.gather(with_alice.hears(), with_bob.hears())
    for call in calls:
        sockets = [url for url in call.requests if url.startswith("ws")]
        assert sockets
        assert all(url.startswith(f"{livekit.url}/") for url in sockets), "past the gateway"


async def test_in_an_encrypted_room_the_native_call_stays_encrypted_and_apart(house: House) -> None:
    alice, bob = await asyncio.gather(house.new_person("Alice"), house.new_person("Bob"))
    bot_id = house.bridge.bot_id
    room_id = await call_room(alice, bob, invite=(bot_id,), initial_state=[ENCRYPTION])
    await alice.wait_until(lambda: bot_id in alice.room(room_id).members())
    calls = [await house.open_call(user, room_id, service_url=house.service_url) for user in (alice, bob)]
    with_alice, with_bob = await asyncio.gather(*(call.joined() for call in calls))
    # What is decoded was decrypted: with no key or the wrong one there would be no picture.
    await asyncio.gather(with_alice.sees("Bob"), with_bob.sees("Alice"))
    members = [key for kind, key in alice.room(room_id).state if kind == MEMBERSHIP]
    assert len(members) == 2
    assert not any(bot_id in key for key in members)
