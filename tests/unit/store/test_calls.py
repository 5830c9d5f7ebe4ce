from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bridge.calls.model import CallState, EndReason, Participant, ParticipantKind
from bridge.store import calls
from bridge.store.calls import Conflict
from bridge.store.records import Shown
from tests.support.office import ROOM, T0, Office, a_call, an_office

NEW = "!new:hs"


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[Office]:
    async with an_office(database_url) as made:
        yield made


async def end(office: Office, call_id: str = "c1") -> None:
    await office.change(call_id, state=CallState.ENDED, end_reason=EndReason.COMMAND, ended_ts=T0)


async def test_a_call_is_read_as_it_was_written(office: Office) -> None:
    call = a_call(
        subject="Budget", participants=(Participant("a", "A", ParticipantKind.GUEST, False, None, T0),)
    )
    await office.begin(call)
    assert await office.call() == call
    assert await office.store.get("unknown") is None


async def test_a_room_has_one_open_call_and_many_that_are_over(office: Office) -> None:
    await office.begin(a_call())
    with pytest.raises(Conflict):
        await office.begin(a_call(id="c2"))
    await end(office)
    await office.begin(a_call(id="c2"))
    async with office.works.begin(ROOM) as work:
        current = await calls.current(work.connection, ROOM)
    assert current is not None
    assert current.call.id == "c2"


async def test_an_update_of_what_has_changed_is_a_conflict(office: Office) -> None:
    before = (await office.begin(a_call())).call
    async with office.works.begin(ROOM) as work:
        stored = await calls.update(work, before, before.but(subject="One"), Shown(), 0)
        assert stored.version == 1
        with pytest.raises(Conflict):
            await calls.update(work, before, before.but(subject="Two"), Shown(), 0)
    assert (await office.call()).subject == "One"


async def test_a_handler_and_a_look_at_the_same_time_lose_nothing(office: Office) -> None:
    await office.begin(a_call())

    async def ask(name: str) -> None:
        async with office.works.begin(ROOM) as work:
            record = await calls.current(work.connection, ROOM)
            assert record is not None
            await asyncio.sleep(0)
            after = record.call.but(askers=(*record.call.askers, name))
            await office.ledger.save(work, record, after)

    await asyncio.gather(*(ask(f"${number}") for number in range(8)))
    assert sorted((await office.call()).askers) == [f"${number}" for number in range(8)]


async def test_the_newest_call_of_an_sfu_room_is_what_its_link_means(office: Office) -> None:
    await office.begin(a_call())
    await end(office)
    await office.begin(a_call(id="c2", started_ts=T0 + 1))
    found = await office.store.by_sfu_room("passerelle-c1")
    assert found is not None
    assert found.id == "c2"
    assert await office.store.by_sfu_room("passerelle-unknown") is None


async def test_what_has_to_be_looked_at_and_what_the_administrator_sees(office: Office) -> None:
    await office.begin(a_call())
    await office.begin(a_call(id="c2", room_id="!b:hs", started_ts=T0 - 1))
    assert [call.id for call in await office.store.listed()] == ["c2", "c1"]
    await end(office)
    assert [watched.call_id for watched in await office.store.watched(office.now)] == ["c2"]
    assert [call.id for call in await office.store.listed()] == ["c2"]


async def test_people_are_remembered_once_and_forgotten_at_the_end(office: Office) -> None:
    await office.begin(a_call())
    async with office.works.begin(ROOM) as work:
        await calls.remember_persons(work.connection, "c1", {"one": None, "two": None})
        await calls.remember_persons(work.connection, "c1", {"two": None})
        await calls.remember_persons(work.connection, "c1", {})
    assert await office.store.persons("c1") == {"one", "two"}
    await end(office)
    assert await office.store.persons("c1") == frozenset()


async def test_a_call_moves_only_to_the_room_that_its_own_room_names(office: Office) -> None:
    await office.begin(a_call())

    async def move() -> bool:
        async with office.works.begin(NEW) as work:
            return await calls.move(work.connection, ROOM, NEW) is not None

    assert not await move()
    await office.told(ROOM, **{"m.room.tombstone": {"replacement_room": NEW}})
    assert await move()
    moved = await office.record()
    assert moved.call.room_id == NEW
    assert moved.shown == Shown(), "its card there is still to be posted"
    assert not await move()
