from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest

from bridge.calls.model import DialIn
from bridge.demo.visio.faults import Fault, Harm
from bridge.demo.visio.stand_in import StandIn
from bridge.providers.visio.errors import Nonsense, Unreachable, VisioFailure
from bridge.providers.visio.http import VisioHttp
from bridge.providers.visio.rooms import Place, Rooms
from tests.conftest import MakeVisio
from tests.support.waiting import until
from tests.unit.providers.visio.office import QUICK, Ticks

SLUG = "abc-defg-hij"


@asynccontextmanager
async def rooms_of(visio: StandIn, ticks: Ticks | None = None) -> AsyncIterator[Rooms]:
    http = VisioHttp(visio.url, QUICK)
    rooms = Rooms(http, ticks or Ticks())
    try:
        yield rooms
    finally:
        await rooms.close()
        await http.close()


@pytest.mark.parametrize("access", ["public", "trusted", "restricted"])
async def test_a_registered_meeting_is_where_its_id_says(make_visio: MakeVisio, access: str) -> None:
    visio = make_visio()
    there = visio.world.add_room(SLUG, access_level=access)
    async with rooms_of(visio) as rooms:
        assert await rooms.find(SLUG) == Place(there.id, access, registered=True)


async def test_nobody_is_named_in_the_question(make_visio: MakeVisio) -> None:
    visio = make_visio()
    async with rooms_of(visio) as rooms:
        await rooms.find(SLUG)
    assert [visit.path for visit in visio.visits] == [f"/api/v1.0/rooms/{SLUG}/"]


async def test_where_any_slug_is_a_meeting_it_is_where_the_slug_says(make_visio: MakeVisio) -> None:
    async with rooms_of(make_visio(allow_unregistered_rooms=True)) as rooms:
        assert await rooms.find(SLUG) == Place(SLUG, "public", registered=False)


async def test_a_meeting_that_does_not_exist_yet_is_found_once_it_does(make_visio: MakeVisio) -> None:
    visio, ticks = make_visio(), Ticks()
    async with rooms_of(visio, ticks) as rooms:
        assert await rooms.find(SLUG) is None
        there = visio.world.add_room(SLUG)
        ticks.now += 2_001
        found = await rooms.find(SLUG)
    assert found is not None
    assert found.sfu_room == there.id


async def test_a_slug_that_gets_registered_leads_elsewhere(make_visio: MakeVisio) -> None:
    visio, ticks = make_visio(allow_unregistered_rooms=True), Ticks()
    async with rooms_of(visio, ticks) as rooms:
        before = await rooms.find(SLUG)
        there = visio.world.add_room(SLUG)
        ticks.now += 2_001
        after = await rooms.find(SLUG)
    assert before is not None
    assert after is not None
    assert (before.sfu_room, after.sfu_room) == (SLUG, there.id)


async def test_fifty_rooms_with_one_link_ask_once(make_visio: MakeVisio) -> None:
    visio, ticks = make_visio(), Ticks()
    visio.world.add_room(SLUG)
    async with rooms_of(visio, ticks) as rooms:
        await asyncio.gather(*(rooms.find(SLUG) for _ in range(50)))
        await rooms.find(SLUG)
        assert len(visio.visits) == 1
        ticks.now += 10_001
        await rooms.find(SLUG)
        assert len(visio.visits) == 2


async def test_one_who_stops_waiting_does_not_stop_the_others(make_visio: MakeVisio) -> None:
    visio = make_visio()
    visio.world.add_room(SLUG)
    visio.faults.add(Fault(Harm.SLOW, seconds=0.1))
    async with rooms_of(visio) as rooms:
        first, second = (asyncio.create_task(rooms.find(SLUG)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert await second is not None
    assert len(visio.visits) == 1


async def test_a_visio_that_is_away_is_asked_again_soon_but_not_by_everybody(make_visio: MakeVisio) -> None:
    visio, ticks = make_visio(), Ticks()
    there = visio.world.add_room(SLUG)
    gone = visio.faults.add(Fault(Harm.STATUS, status=503))
    async with rooms_of(visio, ticks) as rooms:
        for _ in range(5):
            with pytest.raises(Unreachable):
                await rooms.find(SLUG)
        assert gone.hits == QUICK.attempts
        visio.faults.clear()
        ticks.now += 2_001
        found = await rooms.find(SLUG)
    assert found is not None
    assert found.sfu_room == there.id


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'{"slug": "abc-defg-hij"}',
        orjson.dumps({"id": "abc-defg-hij"}),
        orjson.dumps({"id": "passerelle-x"}),
        orjson.dumps({"id": 7}),
        orjson.dumps({"id": "8E64A7B3-CF25-4A2C-97BA-A692CFD4BB0B"}),
        orjson.dumps({"id": "65583f3fec1f4284ae1e0b0095123e81"}),
    ],
)
async def test_an_answer_that_makes_no_sense_leads_nowhere(make_visio: MakeVisio, body: bytes) -> None:
    visio = make_visio()
    visio.world.add_room(SLUG)
    visio.faults.add(Fault(Harm.WRONG_JSON, body=body))
    async with rooms_of(visio) as rooms:
        with pytest.raises(Nonsense):
            await rooms.find(SLUG)


async def test_an_answer_cannot_name_another_sfu_room(make_visio: MakeVisio) -> None:
    visio = make_visio()
    visio.world.add_room(SLUG)
    elsewhere = {"id": None, "slug": SLUG, "livekit": {"room": "somebody-elses-room"}}
    visio.faults.add(Fault(Harm.WRONG_JSON, body=orjson.dumps(elsewhere)))
    async with rooms_of(visio) as rooms:
        found = await rooms.find(SLUG)
    assert found is not None
    assert found.sfu_room == SLUG


async def test_an_access_level_that_is_unknown_is_none(make_visio: MakeVisio) -> None:
    visio = make_visio()
    room_id = str(uuid.uuid4())
    visio.world.add_room(SLUG)
    visio.faults.add(Fault(Harm.WRONG_JSON, body=orjson.dumps({"id": room_id, "access_level": "secret"})))
    async with rooms_of(visio) as rooms:
        assert await rooms.find(SLUG) == Place(room_id, None, registered=True)


@pytest.mark.parametrize("harm", [Harm.HTML, Harm.BROKEN_JSON, Harm.ENDLESS])
async def test_a_page_in_place_of_an_answer_leads_nowhere(make_visio: MakeVisio, harm: Harm) -> None:
    visio = make_visio()
    visio.world.add_room(SLUG)
    visio.faults.add(Fault(harm))
    async with rooms_of(visio) as rooms:
        with pytest.raises(Nonsense):
            await rooms.find(SLUG)


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_page_of_somebody_before_visio_is_no_missing_meeting(
    make_visio: MakeVisio, status: int
) -> None:
    visio = make_visio()
    visio.faults.add(Fault(Harm.STATUS, status=status))
    async with rooms_of(visio) as rooms:
        with pytest.raises(Nonsense):
            await rooms.find(SLUG)


async def test_a_redirection_elsewhere_is_not_followed(make_visio: MakeVisio) -> None:
    visio, trap = make_visio(), make_visio()
    visio.faults.add(Fault(Harm.REDIRECT, status=302, to=f"{trap.url}/api/v1.0/rooms/{SLUG}/"))
    async with rooms_of(visio) as rooms:
        with pytest.raises(Nonsense):
            await rooms.find(SLUG)
    assert trap.visits == []


@pytest.mark.parametrize("slug", ["abcdefghij", "ABC-DEFG-HIJ", "../../admin", "abc-defg-hij/", "", "a"])
async def test_only_slugs_are_asked_for(make_visio: MakeVisio, slug: str) -> None:
    visio = make_visio()
    async with rooms_of(visio) as rooms:
        with pytest.raises(ValueError, match="slug"):
            await rooms.find(slug)
    assert visio.visits == []


async def test_the_telephone_is_told_of_meetings_that_anybody_may_enter(make_visio: MakeVisio) -> None:
    visio = make_visio(room_telephony_enabled=True)
    there = visio.world.add_room(SLUG, access_level="public", telephony=True)
    closed = visio.world.add_room("klm-nopq-rst", access_level="restricted", telephony=True)
    async with rooms_of(visio) as rooms:
        found = await rooms.find(SLUG)
        other = await rooms.find(closed.slug)
    assert found is not None
    assert found.dial_in == DialIn(visio.switches.room_telephony_phone_number, str(there.pin_code))
    assert other is not None
    assert other.dial_in is None


async def test_the_number_is_asked_for_once(make_visio: MakeVisio) -> None:
    visio, ticks = make_visio(room_telephony_enabled=True), Ticks()
    slugs = [f"abc-defg-hi{letter}" for letter in "abcde"]
    for slug in slugs:
        visio.world.add_room(slug, access_level="public", telephony=True)
    async with rooms_of(visio, ticks) as rooms:
        await asyncio.gather(*map(rooms.find, slugs))
        ticks.now += 60_000
        await asyncio.gather(*map(rooms.find, slugs))
    assert visio.count("GET", "/config/") == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Harm.STATUS, path="/config/", status=500),
        Fault(Harm.HTML, path="/config/"),
        Fault(Harm.WRONG_JSON, path="/config/", body=b'{"telephony": {"enabled": true}}'),
        Fault(Harm.WRONG_JSON, path="/config/", body=b'{"telephony": "no"}'),
    ],
)
async def test_a_number_that_nobody_tells_keeps_no_meeting_from_being_found(
    make_visio: MakeVisio, fault: Fault
) -> None:
    visio = make_visio(room_telephony_enabled=True)
    visio.world.add_room(SLUG, access_level="public", telephony=True)
    visio.faults.add(fault)
    async with rooms_of(visio) as rooms:
        found = await rooms.find(SLUG)
    assert found is not None
    assert found.dial_in is None


async def test_a_number_that_was_not_told_once_is_asked_for_again_soon(make_visio: MakeVisio) -> None:
    visio, ticks = make_visio(room_telephony_enabled=True), Ticks()
    room = visio.world.add_room(SLUG, access_level="public", telephony=True)
    dial_in = DialIn(visio.switches.room_telephony_phone_number, str(room.pin_code))
    async with rooms_of(visio, ticks) as rooms:

        async def told(after_ms: int) -> DialIn | None:
            ticks.now += after_ms
            found = await rooms.find(SLUG)
            assert found is not None
            return found.dial_in

        with visio.faults.during(Fault(Harm.STATUS, path="/config/", status=500)):
            assert await told(0) is None
        assert await told(20_000) == dial_in
        with visio.faults.during(Fault(Harm.STATUS, path="/config/", status=500)):
            assert await told(10 * 60_000) == dial_in, "the number that was told before"
        visio.switches.room_telephony_enabled = False
        assert await told(20_000) is None


async def test_a_question_that_is_cut_off_at_the_end_is_an_error_for_nobody(make_visio: MakeVisio) -> None:
    visio = make_visio()
    slow = visio.faults.add(Fault(Harm.SLOW, seconds=5))
    async with rooms_of(visio) as rooms:
        asking = asyncio.create_task(rooms.find(SLUG))
        await until(lambda: slow.hits == 1)
        await rooms.close()
        with pytest.raises((asyncio.CancelledError, VisioFailure)):
            await asking
