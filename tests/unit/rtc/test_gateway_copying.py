"""The gateway before a simulated SFU: what is copied, and how a connection ends."""

from __future__ import annotations

import asyncio
import random

import aiohttp
import pytest
from aiohttp import WSMsgType
from livekit.protocol.rtc import (
    LeaveRequest,
    SessionDescription,
    SignalRequest,
    SignalResponse,
)

from bridge.rtc.limits import Limits
from tests.support.waiting import until
from tests.unit.rtc.dialling import ACTION, PING, Dial, close_code, heard, status_of
from tests.unit.rtc.house import Face, Signposts, listening
from tests.unit.rtc.simulated_sfu import SimulatedSfu

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
    async with listening(router, close_ms=20_000) as face:
        clients = [await dial(face, face.token(f"user{number}")) for number in range(5)]
        callers = [await sfu.callers.get() for _ in clients]
        stopping = asyncio.create_task(face.gateway.stop(spread_ms=50))
        codes = await asyncio.gather(*map(close_code, clients))
        assert set(codes) == {aiohttp.WSCloseCode.GOING_AWAY}
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
