"""The authorization service before a real homeserver and a real SFU (issue 5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import quote

import aiohttp
import pytest

from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.livekit import LiveKit
from bridge.rtc.identities import ROOM_SLOT, alias, hashed_identity
from bridge.rtc.membership import MEMBER_TYPE
from bridge.sfu.client import Sfu
from bridge.sfu.tokens import ApiKey
from tests.conftest import MakeBridge
from tests.support.cards import Salon
from tests.support.native import DEVICE, Service, bring, claims, door, openid
from tests.support.waiting import until
from tests.unit.rtc.people import person


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


@pytest.fixture
async def service(make_bridge: MakeBridge, session: aiohttp.ClientSession) -> Service:
    bridge = make_bridge({"rtc": {"enabled": True}})
    await bridge.start()
    return Service(bridge, session)


async def test_a_room_without_the_bot_gets_what_lk_jwt_service_gives(
    service: Service, alice: MatrixUser, livekit: LiveKit
) -> None:
    room = await alice.create_room()
    status, answer = await service.sfu_get(alice, room)
    assert status == 200
    assert answer["url"] == livekit.url
    assert claims(answer)["sub"] == f"{alice.user_id}:{DEVICE}"
    assert claims(answer)["video"]["room"] == alias(room)
    async with person(answer["url"], answer["jwt"]) as somebody:
        await until(lambda: somebody.room.name == alias(room), 10)


async def test_a_sticky_membership_gets_the_hashed_identity(service: Service, alice: MatrixUser) -> None:
    room = await alice.create_room()
    status, answer = await service.get_token(alice, room)
    assert status == 200
    assert claims(answer)["sub"] == hashed_identity(alice.user_id, DEVICE, "member")
    assert claims(answer)["video"]["room"] == alias(room)


async def test_with_the_bot_in_the_room_signalling_goes_through_the_gateway(
    service: Service, alice: MatrixUser, bob: MatrixUser
) -> None:
    salon = await Salon.made_by(alice, service.bridge.bot_id)
    await bring(alice, bob, salon.room_id)
    answers = [(await service.sfu_get(user, salon.room_id))[1] for user in (alice, bob)]
    assert answers[0]["url"] == f"{service.bridge.public_url}/livekit".replace("http", "ws", 1)
    async with person(**door(answers[0])) as one, person(**door(answers[1])) as other:
        await one.speak()
        await other.hears(f"{alice.user_id}:{DEVICE}")
        await one.sees(f"{bob.user_id}:{DEVICE}")


async def test_while_a_meeting_is_open_the_native_call_leads_into_it(
    service: Service, alice: MatrixUser, livekit: LiveKit
) -> None:
    salon = await Salon.made_by(alice, service.bridge.bot_id)
    await salon.say("!visio")
    card = await salon.card(lambda card: card.state == "open")
    _, answer = await service.sfu_get(alice, salon.room_id)
    assert claims(answer)["video"]["room"] == f"passerelle-{card.call['id']}"
    async with person(**door(answer)):
        card = await salon.card(lambda card: card.state == "active")
        assert [who["user_id"] for who in card.call["participants"]] == [alice.user_id]
    async with Sfu(livekit.api_url, ApiKey(livekit.key, livekit.secret)) as sfu:
        assert await sfu.rooms([alias(salon.room_id)]) == {}


async def test_who_is_not_in_the_room_gets_no_token(
    service: Service, alice: MatrixUser, bob: MatrixUser
) -> None:
    salon = await Salon.made_by(alice, service.bridge.bot_id)
    status, answer = await service.sfu_get(bob, salon.room_id)
    assert (status, answer["errcode"]) == (403, "M_FORBIDDEN")


async def test_a_token_proves_its_owner_and_nobody_else(
    service: Service, alice: MatrixUser, bob: MatrixUser
) -> None:
    room = await alice.create_room()
    status, answer = await service.get_token(alice, room, claimed=bob.user_id)
    assert (status, answer["errcode"]) == (401, "M_UNAUTHORIZED")
    forged = await openid(alice) | {"access_token": "forged"}
    status, answer = await service.sfu_get(alice, room, openid_token=forged)
    assert (status, answer["errcode"]) == (401, "M_UNAUTHORIZED")


async def test_a_server_that_policy_does_not_know_is_not_asked(service: Service, alice: MatrixUser) -> None:
    reached = asyncio.Event()

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        name = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        token = await openid(alice) | {"matrix_server_name": name}
        status, body = await service.sfu_get(alice, await alice.create_room(), openid_token=token)
    assert (status, body["errcode"]) == (403, "M_FORBIDDEN")
    assert not reached.is_set()


async def test_without_the_gateway_tokens_open_the_sfu_itself(
    make_bridge: MakeBridge, session: aiohttp.ClientSession, alice: MatrixUser, livekit: LiveKit
) -> None:
    bridge = make_bridge({"rtc": {"enabled": True, "gateway": False}})
    await bridge.start()
    salon = await Salon.made_by(alice, bridge.bot_id)
    status, answer = await Service(bridge, session).sfu_get(alice, salon.room_id)
    assert (status, answer["url"]) == (200, livekit.url)
    assert claims(answer)["video"]["room"] == alias(salon.room_id)
    assert claims(answer)["exp"] - claims(answer)["nbf"] <= 61


async def test_browsers_may_ask_and_delegation_is_offered(
    service: Service, session: aiohttp.ClientSession
) -> None:
    base = f"{service.bridge.public_url}/livekit"
    for path in ("sfu/get", "get_token", "delegate_delayed_leave"):
        async with session.options(f"{base}/{path}") as answer:
            assert answer.status == 200
            assert answer.headers["Access-Control-Allow-Methods"] == "POST"
    async with session.get(f"{base}/sfu/get") as answer:
        assert answer.status == 405
    async with session.head(f"{base}/healthz") as answer:
        assert answer.status == 200
    status, body = await service.post("delegate_delayed_leave", {})
    assert (status, body["errcode"]) == (400, "M_BAD_JSON")


async def test_a_leave_that_was_handed_over_is_sent_for_whoever_vanishes(
    service: Service, alice: MatrixUser
) -> None:
    room = await alice.create_room(power_levels={"events": {MEMBER_TYPE: 0}})
    key = f"_{alice.user_id}_{DEVICE}_m.call"
    await alice.set_state(room, MEMBER_TYPE, {"application": "m.call", "device_id": DEVICE}, key)
    path = f"/v3/rooms/{quote(room)}/state/{MEMBER_TYPE}/{quote(key)}"
    delay = await alice.request("PUT", path, {}, **{"org.matrix.msc4140.delay": "3600000"})
    _, answer = await service.sfu_get(alice, room)
    async with person(**door(answer)):
        body = {
            "room_id": room,
            "slot_id": ROOM_SLOT,
            "openid_token": await openid(alice),
            "member": {"id": "m", "claimed_user_id": alice.user_id, "claimed_device_id": DEVICE},
            "delay_id": delay["delay_id"],
            "delay_timeout": 3_600_000,
        }
        assert await service.post("delegate_delayed_leave", body) == (200, {})
        assert await alice.state(room, MEMBER_TYPE, key) != {}
    await alice.wait_for(
        room, lambda event: event.get("state_key") == key and event["content"] == {}, timeout=60
    )
