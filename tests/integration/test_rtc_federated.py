"""People of another homeserver in the meeting: who may speak, who may only listen, who may not come in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest

from bridge.demo.matrix_user import MatrixUser
from bridge.demo.visio.stand_in import StandIn
from bridge.rtc.identities import ghost_user_id
from bridge.rtc.membership import MEMBER_TYPE
from tests.conftest import MakeBridge, NewUser
from tests.integration.visio.conftest import with_visio
from tests.support.cards import Salon
from tests.support.federation import Federation
from tests.support.native import DEVICE, Service, claims, door, openid
from tests.support.slots import Slot
from tests.support.waiting import until
from tests.unit.rtc.people import person

NATIVE = {"rtc": {"enabled": True}}
ANYBODY = {"events": {MEMBER_TYPE: 0}}
THEIR_SFU = "https://sfu.other.example/livekit"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


@pytest.fixture
def place(federation: Federation) -> Iterator[Slot]:
    """A place at the federating homeserver."""
    with federation.slots.lease() as leased:
        yield leased


async def salon_of(host: MatrixUser, bot_id: str, *guests: MatrixUser) -> Salon:
    salon = await Salon.made_by(host, bot_id, power_levels=ANYBODY)
    await salon.admit(*guests)
    return salon


def membership(service_url: str) -> dict[str, Any]:
    return {
        "application": "m.call",
        "call_id": "",
        "device_id": DEVICE,
        "focus_active": {"type": "livekit", "focus_selection": "multi_sfu"},
        "foci_preferred": [{"type": "livekit", "livekit_service_url": service_url}],
    }


async def test_people_of_another_homeserver_speak_or_listen_as_policy_says(
    federation: Federation,
    place: Slot,
    make_bridge: MakeBridge,
    session: aiohttp.ClientSession,
    new_user: NewUser,
    visio: StandIn,
) -> None:
    alice = await new_user("alice", at=federation.ours)
    bob, lea = [await new_user(name, at=federation.theirs) for name in ("bob", "lea")]
    policy = {bob.user_id: "publish", lea.user_id: "subscribe"}
    settings = {"federation": federation.settings(), "policy": policy}
    bridge = make_bridge(with_visio(visio) | NATIVE | settings, synapse=federation.ours, slot=place)
    await bridge.start()
    service = Service(bridge, session)
    salon = await salon_of(alice, bridge.bot_id, bob, lea)
    await salon.say("!visio")
    card = await salon.card(lambda card: card.state == "open")
    user = visio.world.add_user(f"marie-{place.registration.id}@example.org", "Marie Curie")
    ticket = await visio.ticket(visio.room_of(card.url), "Marie Curie", user=user)
    ghost = ghost_user_id(
        ticket.identity, prefix=place.registration.ghost_prefix, server_name=federation.ours.server_name
    )
    marie, bobs, leas = f"{ghost}:VISIO", f"{bob.user_id}:{DEVICE}", f"{lea.user_id}:{DEVICE}"

    # A token proves who its owner is at the server that gave it, and there alone.
    for holder, server in ((alice, federation.theirs), (bob, federation.ours)):
        elsewhere = await openid(holder) | {"matrix_server_name": server.server_name}
        status, answer = await service.sfu_get(holder, salon.room_id, openid_token=elsewhere)
        assert (status, answer["errcode"]) == (401, "M_UNAUTHORIZED")
    for claimed in (alice, lea):
        status, answer = await service.get_token(bob, salon.room_id, claimed=claimed.user_id)
        assert (status, answer["errcode"]) == (401, "M_UNAUTHORIZED")

    status, answer = await service.sfu_get(alice, salon.room_id)
    assert status == 200, answer
    async with person(ticket.sfu_url, ticket.token) as in_visio, person(**door(answer)) as with_alice:
        await in_visio.speak()
        # Through our service, as one whose homeserver advertises it: they speak.
        status, answer = await service.sfu_get(bob, salon.room_id)
        assert status == 200, answer
        async with person(**door(answer)) as with_bob:
            await with_bob.speak()
            await in_visio.hears(bobs)
            await with_alice.hears(bobs)
            await with_bob.hears(marie)
            card = await salon.card(lambda card: len(card.names) == 3)
            assert {who["user_id"] for who in card.call["participants"]} == {None, alice.user_id, bob.user_id}

            # With a transport of their own they ask us because the others' memberships name us: they listen.
            key = f"_{leas.rpartition(':')[0]}_{DEVICE}_m.call"
            await lea.set_state(salon.room_id, MEMBER_TYPE, membership(THEIR_SFU), key)
            status, answer = await service.get_token(lea, salon.room_id)
            assert status == 200, answer
            assert claims(answer)["sub"].startswith(f"{leas}#")
            async with person(**door(answer)) as with_lea:
                await with_lea.hears(bobs)
                await with_lea.hears(marie)
                card = await salon.card(lambda card: card.call["listening"] == 1)
                assert len(card.names) == 3
                for other in (in_visio, with_alice, with_bob):
                    assert not any(identity.startswith(leas) for identity in other.others)
                await lea.set_state(salon.room_id, MEMBER_TYPE, {}, key)
                await with_lea.noticed("disconnected")
            await salon.card(lambda card: card.call["listening"] == 0)
            await with_bob.hears(marie)
    # Who may not speak is said once; nothing is said of who may.
    assert [lea.user_id.partition(":")[2] in said for said in salon.said()].count(True) == 1


async def test_a_homeserver_without_a_rule_is_refused_before_it_is_asked_and_named_once(
    federation: Federation,
    place: Slot,
    make_bridge: MakeBridge,
    session: aiohttp.ClientSession,
    new_user: NewUser,
) -> None:
    asked = 0

    async def count(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.close()

    listener = await asyncio.start_server(count, "127.0.0.1", 0)
    async with listener:
        theirs = federation.theirs.server_name
        address = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        settings = NATIVE | {"federation": {"servers": {theirs: address}}}
        bridge = make_bridge(settings, synapse=federation.ours, slot=place)
        await bridge.start()
        service = Service(bridge, session)
        alice = await new_user("alice", at=federation.ours)
        bob, carol = [await new_user(name, at=federation.theirs) for name in ("bob", "carol")]
        salon = await salon_of(alice, bridge.bot_id, bob, carol)
        for guest in (bob, carol, bob):
            for ask in (service.sfu_get, service.get_token):
                status, answer = await ask(guest, salon.room_id)
                assert (status, answer["errcode"]) == (403, "M_FORBIDDEN")
        await until(lambda: any(theirs in said for said in salon.said()), 20)
        await salon.reply("!visio ping")
    assert asked == 0
    assert [theirs in said for said in salon.said()].count(True) == 1
