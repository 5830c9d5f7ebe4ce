"""The gateway before a simulated SFU: who gets in, and the question why not."""

from __future__ import annotations

import asyncio
import base64
import gzip
import random

import aiohttp
import pytest
from livekit.protocol.rtc import (
    JoinRequest,
    SignalResponse,
    WrappedJoinRequest,
)

from bridge.rtc.door import Outcome
from bridge.rtc.limits import Limits
from bridge.sfu.client import now_ms
from tests.support.waiting import until
from tests.unit.rtc.dialling import Dial, heard, status_of
from tests.unit.rtc.house import Face, Signposts, listening, pass_of
from tests.unit.rtc.simulated_sfu import SimulatedSfu

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
