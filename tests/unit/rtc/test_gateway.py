"""The gateway before a simulated SFU: who gets in, what is copied, how it ends."""

from __future__ import annotations

import asyncio
import base64
import gzip
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import WSMsgType
from livekit.protocol.models import DisconnectReason, ParticipantInfo, TrackInfo
from livekit.protocol.rtc import (
    ConnectionQualityUpdate,
    JoinRequest,
    JoinResponse,
    LeaveRequest,
    ParticipantUpdate,
    Ping,
    SessionDescription,
    SignalRequest,
    SignalResponse,
    WrappedJoinRequest,
)

from bridge.rtc.door import Outcome
from bridge.rtc.limits import Limits
from bridge.sfu.client import now_ms
from tests.support.waiting import until
from tests.unit.rtc.house import Face, Signposts, Table, listening, pass_of
from tests.unit.rtc.simulated_sfu import Caller, SimulatedSfu, simulated_sfu

MARIE, GHOST, CARRIED = "5f0c9b3e-marie", "@visio_abc:example.org:VISIO", "@visio:example.org:VISIOabc"
PING = SignalRequest(ping_req=Ping(timestamp=7)).SerializeToString()
ACTION = LeaveRequest.Action

Socket = aiohttp.ClientWebSocketResponse
Dial = Callable[..., Awaitable[Socket]]


@pytest.fixture
async def sfu() -> AsyncIterator[SimulatedSfu]:
    async with simulated_sfu() as simulated:
        yield simulated


@pytest.fixture
def router(sfu: SimulatedSfu) -> Signposts:
    return Signposts(sfu.url, "visio-1")


@pytest.fixture
async def face(router: Signposts) -> AsyncIterator[Face]:
    async with listening(router) as gateway:
        yield gateway


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as client:
        yield client


@pytest.fixture
async def dial(session: aiohttp.ClientSession) -> AsyncIterator[Dial]:
    """Connects through a gateway; the sockets are closed at the end of the test."""
    async with AsyncExitStack() as open_sockets:

        async def connect(face: Face, token: str | None = None, path: str = "/rtc", **query: str) -> Socket:
            asked = urlencode({"access_token": face.token() if token is None else token} | query)
            socket = await session.ws_connect(f"{face.url}{path}?{asked}")
            open_sockets.push_async_callback(socket.close)
            return socket

        yield connect


async def status_of(dialling: Awaitable[Socket]) -> int:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await dialling
    return refused.value.status


async def close_code(socket: Socket) -> int | None:
    """The code with which a socket is closed, after whatever else comes."""
    async with asyncio.timeout(10):
        while (await socket.receive()).type is WSMsgType.BINARY:
            pass
    return socket.close_code


def update(*identities: str) -> bytes:
    people = [ParticipantInfo(sid=f"PA_{identity}", identity=identity) for identity in identities]
    return SignalResponse(update=ParticipantUpdate(participants=people)).SerializeToString()


JOIN = SignalResponse(join=JoinResponse()).SerializeToString()
QUALITY = SignalResponse(connection_quality=ConnectionQualityUpdate()).SerializeToString()


async def settle(client: Socket, caller: Caller) -> None:
    """Have the SFU speak of the client's media."""
    await caller.socket.send_bytes(QUALITY)
    assert (await heard(client)).HasField("connection_quality")


async def heard(socket: Socket) -> SignalResponse:
    return SignalResponse.FromString(await socket.receive_bytes(timeout=10))


# Who gets in


async def test_a_client_reaches_the_sfu_with_the_bridges_token(
    face: Face, sfu: SimulatedSfu, dial: Dial
) -> None:
    await dial(face, protocol="16", sdk="js")
    caller = await sfu.callers.get()
    assert caller.path == "/rtc"
    assert caller.query == {"protocol": "16", "sdk": "js"}
    assert caller.headers["Authorization"].startswith("Bearer ")
    assert face.token() not in caller.headers["Authorization"]
    assert face.gateway.outcomes == {Outcome.OPENED: 1}


async def test_a_token_may_stand_in_the_header(
    face: Face, sfu: SimulatedSfu, session: aiohttp.ClientSession
) -> None:
    headers = {"Authorization": f"Bearer {face.token()}"}
    async with session.ws_connect(f"{face.url}/rtc?access_token=x", headers=headers):
        caller = await sfu.callers.get()
    assert caller.query == {}


async def test_the_newer_path_has_its_join_request_passed_on(
    face: Face, sfu: SimulatedSfu, dial: Dial
) -> None:
    # As large as one with a session description: incompressible.
    wish = JoinRequest(reconnect=True, participant_sid=random.Random(1).randbytes(9000).hex())
    wrapped = WrappedJoinRequest(
        compression=WrappedJoinRequest.Compression.GZIP, join_request=gzip.compress(wish.SerializeToString())
    )
    text = base64.urlsafe_b64encode(wrapped.SerializeToString()).decode()
    await dial(face, path="/rtc/v1", join_request=text)
    caller = await sfu.callers.get()
    assert caller.path == "/rtc/v1"
    assert caller.query == {"join_request": text}
    assert face.router.asked == [(pass_of(), True)]
    assert face.gateway.outcomes == {Outcome.RESUMED: 1}


async def test_a_resumed_session_goes_where_it_was(face: Face, sfu: SimulatedSfu, dial: Dial) -> None:
    alice = await dial(face)
    caller = await sfu.callers.get()
    await caller.socket.send_bytes(SignalResponse(refresh_token="the SFU's").SerializeToString())
    renewed = (await heard(alice)).refresh_token
    face.router.room = "visio-2"
    await dial(face, renewed, reconnect="1")
    assert face.router.asked[-1] == (pass_of(sfu_room="visio-1"), True)
    assert [each.room for each in face.gateway.connections()] == ["visio-1", "visio-1"]


async def test_one_devices_connections_reach_the_sfu_in_the_order_in_which_they_came(
    face: Face, sfu: SimulatedSfu, dial: Dial
) -> None:
    go_on = face.router.hesitation = asyncio.Event()
    first = asyncio.ensure_future(dial(face, number="1"))
    await until(lambda: face.router.asked)
    second = asyncio.ensure_future(dial(face, number="2"))
    # Others are not held up.
    await dial(face, face.token("bob"), number="3")
    go_on.set()
    await asyncio.gather(first, second)
    assert [(await sfu.callers.get()).query["number"] for _ in range(3)] == ["3", "1", "2"]


async def test_who_does_not_wait_is_not_let_into_the_sfu(face: Face, sfu: SimulatedSfu, dial: Dial) -> None:
    go_on = face.router.hesitation = asyncio.Event()
    first = asyncio.ensure_future(dial(face))
    await until(lambda: face.router.asked)
    first.cancel()
    second = asyncio.ensure_future(dial(face, number="2"))
    await dial(face, face.token("bob"), number="3")
    go_on.set()
    await second
    assert [(await sfu.callers.get()).query["number"] for _ in range(2)] == ["3", "2"]
    assert face.gateway.outcomes == {Outcome.OPENED: 2, Outcome.GONE: 1}


@pytest.mark.parametrize("token", ["", "x", "a.b.c"])
async def test_without_a_token_of_ours_nobody_gets_in(face: Face, dial: Dial, token: str) -> None:
    assert await status_of(dial(face, token)) == 401
    assert face.router.asked == []
    assert face.gateway.outcomes == {Outcome.BAD_TOKEN: 1}


async def test_an_expired_token_lets_nobody_in(router: Signposts, dial: Dial) -> None:
    time = [now_ms()]
    async with listening(router, clock=lambda: time[0]) as face:
        token = face.token(ttl_ms=60_000)
        time[0] += 120_000
        assert await status_of(dial(face, token)) == 401


@pytest.mark.parametrize("status", [401, 403, 503])
async def test_whom_the_bridge_denies_does_not_get_in(face: Face, dial: Dial, status: int) -> None:
    face.router.refusal = status
    assert await status_of(dial(face)) == status
    assert face.gateway.outcomes == {Outcome.REFUSED: 1}


async def test_a_join_request_that_cannot_be_read_is_refused(face: Face, dial: Dial) -> None:
    assert await status_of(dial(face, path="/rtc/v1", join_request="abc")) == 400
    assert await status_of(dial(face, path="/rtc/v1")) == 400


@pytest.mark.parametrize("status", [401, 404, 500])
async def test_the_sfus_refusal_reaches_the_client(
    face: Face, sfu: SimulatedSfu, dial: Dial, status: int
) -> None:
    sfu.refuses = status
    assert await status_of(dial(face)) == status
    assert face.gateway.outcomes == {Outcome.SFU_REFUSED: 1}


async def test_an_sfu_that_is_away_is_worth_another_try(face: Face, dial: Dial) -> None:
    face.router.url = "ws://127.0.0.1:1"
    assert await status_of(dial(face)) == 503
    assert face.gateway.outcomes == {Outcome.SFU_UNREACHABLE: 1}


async def test_one_user_cannot_take_all_connections(router: Signposts, dial: Dial) -> None:
    async with listening(router, limits=Limits(connections=3, connections_per_user=2)) as face:
        first, _ = await dial(face), await dial(face)
        assert await status_of(dial(face)) == 429
        await dial(face, face.token("bob"))
        assert await status_of(dial(face, face.token("carol"))) == 429
        await first.close()
        await until(lambda: len(face.gateway.connections()) == 2)
        await dial(face)


async def test_refused_attempts_do_not_count_as_connections(router: Signposts, dial: Dial) -> None:
    async with listening(router, limits=Limits(connections_per_user=1)) as face:
        router.refusal = 403
        for _ in range(3):
            assert await status_of(dial(face)) == 403
        router.refusal = None
        await dial(face)


async def test_what_is_no_websocket_is_not_found(face: Face, session: aiohttp.ClientSession) -> None:
    async with session.get(f"{face.url.replace('ws', 'http', 1)}/rtc") as answer:
        assert answer.status == 404


# The question why


@pytest.mark.parametrize("path", ["/rtc/validate", "/rtc/v1/validate"])
async def test_a_browser_is_told_why_it_was_refused(
    face: Face, session: aiohttp.ClientSession, path: str
) -> None:
    url = f"{face.url.replace('ws', 'http', 1)}{path}"
    wrapped = WrappedJoinRequest(join_request=JoinRequest(participant_sid="PA_1").SerializeToString())
    wish = base64.urlsafe_b64encode(wrapped.SerializeToString()).decode()
    query = {"access_token": face.token(), "join_request": wish}
    async with session.get(url, params=query) as answer:
        assert (answer.status, await answer.text()) == (200, "success")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    async with session.get(url, params=query | {"access_token": "x"}) as answer:
        assert answer.status == 401
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    face.router.refusal = 403
    async with session.get(url, params=query) as answer:
        assert answer.status == 403
    async with session.options(url) as answer:
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_of_the_sfus_explanations_only_the_harmless_one_is_passed_on(
    face: Face, sfu: SimulatedSfu, session: aiohttp.ClientSession
) -> None:
    url = f"{face.url.replace('ws', 'http', 1)}/rtc/validate?access_token={face.token()}"
    sfu.refuses, sfu.explanation = 404, "requested room does not exist"
    async with session.get(url) as answer:
        assert (answer.status, await answer.text()) == (404, "requested room does not exist")
    # LiveKit quotes the token that it does not like.
    sfu.refuses, sfu.explanation = 401, "invalid token: eyJ"
    async with session.get(url) as answer:
        assert (answer.status, await answer.text()) == (401, "not allowed")


# What is copied


async def test_frames_are_copied_both_ways_in_order(face: Face, sfu: SimulatedSfu, dial: Dial) -> None:
    alice = await dial(face)
    caller = await sfu.callers.get()
    down = [SignalResponse(pong=number).SerializeToString() for number in range(1, 200)]
    up = [SignalRequest(ping=number).SerializeToString() for number in range(1, 200)]
    for there, back in zip(up, down, strict=True):
        await alice.send_bytes(there)
        await caller.socket.send_bytes(back)
    assert [await alice.receive_bytes() for _ in down] == down
    assert [await caller.said.get() for _ in up] == up


async def test_bytes_that_are_no_message_are_copied_too(face: Face, sfu: SimulatedSfu, dial: Dial) -> None:
    alice = await dial(face)
    caller = await sfu.callers.get()
    source = random.Random(3)
    for size in (0, 1, 17, 4000, 200_000):
        strange = source.randbytes(size)
        await alice.send_bytes(strange)
        assert await caller.said.get() == strange
        await caller.socket.send_bytes(strange)
        assert await alice.receive_bytes() == strange


async def test_both_sides_get_an_answer_to_their_sockets_pings(
    face: Face, sfu: SimulatedSfu, session: aiohttp.ClientSession
) -> None:
    url = f"{face.url}/rtc?access_token={face.token()}"
    async with session.ws_connect(url, autoping=False) as alice:
        caller = await sfu.callers.get()
        await caller.socket.ping(b"sfu")
        assert await caller.pongs.get() == b"sfu"
        await alice.ping(b"alice")
        pong = await alice.receive()
        assert (pong.type, bytes(pong.data)) == (WSMsgType.PONG, b"alice")


async def test_nothing_is_compressed(face: Face, sfu: SimulatedSfu, dial: Dial) -> None:
    alice = await dial(face)
    caller = await sfu.callers.get()
    assert not alice.compress
    assert not caller.socket.compress


async def test_json_is_refused_because_nobody_would_translate_the_answer(
    face: Face, sfu: SimulatedSfu, dial: Dial
) -> None:
    alice = await dial(face)
    caller = await sfu.callers.get()
    await alice.send_str('{"ping": 1}')
    assert await close_code(alice) == aiohttp.WSCloseCode.UNSUPPORTED_DATA
    await caller.closed.wait()
    assert caller.said.empty()


async def test_a_frame_that_is_too_large_ends_the_connection(router: Signposts, dial: Dial) -> None:
    async with listening(router, limits=Limits(frame_up=1000)) as face:
        alice = await dial(face)
        await alice.send_bytes(bytes(1001))
        assert await close_code(alice) == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


async def test_a_frame_of_the_sfu_that_is_too_large_ends_the_connection(
    router: Signposts, sfu: SimulatedSfu, dial: Dial
) -> None:
    async with listening(router, limits=Limits(frame_down=1000)) as face:
        alice = await dial(face)
        caller = await sfu.callers.get()
        await caller.socket.send_bytes(bytes(1001))
        assert await close_code(alice) == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


# How it ends


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4000])
async def test_a_client_that_closes_closes_the_sfus_side(
    face: Face, sfu: SimulatedSfu, dial: Dial, code: int
) -> None:
    alice = await dial(face)
    caller = await sfu.callers.get()
    await alice.close(code=code)
    await caller.closed.wait()
    assert caller.socket.close_code == code
    await until(lambda: not face.gateway.connections())


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4000])
async def test_an_sfu_that_closes_closes_the_clients_side(
    face: Face, sfu: SimulatedSfu, dial: Dial, code: int
) -> None:
    alice = await dial(face)
    caller = await sfu.callers.get()
    await caller.socket.send_bytes(SignalResponse(leave=LeaveRequest()).SerializeToString())
    closing = asyncio.create_task(caller.socket.close(code=code))
    assert (await heard(alice)).HasField("leave")
    assert await close_code(alice) == code
    await closing
    await until(lambda: not face.gateway.connections())


async def test_a_client_that_vanishes_closes_the_sfus_side(face: Face, sfu: SimulatedSfu, dial: Dial) -> None:
    alice = await dial(face)
    caller = await sfu.callers.get()
    connection = alice._response.connection
    assert connection is not None
    assert connection.transport is not None
    connection.transport.abort()
    await caller.closed.wait()
    await until(lambda: not face.gateway.connections())


async def test_a_client_that_falls_silent_is_let_go(router: Signposts, dial: Dial) -> None:
    async with listening(router, limits=Limits(idle_ms=200)) as face:
        alice = await dial(face)
        assert await close_code(alice) == aiohttp.WSCloseCode.GOING_AWAY


async def test_a_client_that_says_something_now_and_then_stays(router: Signposts, dial: Dial) -> None:
    async with listening(router, limits=Limits(idle_ms=400)) as face:
        alice, silent = await dial(face), await dial(face)
        ended = asyncio.create_task(close_code(silent))
        while not ended.done():
            await alice.send_bytes(PING)
            await asyncio.wait({ended}, timeout=0.05)
        await until(lambda: len(face.gateway.connections()) == 1)
        assert not alice.closed


async def test_a_client_that_reads_nothing_slows_the_sfu_down_and_is_let_go(
    router: Signposts, sfu: SimulatedSfu, dial: Dial
) -> None:
    async with listening(router, limits=Limits(stall_ms=400)) as face:
        alice = await dial(face)
        caller = await sfu.callers.get()
        response = alice._response
        assert response.connection is not None
        assert response.connection.transport is not None
        response.connection.transport.pause_reading()
        sent = 0
        frame = SignalResponse(offer=SessionDescription(sdp="x" * 60_000)).SerializeToString()

        async def pour() -> None:
            nonlocal sent
            while True:
                await caller.socket.send_bytes(frame)
                sent += len(frame)

        pouring = asyncio.create_task(pour())
        await caller.closed.wait()
        pouring.cancel()
        await asyncio.gather(pouring, return_exceptions=True)
        # What the kernel's buffers hold, and a little of our own: not what was to be sent.
        assert sent < 64 * 1024 * 1024
        await until(lambda: not face.gateway.connections())
        response.connection.transport.abort()


async def test_an_sfu_that_reads_nothing_slows_the_client_down_and_is_let_go(
    router: Signposts, sfu: SimulatedSfu, dial: Dial
) -> None:
    sfu.deaf = True
    async with listening(router, limits=Limits(stall_ms=400, close_ms=200)) as face:
        alice = await dial(face)
        caller = await sfu.callers.get()

        async def pour() -> None:
            while True:
                await alice.send_bytes(bytes(100_000))

        with pytest.raises(ConnectionError):
            await asyncio.wait_for(pour(), 20)
        caller.closed.set()
        await until(lambda: not face.gateway.connections())


async def test_a_stopping_gateway_lets_everybody_resume(
    router: Signposts, sfu: SimulatedSfu, dial: Dial
) -> None:
    async with listening(router) as face:
        clients = [await dial(face, face.token(f"user{number}")) for number in range(5)]
        callers = [await sfu.callers.get() for _ in clients]
        stopping = asyncio.create_task(face.gateway.stop(spread_ms=50))
        for client in clients:
            assert await close_code(client) == aiohttp.WSCloseCode.GOING_AWAY
        await stopping
        for caller in callers:
            await caller.closed.wait()
            # The SFU was not told that anybody leaves: it goes on sending them media.
            assert caller.said.empty()
        assert await status_of(dial(face)) == 503


async def test_who_is_expelled_is_told_not_to_come_back(face: Face, sfu: SimulatedSfu, dial: Dial) -> None:
    alice, bob = await dial(face), await dial(face, face.token("bob"))
    expelling = asyncio.create_task(
        face.gateway.expel(face.gateway.connections(user_id="@alice:example.org"))
    )
    assert (await heard(alice)).leave.action == ACTION.DISCONNECT
    assert await close_code(alice) == aiohttp.WSCloseCode.OK
    await expelling
    assert not bob.closed


# Moving


async def test_who_is_moved_leaves_the_room_before_coming_into_the_next(
    face: Face, sfu: SimulatedSfu, dial: Dial
) -> None:
    alice = await dial(face)
    caller = await sfu.callers.get()
    await settle(alice, caller)
    face.router.room = "visio-2"
    moving = asyncio.create_task(face.gateway.move(face.gateway.connections()))
    told = SignalRequest.FromString(await caller.said.get())
    assert told.HasField("leave")
    # What the SFU still says is not for the client, which is to stay.
    await caller.socket.send_bytes(
        SignalResponse(leave=LeaveRequest(action=ACTION.DISCONNECT)).SerializeToString()
    )
    await alice.send_bytes(PING)
    assert not moving.done()
    await caller.socket.close()
    leave = (await heard(alice)).leave
    assert leave.action == ACTION.RECONNECT
    assert leave.can_reconnect
    await alice.close()
    await moving
    assert caller.said.empty()
    await dial(face)
    assert [each.room for each in face.gateway.connections()] == ["visio-2"]


async def test_who_is_still_joining_is_moved_once_they_have_media(
    face: Face, sfu: SimulatedSfu, dial: Dial
) -> None:
    alice = await dial(face)
    caller = await sfu.callers.get()
    moving = asyncio.create_task(face.gateway.move(face.gateway.connections()))
    await caller.socket.send_bytes(JOIN)
    assert (await heard(alice)).HasField("join")
    await alice.send_bytes(PING)
    assert await caller.said.get() == PING
    await settle(alice, caller)
    assert SignalRequest.FromString(await caller.said.get()).HasField("leave")
    await caller.socket.close()
    assert (await heard(alice)).leave.action == ACTION.RECONNECT
    await alice.close()
    await moving


async def test_who_takes_too_long_to_join_is_moved_all_the_same(
    router: Signposts, sfu: SimulatedSfu, dial: Dial
) -> None:
    async with listening(router, limits=Limits(settle_ms=50, move_ms=50)) as face:
        alice = await dial(face)
        moving = asyncio.create_task(face.gateway.move(face.gateway.connections()))
        assert (await heard(alice)).leave.action == ACTION.RECONNECT
        await alice.close()
        await moving


@pytest.mark.parametrize("reason", [DisconnectReason.ROOM_DELETED, DisconnectReason.ROOM_CLOSED])
async def test_a_room_that_is_closed_before_somebody_could_be_moved_does_not_hang_up_for_them(
    face: Face, sfu: SimulatedSfu, dial: Dial, reason: DisconnectReason
) -> None:
    alice = await dial(face)
    caller = await sfu.callers.get()
    moving = asyncio.create_task(face.gateway.move(face.gateway.connections()))
    leave = LeaveRequest(action=ACTION.DISCONNECT, reason=reason)
    await caller.socket.send_bytes(SignalResponse(leave=leave).SerializeToString())
    assert (await heard(alice)).leave.action == ACTION.RECONNECT
    await alice.close()
    await moving


async def test_who_is_put_out_while_they_wait_to_be_moved_is_told_so(
    face: Face, sfu: SimulatedSfu, dial: Dial
) -> None:
    alice = await dial(face)
    caller = await sfu.callers.get()
    moving = asyncio.create_task(face.gateway.move(face.gateway.connections()))
    leave = LeaveRequest(action=ACTION.DISCONNECT, reason=DisconnectReason.PARTICIPANT_REMOVED)
    await caller.socket.send_bytes(SignalResponse(leave=leave).SerializeToString())
    assert (await heard(alice)).leave.action == ACTION.DISCONNECT
    await alice.close()
    await moving


async def test_who_connects_anew_after_a_session_is_told_at_once_that_they_have_one_again(
    face: Face, sfu: SimulatedSfu, dial: Dial
) -> None:
    alice = await dial(face)
    caller = await sfu.callers.get()
    await caller.socket.send_bytes(SignalResponse(refresh_token="the SFU's").SerializeToString())
    renewed = (await heard(alice)).refresh_token
    again = await dial(face, renewed)
    caller = await sfu.callers.get()
    for frame in (JOIN, QUALITY, JOIN):
        await caller.socket.send_bytes(frame)
    said = [await heard(again) for _ in range(4)]
    assert [each.WhichOneof("message") for each in said] == ["join", "leave", "connection_quality", "join"]
    assert said[1].leave.action == ACTION.RESUME


async def test_who_comes_for_the_first_time_or_goes_on_with_a_session_is_told_nothing_of_it(
    face: Face, sfu: SimulatedSfu, dial: Dial
) -> None:
    session = face.passes.sign(pass_of(sfu_room="visio-1"), ttl_ms=60_000)
    for token, query in ((face.token(), {}), (session, {"reconnect": "1"})):
        alice = await dial(face, token, **query)
        caller = await sfu.callers.get()
        for frame in (JOIN, QUALITY):
            await caller.socket.send_bytes(frame)
        assert (await heard(alice)).HasField("join")
        assert (await heard(alice)).HasField("connection_quality")


async def test_an_sfu_that_does_not_let_go_holds_nobody_back(
    router: Signposts, sfu: SimulatedSfu, dial: Dial
) -> None:
    async with listening(router, limits=Limits(move_ms=100, close_ms=100)) as face:
        alice = await dial(face)
        await settle(alice, await sfu.callers.get())
        moving = asyncio.create_task(face.gateway.move(face.gateway.connections()))
        assert (await heard(alice)).leave.action == ACTION.RECONNECT
        await alice.close()
        await moving


# Names


async def test_everybody_in_a_room_sees_the_same_names(face: Face, sfu: SimulatedSfu, dial: Dial) -> None:
    face.router.names.shown_as[MARIE] = GHOST
    for user in ("alice", "bob"):
        client = await dial(face, face.token(user))
        caller = await sfu.callers.get()
        join = JoinResponse(other_participants=[ParticipantInfo(sid="PA_1", identity=MARIE)])
        await caller.socket.send_bytes(SignalResponse(join=join).SerializeToString())
        assert (await heard(client)).join.other_participants[0].identity == GHOST


async def test_with_a_new_name_the_old_one_leaves_first_and_tracks_begin_anew(
    face: Face, sfu: SimulatedSfu, dial: Dial
) -> None:
    face.router.names.shown_as[MARIE] = GHOST
    alice = await dial(face)
    caller = await sfu.callers.get()
    marie = ParticipantInfo(sid="PA_1", identity=MARIE, name="Marie", tracks=[TrackInfo(sid="TR_1")])
    await caller.socket.send_bytes(
        SignalResponse(update=ParticipantUpdate(participants=[marie])).SerializeToString()
    )
    assert (await heard(alice)).update.participants[0].identity == GHOST
    face.router.names.shown_as[MARIE] = CARRIED
    await asyncio.gather(face.gateway.names_changed("visio-1"), face.gateway.names_changed("elsewhere"))
    gone, come = [(await heard(alice)).update.participants[0] for _ in range(2)]
    assert gone == ParticipantInfo(sid="PA_1", identity=GHOST, state=ParticipantInfo.State.DISCONNECTED)
    marie.identity = CARRIED
    assert come == marie
    asked = [SignalRequest.FromString(await caller.said.get()).subscription for _ in range(2)]
    assert [each.subscribe for each in asked] == [False, True]
    assert all(list(each.track_sids) == ["TR_1"] for each in asked)


async def test_new_names_of_one_room_are_told_in_that_room_alone(
    face: Face, sfu: SimulatedSfu, dial: Dial
) -> None:
    elsewhere = replace(pass_of("bob"), room_id="!other:example.org")
    alice, bob = await dial(face), await dial(face, face.passes.sign(elsewhere, ttl_ms=60_000))
    callers = [await sfu.callers.get() for _ in (alice, bob)]
    for caller in callers:
        await caller.socket.send_bytes(update(MARIE))
    for client in (alice, bob):
        assert (await heard(client)).update.participants[0].identity == MARIE
    names = Table({MARIE: GHOST})
    await face.gateway.names_changed("visio-1", room_id="!other:example.org", names=names)
    gone, come = [(await heard(bob)).update.participants[0].identity for _ in range(2)]
    assert (gone, come) == (MARIE, GHOST)
    for caller in callers:
        await caller.socket.send_bytes(update(MARIE))
    assert (await heard(bob)).update.participants[0].identity == GHOST
    # What she hears next is what the SFU says next: she was told nothing.
    again = await heard(alice)
    assert again.update.participants[0] == ParticipantInfo(sid=f"PA_{MARIE}", identity=MARIE)


async def test_names_that_stay_are_not_told_again(face: Face, sfu: SimulatedSfu, dial: Dial) -> None:
    alice = await dial(face)
    caller = await sfu.callers.get()
    await caller.socket.send_bytes(update(MARIE))
    await heard(alice)
    await face.gateway.names_changed("visio-1")
    pong = SignalResponse(pong=1).SerializeToString()
    await caller.socket.send_bytes(pong)
    assert await alice.receive_bytes() == pong


async def test_a_burst_of_frames_never_shows_the_new_name_before_the_old_one_left(
    face: Face, sfu: SimulatedSfu, dial: Dial
) -> None:
    face.router.names.shown_as[MARIE] = GHOST
    alice = await dial(face)
    caller = await sfu.callers.get()

    async def pour() -> None:
        while True:
            await caller.socket.send_bytes(update(MARIE))
            await asyncio.sleep(0)

    pouring = asyncio.create_task(pour())
    await heard(alice)
    face.router.names.shown_as[MARIE] = CARRIED
    renaming = asyncio.create_task(face.gateway.names_changed("visio-1"))
    seen: list[tuple[str, int]] = []
    while not seen or seen[-1][0] != CARRIED:
        info = (await heard(alice)).update.participants[0]
        seen.append((info.identity, info.state))
    pouring.cancel()
    assert seen[-2] == (GHOST, ParticipantInfo.State.DISCONNECTED)
    await renaming
