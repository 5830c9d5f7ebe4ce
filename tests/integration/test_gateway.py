"""The gateway between real clients and a real LiveKit."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import AsyncIterator

import aiohttp
import pytest
from livekit import rtc
from livekit.protocol.rtc import SignalResponse

from bridge.demo.peers.livekit import LiveKit
from bridge.rtc.door import Outcome
from bridge.rtc.gateway import Gateway
from bridge.rtc.identities import carried_device, ghost_user_id, plain_identity
from bridge.rtc.limits import Limits
from bridge.sfu.client import Sfu, now_ms
from bridge.sfu.tokens import ApiKey, JoinPass, join_token
from tests.support.waiting import until
from tests.unit.rtc.house import Face, listening, pass_of, signposts
from tests.unit.rtc.people import Person, person

ALICE, BOB = "@alice:example.org:PHONE", "@bob:example.org:PHONE"


@pytest.fixture
def room() -> str:
    return f"visio-{secrets.token_hex(6)}"


@pytest.fixture
def marie() -> str:
    """Somebody in Visio: an identity that means nothing to Matrix."""
    return str(uuid.uuid4())


@pytest.fixture
def ghost(marie: str) -> str:
    return plain_identity(ghost_user_id(marie, prefix="visio_", server_name="example.org"), "VISIO")


@pytest.fixture
async def face(livekit: LiveKit, room: str, marie: str, ghost: str) -> AsyncIterator[Face]:
    async with listening(signposts(livekit, room, {marie: ghost})) as gateway:
        yield gateway


@pytest.fixture
async def visio(livekit: LiveKit, room: str, marie: str) -> AsyncIterator[Person]:
    """Marie, on the SFU's own side, talking."""
    ticket = JoinPass(room, marie, "Marie", 60_000)
    token = join_token(ApiKey(livekit.key, livekit.secret), ticket, now_ms())
    async with person(livekit.url, token) as somebody:
        await somebody.speak()
        yield somebody


@pytest.fixture
async def alice(face: Face, visio: Person) -> AsyncIterator[Person]:
    """Through the gateway, talking."""
    async with person(face.url, face.token()) as somebody:
        await somebody.speak()
        yield somebody


@pytest.fixture
async def sfu(livekit: LiveKit) -> AsyncIterator[Sfu]:
    async with Sfu(livekit.api_url, ApiKey(livekit.key, livekit.secret)) as client:
        yield client


async def sid_of(sfu: Sfu, room: str, identity: str) -> str | None:
    return next((each.sid for each in await sfu.participants(room) if each.identity == identity), None)


async def test_somebody_in_visio_is_seen_and_heard_under_their_ghosts_identity(
    alice: Person, visio: Person, ghost: str
) -> None:
    assert alice.others == [ghost]
    assert alice.room.remote_participants[ghost].name == "Marie"
    await asyncio.gather(alice.hears(ghost), visio.hears(ALICE))


async def test_who_comes_later_is_seen_under_their_ghosts_identity_too(
    face: Face, livekit: LiveKit, room: str, marie: str, ghost: str
) -> None:
    async with person(face.url, face.token()) as early:
        ticket = JoinPass(room, marie, "Marie", 60_000)
        token = join_token(ApiKey(livekit.key, livekit.secret), ticket, now_ms())
        async with person(livekit.url, token) as late:
            await early.sees(ghost)
            await late.speak()
            await early.hears(ghost)
        await early.noticed("participant_disconnected", ghost)
        assert early.others == []


async def test_who_only_listens_is_seen_by_nobody(face: Face, visio: Person, ghost: str) -> None:
    async with person(face.url, face.token("bob", publish=False)) as bob:
        await bob.hears(ghost)
        assert visio.others == []


async def test_messages_in_the_call_arrive(alice: Person, visio: Person) -> None:
    arrived: asyncio.Future[rtc.DataPacket] = asyncio.get_running_loop().create_future()
    visio.room.on("data_received", arrived.set_result)
    await alice.room.local_participant.publish_data("bonjour", topic="greeting")
    packet = await asyncio.wait_for(arrived, 10)
    assert (packet.data, packet.topic) == (b"bonjour", "greeting")


async def test_a_client_gets_passes_where_the_sfu_sends_tokens(face: Face, room: str, visio: Person) -> None:
    query = f"access_token={face.token()}&protocol=16&sdk=js&auto_subscribe=1"
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{face.url}/rtc?{query}") as socket:
        while True:
            said = SignalResponse.FromString(await socket.receive_bytes(timeout=10))
            if said.WhichOneof("message") == "refresh_token":
                break
    assert face.passes.verify(said.refresh_token) == pass_of(sfu_room=room)


async def test_a_signalling_that_is_cut_is_resumed_where_it_was_and_sound_goes_on(
    face: Face, alice: Person, visio: Person, sfu: Sfu, room: str, ghost: str
) -> None:
    await asyncio.gather(alice.hears(ghost), visio.hears(ALICE))
    before = await sid_of(sfu, room, ALICE)
    # A new call would be held elsewhere by now.
    face.router.room = f"{room}-next"
    for connection in face.gateway.connections():
        connection.abort()
    await asyncio.gather(alice.hears(ghost), visio.hears(ALICE))
    await alice.noticed("reconnected")
    assert face.gateway.outcomes[Outcome.RESUMED] == 1
    assert await sid_of(sfu, room, ALICE) == before
    assert ("participant_disconnected", ALICE) not in visio.events
    assert ("participant_disconnected", ghost) not in alice.events


async def test_when_the_gateway_stops_another_takes_over_and_sound_goes_on(
    livekit: LiveKit, room: str, marie: str, ghost: str, visio: Person, sfu: Sfu
) -> None:
    router = signposts(livekit, room, {marie: ghost})
    async with listening(router) as first, person(first.url, first.token()) as alice:
        await alice.speak()
        await asyncio.gather(alice.hears(ghost), visio.hears(ALICE))
        before = await sid_of(sfu, room, ALICE)
        replica = Gateway(first.passes, router)
        stopped, first.gateway = first.gateway, replica
        async with replica:
            first.switch(replica)
            stopping = asyncio.create_task(stopped.stop())
            await asyncio.gather(alice.hears(ghost), visio.hears(ALICE))
            await alice.noticed("reconnected")
            await stopping
            assert replica.outcomes == {Outcome.RESUMED: 1}
            assert await sid_of(sfu, room, ALICE) == before
            assert ("participant_disconnected", ALICE) not in visio.events


async def test_a_running_call_is_moved_into_another_room(
    livekit: LiveKit, room: str, marie: str, ghost: str, visio: Person
) -> None:
    router = signposts(livekit, f"{room}-native", {marie: ghost})
    # The SFU says in time that they have media.
    async with (
        listening(router, limits=Limits(settle_ms=60_000)) as face,
        person(face.url, face.token()) as alice,
        person(face.url, face.token("bob")) as bob,
    ):
        await alice.speak()
        await bob.speak()
        await asyncio.gather(alice.hears(BOB), bob.hears(ALICE))
        router.room = room
        await face.gateway.move(face.gateway.connections())
        await asyncio.gather(
            alice.hears(ghost), bob.hears(ghost), alice.hears(BOB), visio.hears(ALICE), visio.hears(BOB)
        )
        await asyncio.gather(alice.sees(ghost, BOB), bob.sees(ghost, ALICE), visio.sees(ALICE, BOB))
        assert {each.room for each in face.gateway.connections()} == {room}


async def test_who_is_moved_alone_leaves_no_frozen_picture_behind(
    livekit: LiveKit, face: Face, room: str, alice: Person
) -> None:
    async with person(face.url, face.token("bob")) as bob:
        await bob.hears(ALICE)
        face.router.room = f"{room}-next"
        await face.gateway.move(face.gateway.connections(user_id="@alice:example.org"))
        # At once, not when the SFU has waited in vain for her to come back.
        await bob.noticed("participant_disconnected", ALICE, timeout=2)
        await alice.noticed("reconnected")


async def test_who_hangs_up_in_the_middle_of_being_moved_is_in_neither_room(
    face: Face, alice: Person, visio: Person, room: str, sfu: Sfu
) -> None:
    await visio.hears(ALICE)
    face.router.room = f"{room}-next"
    moving = asyncio.create_task(face.gateway.move(face.gateway.connections()))
    await alice.noticed("reconnecting")
    await alice.leave()
    await moving
    await visio.sees()

    async def nobody_there() -> bool:
        return not await sfu.participants(f"{room}-next")

    await until(nobody_there)


async def test_somebody_gets_another_identity_in_the_middle_of_a_call(
    face: Face, alice: Person, room: str, marie: str, ghost: str
) -> None:
    carried = plain_identity("@visio:example.org", carried_device(marie))
    await alice.hears(ghost)
    for before, after in ((ghost, carried), (carried, ghost)):
        alice.events.clear()
        face.router.names.shown_as[marie] = after
        await face.gateway.names_changed(room)
        await alice.hears(after)
        assert alice.events == [("participant_disconnected", before), ("participant_connected", after)]
        assert alice.others == [after]


async def test_somebody_whose_identity_changes_twice_in_a_moment_is_heard_under_the_last_one(
    face: Face, alice: Person, room: str, marie: str, ghost: str
) -> None:
    await alice.hears(ghost)
    changing = []
    for after in (plain_identity("@visio:example.org", carried_device(marie)), ghost):
        face.router.names.shown_as[marie] = after
        changing.append(asyncio.create_task(face.gateway.names_changed(room)))
        await asyncio.sleep(0)  # it begins with a look at the names
    await asyncio.gather(*changing)
    await alice.hears(ghost)
    assert alice.others == [ghost]


async def test_who_was_unseen_can_be_seen_and_heard_later(
    face: Face, alice: Person, room: str, marie: str, ghost: str
) -> None:
    await alice.hears(ghost)
    face.router.names.shown_as[marie] = None
    await face.gateway.names_changed(room)
    await alice.sees()
    face.router.names.shown_as[marie] = ghost
    await face.gateway.names_changed(room)
    await alice.hears(ghost)


async def test_who_is_expelled_stays_out(face: Face, alice: Person) -> None:
    await face.gateway.expel(face.gateway.connections(user_id="@alice:example.org"))
    await alice.noticed("disconnected")
    assert alice.room.connection_state == rtc.ConnectionState.CONN_DISCONNECTED
    await until(lambda: not face.gateway.connections())
