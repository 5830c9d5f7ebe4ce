"""As whom people are shown in a room's native call, and what stays of that (issue 5)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from bridge.demo.matrix_user import MatrixUser
from bridge.demo.visio.guest import VisioGuest
from bridge.demo.visio.stand_in import StandIn
from bridge.demo.visio.world import User
from bridge.keeper.bell import NOTIFICATION_TYPE
from bridge.rtc.identities import ROOM_SLOT, carried_device, ghost_user_id, hashed_identity, short_id
from bridge.rtc.membership import MEMBER_TYPE, STICKY_TYPES
from tests.conftest import MakeBridge
from tests.integration.visio.conftest import with_visio
from tests.support.bridges import LocalBridge, metric
from tests.support.cards import Salon
from tests.support.native import DEVICE, Service, bring, door
from tests.support.people import Visitor
from tests.support.waiting import until
from tests.unit.rtc.people import person

ANYBODY = {"events": {MEMBER_TYPE: 0}}
STICKY = {"org.matrix.msc4354.sticky_duration_ms": "3600000"}


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


async def a_service(
    make_bridge: MakeBridge, session: aiohttp.ClientSession, settings: dict[str, Any]
) -> Service:
    bridge = make_bridge(settings)
    await bridge.start()
    return Service(bridge, session)


def ghost_of(bridge: LocalBridge, identity: str) -> str:
    prefix = bridge.slot.registration.ghost_prefix
    return ghost_user_id(identity, prefix=prefix, server_name="localhost:8448")


async def test_a_ghost_that_is_put_out_gives_way_to_the_bot_and_names_do_not_outlive_the_meeting(
    make_bridge: MakeBridge,
    session: aiohttp.ClientSession,
    visio: StandIn,
    alice: MatrixUser,
    bob: MatrixUser,
) -> None:
    settings = with_visio(visio) | {"rtc": {"enabled": True, "ring": "notification"}}
    service = await a_service(make_bridge, session, settings)
    bridge = service.bridge
    salon = await Salon.made_by(alice, bridge.bot_id, power_levels=ANYBODY)
    await bring(alice, bob, salon.room_id)
    await salon.say("!visio")
    card = await salon.card(lambda card: card.state == "open")
    meeting = visio.room_of(card.url)

    def somebody(name: str) -> User:
        return visio.world.add_user(f"{name.split(maxsplit=1)[0]}{short_id(salon.room_id)}@example.org", name)

    marie = await visio.ticket(meeting, "Marie Curie", user=somebody("Marie Curie"))
    pierre = await visio.ticket(meeting, "Pierre Curie", user=somebody("Pierre Curie"))
    async with VisioGuest(marie) as first:
        ghost = ghost_of(bridge, first.identity)
        ringing = await alice.wait_for(salon.room_id, lambda event: event["type"] == NOTIFICATION_TYPE)
        assert ringing["sender"] == bridge.bot_id
        assert ringing["content"]["m.mentions"] == {"user_ids": [bob.user_id]}
        assert ringing["content"]["notification_type"] == "notification"
        key = f"_{ghost}_VISIO_m.call"
        written = await alice.wait_for(salon.room_id, lambda event: event.get("state_key") == key)
        about = ringing["content"]["m.relates_to"]
        assert about == {"rel_type": "m.reference", "event_id": written["event_id"]}
        async with person(**await enter(service, alice, salon)) as here, VisioGuest(pierre) as second:
            other = f"{ghost_of(bridge, second.identity)}:VISIO"
            await here.sees(f"{ghost}:VISIO", other)
            await alice.ban(salon.room_id, ghost)
            carried = f"{bridge.bot_id}:{carried_device(first.identity)}"
            await here.sees(carried, other)
            assert here.events.count(("participant_connected", carried)) == 1
            await until(lambda: is_empty(alice, salon, key), 20)
        await salon.say("!visio fin")
    await salon.card(lambda card: card.state == "ended")
    await alice.wait_until(lambda: ghost_of(bridge, second.identity) not in salon_members(alice, salon))
    history = await alice.history(salon.room_id)
    memberships = [event for event in history if event["type"] == "m.room.member"]
    assert "Pierre" not in json.dumps(memberships)
    profile = await alice.request("GET", f"/v3/profile/{ghost_of(bridge, second.identity)}")
    assert "Pierre" not in json.dumps(profile)
    assert [event["type"] for event in history].count(NOTIFICATION_TYPE) == 1
    invited = [event for event in memberships if event["content"]["membership"] == "invite"]
    assert [event["state_key"] for event in invited].count(ghost) <= 1


async def test_natives_are_shown_under_the_identity_that_follows_from_their_membership(
    make_bridge: MakeBridge, session: aiohttp.ClientSession, alice: MatrixUser, bob: MatrixUser
) -> None:
    service = await a_service(make_bridge, session, {"rtc": {"enabled": True}})
    salon = await Salon.made_by(alice, service.bridge.bot_id, power_levels=ANYBODY)
    await bring(alice, bob, salon.room_id)
    await salon.say("!visio")
    card = await salon.card(lambda card: card.state == "open")
    async with await Visitor.by_link(card.url, "Jean"):
        # Element Call asks for the hash wherever it does not know yet that it will publish there.
        status, answer = await service.get_token(bob, salon.room_id)
        assert status == 200
        hashed, plain = hashed_identity(bob.user_id, DEVICE, "member"), f"{bob.user_id}:{DEVICE}"
        async with person(**await enter(service, alice, salon)) as here:
            await until(lambda: len(here.others) == 1, 15)
            (jean,) = here.others
            async with person(**door(answer)) as there:
                await here.sees(jean, hashed)
                await there.speak()
                await here.hears(hashed)
                # The membership is a state event: whoever looks for them looks for this.
                await bob.set_state(salon.room_id, MEMBER_TYPE, native(service), f"_{plain_key(bob)}_m.call")
                await here.sees(jean, plain)
                await here.hears(plain)
                # Whose membership is a sticky event is found under the hash again.
                await bob.set_state(salon.room_id, MEMBER_TYPE, {}, f"_{plain_key(bob)}_m.call")
                await send_sticky(bob, salon.room_id, sticky(bob, service))
                await here.sees(jean, hashed)
                # And whoever asks as only those with a state event do, is plain from then on.
                await send_sticky(bob, salon.room_id, {"msc4354_sticky_key": "member"})
                assert (await service.sfu_get(bob, salon.room_id))[0] == 200
                await here.sees(jean, plain)
                await here.hears(plain)
    async with session.get(f"{service.bridge.internal_url}/health/ready") as health:
        found = await health.json()
    assert (health.status, found["native_calls"]) == (200, "refuses"), "the homeserver names no transport"
    assert f"{service.bridge.public_url}/livekit" in found["advice"]["native_calls"]
    assert await metric(service.bridge, "passerelle_gateway_connections_total") >= 2
    await until_nobody_is_connected(service.bridge)


async def enter(service: Service, user: MatrixUser, salon: Salon) -> dict[str, str]:
    status, answer = await service.sfu_get(user, salon.room_id)
    assert status == 200, answer
    return door(answer)


async def is_empty(user: MatrixUser, salon: Salon, key: str) -> bool:
    return await user.state(salon.room_id, MEMBER_TYPE, key) == {}


def salon_members(user: MatrixUser, salon: Salon) -> set[str]:
    return set(user.room(salon.room_id).members())


def plain_key(user: MatrixUser) -> str:
    return f"{user.user_id}_{DEVICE}"


def native(service: Service) -> dict[str, Any]:
    return {
        "application": "m.call",
        "call_id": "",
        "device_id": DEVICE,
        "focus_active": {"type": "livekit", "focus_selection": "multi_sfu"},
        "foci_preferred": [transport(service)],
    }


def sticky(user: MatrixUser, service: Service) -> dict[str, Any]:
    return {
        "slot_id": ROOM_SLOT,
        "application": {"type": "m.call"},
        "member": {"id": "member", "user_id": user.user_id, "device_id": DEVICE},
        "transports": {"published": [transport(service)], "can_subscribe": ["livekit"]},
        "versions": [],
        "msc4354_sticky_key": "member",
    }


def transport(service: Service) -> dict[str, str]:
    return {"type": "livekit", "livekit_service_url": f"{service.bridge.public_url}/livekit"}


async def send_sticky(user: MatrixUser, room_id: str, content: dict[str, Any]) -> None:
    path = f"/v3/rooms/{room_id}/send/{STICKY_TYPES[0]}/{short_id(json.dumps(content))}"
    await user.request("PUT", path, content, **STICKY)


async def until_nobody_is_connected(bridge: LocalBridge) -> None:
    async def empty() -> bool:
        return await metric(bridge, "passerelle_gateway_connected") == 0

    await until(empty, 10)
