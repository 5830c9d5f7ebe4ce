"""What is remembered of rooms, the questions that wait there, and notes to them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from appservice.tables import inbox
from appservice.transaction import decode
from bridge.store import notes, questions, rooms
from bridge.store.rooms import RoomMemory
from tests.support.office import ROOM, T0, Office, an_office


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[Office]:
    async with an_office(database_url) as made:
        yield made


async def test_a_room_is_remembered_piece_by_piece(office: Office) -> None:
    async with office.works.begin(ROOM) as work:
        assert await rooms.recall(work) == RoomMemory()
        await rooms.remember(work, language="fr")
        await rooms.remember(work, welcomed_ts=T0)
        await rooms.remember(work, room_id="!other:hs", language="de")
        assert await rooms.recall(work) == RoomMemory(language="fr", welcomed_ts=T0)
        await rooms.remember(work, welcomed_ts=None)
        assert await rooms.recall(work) == RoomMemory(language="fr")
    async with office.works.begin("!other:hs") as work:
        assert await rooms.recall(work) == RoomMemory(language="de")


async def test_a_question_is_for_one_person_in_one_room_and_is_answered_once(office: Office) -> None:
    async with office.works.begin(ROOM) as work:
        await questions.ask(work, "end", "@ada:hs", 60_000)
        await questions.ask(work, "end", "@ada:hs", 60_000)
        assert not await questions.take(work, "end", "@bob:hs")
        assert not await questions.take(work, "other", "@ada:hs")
    async with office.works.begin("!other:hs") as work:
        assert not await questions.take(work, "end", "@ada:hs")
    async with office.works.begin(ROOM) as work:
        assert await questions.take(work, "end", "@ada:hs")
        assert not await questions.take(work, "end", "@ada:hs")


async def test_an_answer_that_comes_too_late_is_none(office: Office) -> None:
    async with office.works.begin(ROOM) as work:
        await questions.ask(work, "end", "@ada:hs", 60_000)
    office.now += 60_001
    async with office.works.begin(ROOM) as work:
        assert not await questions.take(work, "end", "@ada:hs")


async def test_a_note_waits_in_the_rooms_inbox_like_any_event(office: Office) -> None:
    async with office.database.begin() as connection:
        for number in range(2):
            await notes.leave_note(connection, ROOM, notes.ADMIN_END, {"call_id": f"c{number}"}, T0)
    async with office.database.connect() as connection:
        rows = (await connection.execute(sa.select(inbox).order_by(inbox.c.seq))).all()
    events = [decode(row.event_id, row.room_id, row.received_ts, row.body) for row in rows]
    assert [event.content["call_id"] for event in events] == ["c0", "c1"]
    assert {(event.type, event.room_id, event.sender) for event in events} == {(notes.ADMIN_END, ROOM, "")}
    assert [row.state for row in rows] == ["waiting", "waiting"]
