"""People in the native call and people in the meeting, in one SFU room (issue 5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from livekit import rtc

from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.livekit import LiveKit
from bridge.demo.visio.guest import VisioGuest
from bridge.demo.visio.stand_in import StandIn
from bridge.rtc.identities import alias, carried_device, ghost_user_id, short_id
from bridge.rtc.membership import MEMBER_TYPE
from bridge.sfu.client import Sfu
from bridge.sfu.tokens import ApiKey
from tests.conftest import MakeBridge
from tests.integration.visio.conftest import with_visio
from tests.support.bridges import LocalBridge
from tests.support.cards import Salon
from tests.support.native import DEVICE, Service, bring, door
from tests.support.people import Visitor
from tests.support.waiting import until
from tests.unit.rtc.people import Person, person

NATIVE = {"rtc": {"enabled": True}}
ANYBODY = {"events": {MEMBER_TYPE: 0}}
"""Power levels of a room in which native calls are possible, as Element makes them."""


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


@pytest.fixture
async def sfu(livekit: LiveKit) -> AsyncIterator[Sfu]:
    async with Sfu(livekit.api_url, ApiKey(livekit.key, livekit.secret)) as client:
        yield client


@pytest.fixture
async def service(make_bridge: MakeBridge, session: aiohttp.ClientSession) -> Service:
    bridge = make_bridge(NATIVE)
    await bridge.start()
    return Service(bridge, session)


@pytest.fixture
async def with_visio_service(
    make_bridge: MakeBridge, session: aiohttp.ClientSession, visio: StandIn
) -> Service:
    bridge = make_bridge(with_visio(visio) | NATIVE)
    await bridge.start()
    return Service(bridge, session)


async def salon_of(user: MatrixUser, bridge: LocalBridge, **room: Any) -> Salon:
    return await Salon.made_by(user, bridge.bot_id, **({"power_levels": ANYBODY} | room))


async def enter(service: Service, user: MatrixUser, salon: Salon) -> dict[str, str]:
    """What a native client gets after the button was pressed."""
    status, answer = await service.sfu_get(user, salon.room_id)
    assert status == 200, answer
    return door(answer)


def bot_face(service: Service, identity: str) -> tuple[str, str]:
    """Identity and state key of a membership that the bot carries."""
    bot, device = service.bridge.bot_id, carried_device(identity)
    return f"{bot}:{device}", f"_{bot}_{device}_m.call"


async def test_a_guest_of_the_meeting_is_seen_in_the_native_call_through_the_bot(
    service: Service, alice: MatrixUser, sfu: Sfu
) -> None:
    salon = await salon_of(alice, service.bridge)
    await salon.say("!visio")
    card = await salon.card(lambda card: card.state == "open")
    room = f"passerelle-{card.call['id']}"
    async with await Visitor.by_link(card.url, "Jean"):
        (jean,) = await inside(sfu, room, 1)
        shown, key = bot_face(service, jean)
        await alice.wait_for(salon.room_id, lambda event: event.get("state_key") == key)
        async with person(**await enter(service, alice, salon)) as here:
            await here.sees(shown)
            membership = await alice.state(salon.room_id, MEMBER_TYPE, key)
            focus = membership["foci_preferred"][0]
            assert focus["livekit_service_url"] == f"{service.bridge.public_url}/livekit"
            async with await Visitor.by_link(card.url, "Marie"):
                await until(lambda: len(here.others) == 2, 20)
            await here.sees(shown)
    await until_empty(alice, salon, key)


async def test_who_visio_authenticated_is_seen_as_a_ghost_of_their_own(
    with_visio_service: Service, alice: MatrixUser, visio: StandIn
) -> None:
    service = with_visio_service
    salon = await salon_of(alice, service.bridge)
    await salon.say("!visio")
    card = await salon.card(lambda card: card.state == "open")
    marie = visio.world.add_user(f"marie{short_id(salon.room_id)}@example.org", "Marie Curie")
    meeting = visio.room_of(card.url)
    async with person(**await enter(service, alice, salon)) as here:
        async with VisioGuest(await visio.ticket(meeting, "Marie Curie", user=marie)) as guest:
            ghost = ghost_user_id(
                guest.identity,
                prefix=service.bridge.slot.registration.ghost_prefix,
                server_name="localhost:8448",
            )
            await here.sees(f"{ghost}:VISIO")
            await alice.wait_until(lambda: ghost in alice.room(salon.room_id).members())
            member = await alice.state(salon.room_id, "m.room.member", ghost)
            assert member["displayname"] == "Marie Curie"
            await until_written(alice, salon, f"_{ghost}_VISIO_m.call")
        await here.sees()
        await until_empty(alice, salon, f"_{ghost}_VISIO_m.call")
        await salon.say("!visio fin")
    await alice.wait_until(lambda: ghost not in alice.room(salon.room_id).members())


async def test_a_native_call_moves_into_the_meeting_and_back(
    service: Service, alice: MatrixUser, bob: MatrixUser, sfu: Sfu
) -> None:
    salon = await salon_of(alice, service.bridge)
    await bring(alice, bob, salon.room_id)
    async with (
        person(**await enter(service, alice, salon)) as one,
        person(**await enter(service, bob, salon)) as other,
    ):
        await one.speak()
        await other.hears(f"{alice.user_id}:{DEVICE}")
        assert one.room.name == alias(salon.room_id)
        await salon.say("!visio")
        card = await salon.card(lambda card: len(card.names) == 2)
        room = f"passerelle-{card.call['id']}"
        await inside(sfu, room, 2)
        await other.hears(f"{alice.user_id}:{DEVICE}")
        async with await Visitor.by_link(card.url, "Jean"):
            await until(lambda: len(one.others) == len(other.others) == 2, 20)
        await salon.say("!visio fin")
        await salon.card(lambda card: card.state == "ended")
        await other.hears(f"{alice.user_id}:{DEVICE}")
        await inside(sfu, alias(salon.room_id), 2)
        assert ("disconnected", None) not in one.events + other.events


async def test_who_is_kicked_from_the_room_is_put_out_of_the_call_and_stays_out(
    service: Service, alice: MatrixUser, bob: MatrixUser, sfu: Sfu
) -> None:
    salon = await salon_of(alice, service.bridge)
    await bring(alice, bob, salon.room_id)
    await salon.say("!visio")
    card = await salon.card(lambda card: card.state == "open")
    bobs = await enter(service, bob, salon)
    async with person(**await enter(service, alice, salon)) as one, person(**bobs) as other:
        await one.sees(f"{bob.user_id}:{DEVICE}")
        await alice.kick(salon.room_id, bob.user_id)
        await other.noticed("disconnected")
        await one.sees()
        with pytest.raises(rtc.ConnectError):
            await Person().join(**bobs)
        await bring(alice, bob, salon.room_id)
        assert (await service.sfu_get(bob, salon.room_id))[0] == 403
    await inside(sfu, f"passerelle-{card.call['id']}", 0)


async def test_who_may_only_listen_is_on_the_card_and_hidden_and_goes_with_their_membership(
    make_bridge: MakeBridge,
    session: aiohttp.ClientSession,
    alice: MatrixUser,
    bob: MatrixUser,
    sfu: Sfu,
) -> None:
    bridge = make_bridge(NATIVE | {"policy": {bob.user_id: "subscribe"}})
    await bridge.start()
    service = Service(bridge, session)
    salon = await salon_of(alice, bridge)
    await bring(alice, bob, salon.room_id)
    await salon.say("!visio")
    await salon.card(lambda card: card.state == "open")
    key = f"_{bob.user_id}_{DEVICE}_m.call"
    membership = {
        "application": "m.call",
        "call_id": "",
        "device_id": DEVICE,
        "focus_active": {"type": "livekit", "focus_selection": "multi_sfu"},
        "foci_preferred": [{"type": "livekit", "livekit_service_url": "https://sfu.other.example"}],
    }
    await bob.set_state(salon.room_id, MEMBER_TYPE, membership, key)
    async with person(**await enter(service, alice, salon)) as one:
        await one.speak()
        async with person(**await enter(service, bob, salon)) as other:
            await other.hears(f"{alice.user_id}:{DEVICE}")
            await salon.card(lambda card: card.call["listening"] == 1)
            assert one.others == []
            await bob.set_state(salon.room_id, MEMBER_TYPE, {}, key)
            await other.noticed("disconnected")
        await salon.card(lambda card: card.call["listening"] == 0)
    server = bob.user_id.partition(":")[2]
    await until(lambda: any(server in said for said in salon.said()), 10)


async def test_encryption_in_mid_call_moves_natives_out_and_visio_stays(
    service: Service, alice: MatrixUser, sfu: Sfu
) -> None:
    salon = await salon_of(alice, service.bridge)
    await salon.say("!visio")
    card = await salon.card(lambda card: card.state == "open")
    meeting = f"passerelle-{card.call['id']}"
    async with await Visitor.by_link(card.url, "Jean"):
        (jean,) = await inside(sfu, meeting, 1)
        shown, key = bot_face(service, jean)
        async with person(**await enter(service, alice, salon)) as here:
            await here.sees(shown)
            await alice.set_state(salon.room_id, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
            await inside(sfu, alias(salon.room_id), 1)
            await here.sees()
            assert await inside(sfu, meeting, 1) == [jean]
            await until_empty(alice, salon, key)


async def test_the_first_native_participant_may_open_the_meeting(
    make_bridge: MakeBridge, session: aiohttp.ClientSession, alice: MatrixUser
) -> None:
    bridge = make_bridge({"rtc": {"enabled": True, "open": "always"}})
    await bridge.start()
    service = Service(bridge, session)
    salon = await salon_of(alice, bridge)
    membership = {
        "application": "m.call",
        "call_id": "",
        "device_id": DEVICE,
        "focus_active": {"type": "livekit", "focus_selection": "multi_sfu"},
        "foci_preferred": [{"type": "livekit", "livekit_service_url": f"{bridge.public_url}/livekit"}],
    }
    await alice.set_state(salon.room_id, MEMBER_TYPE, membership, f"_{alice.user_id}_{DEVICE}_m.call")
    async with person(**await enter(service, alice, salon)) as here:
        card = await salon.card(lambda card: card.state == "active")
        await until(lambda: here.room.name == f"passerelle-{card.call['id']}", 20)


async def inside(sfu: Sfu, sfu_room: str, count: int) -> list[str]:
    """Wait until so many are in an SFU room; who they are."""

    async def complete() -> bool:
        return len(await sfu.participants(sfu_room)) == count

    await until(complete, 20)
    return [who.identity for who in await sfu.participants(sfu_room)]


async def until_written(user: MatrixUser, salon: Salon, key: str) -> None:
    await user.wait_for(salon.room_id, lambda event: event.get("state_key") == key and event["content"] != {})


async def until_empty(user: MatrixUser, salon: Salon, key: str) -> None:
    async def empty() -> bool:
        return await user.state(salon.room_id, MEMBER_TYPE, key) == {}

    await until(empty, 20)
