"""The stand-in does wrong when asked to."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from bridge.demo.visio.faults import Fault, Harm
from tests.unit.demo_visio.caller import ROOMS, Caller


async def test_a_fault_hits_what_it_names_as_often_as_it_says(caller: Caller) -> None:
    token = await caller.token()
    fault = caller.visio.faults.add(Fault(Harm.STATUS, method="POST", path="/rooms/", status=503, times=2))
    assert (await caller.ask("GET", ROOMS, token)).status == 200
    statuses = [(await caller.ask("POST", ROOMS, token)).status for _ in range(3)]
    assert (statuses, fault.hits) == ([503, 503, 201], 2)
    assert caller.visio.count("POST", "/rooms/") == 3


@pytest.mark.parametrize(("harm", "made"), [(Harm.CUT_BEFORE, 0), (Harm.CUT_AFTER, 1)])
async def test_a_connection_is_cut_before_or_after_the_meeting_was_made(
    caller: Caller, harm: Harm, made: int
) -> None:
    token = await caller.token()
    with caller.visio.faults.during(Fault(harm)), pytest.raises(aiohttp.ClientError):
        await caller.ask("POST", ROOMS, token)
    assert len(caller.visio.world.rooms) == made
    assert caller.visio.visits[-1].status is None
    assert (await caller.ask("POST", ROOMS, token)).status == 201


async def test_answers_may_be_anything(caller: Caller) -> None:
    token = await caller.token()
    with caller.visio.faults.during(Fault(Harm.HTML)):
        got = await caller.ask("POST", ROOMS, token)
        assert (got.status, "<html>" in got.body) == (201, True)
    with caller.visio.faults.during(Fault(Harm.WRONG_JSON, body=b'{"id": 7}')):
        assert (await caller.ask("POST", ROOMS, token)).body == {"id": 7}
    with caller.visio.faults.during(Fault(Harm.BROKEN_JSON)), pytest.raises(json.JSONDecodeError):
        await caller.ask("POST", ROOMS, token)
    with caller.visio.faults.during(Fault(Harm.REDIRECT, to="http://elsewhere.example/", status=307)):
        got = await caller.ask("GET", ROOMS, token)
        assert (got.status, got.headers["Location"]) == (307, "http://elsewhere.example/")


async def test_an_answer_may_be_slow_or_never_end(caller: Caller) -> None:
    token = await caller.token()
    caller.visio.faults.add(Fault(Harm.SLOW, seconds=30))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await caller.ask("GET", ROOMS, token)
    caller.visio.faults.clear()
    caller.visio.faults.add(Fault(Harm.ENDLESS))
    async with caller.session.get(caller.visio.url + ROOMS) as response:
        for _ in range(32):
            assert await response.content.readexactly(65_536)


async def test_it_may_go_away_and_come_back(caller: Caller) -> None:
    token = await caller.token()
    caller.visio.go_away()
    with pytest.raises(aiohttp.ClientConnectionError):
        await caller.ask("GET", ROOMS, token)
    caller.visio.come_back()
    assert (await caller.ask("GET", ROOMS, token)).status == 200
