"""What the native calls see of rooms, and how many of them may ask at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from bridge.calls.model import CallState, EndReason
from bridge.rtc.ports import RoomView
from bridge.store.native import RoomViews
from tests.support.office import ROOM, T0, Office, a_call, an_office


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[Office]:
    async with an_office(database_url) as made:
        yield made


async def test_a_room_shows_its_bot_its_encryption_and_the_call_that_is_not_over(office: Office) -> None:
    views = RoomViews(office.database)
    assert await views.view("!unheard:hs") == RoomView("!unheard:hs")
    await office.told()
    assert await views.view(ROOM) == RoomView(ROOM, has_bot=True)
    call = (await office.begin(a_call())).call
    assert await views.view(ROOM) == RoomView(ROOM, has_bot=True, call=call)
    await office.told(**{"m.room.encryption": {"algorithm": "m.megolm.v1.aes-sha2"}})
    assert (await views.view(ROOM)).encrypted
    await office.change("c1", state=CallState.ENDED, end_reason=EndReason.COMMAND, ended_ts=T0)
    assert (await views.view(ROOM)).call is None
    await office.told(membership="leave")
    assert await views.view(ROOM) == RoomView(ROOM)


async def test_a_crowd_that_asks_at_once_costs_two_queries_and_everybody_sees_the_newest(
    office: Office,
) -> None:
    statements: list[str] = []

    def note(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    views = RoomViews(office.database)
    sa.event.listen(office.database.engine.sync_engine, "before_cursor_execute", note)
    first = asyncio.create_task(views.view(ROOM))
    await asyncio.sleep(0)  # it has begun to read, so that what is committed from here on may be news to it
    others = [asyncio.create_task(views.view(f"!{number % 8}:hs")) for number in range(50)]
    others += [asyncio.create_task(views.view(ROOM)) for _ in range(50)]
    found = await asyncio.gather(first, *others)
    assert {view.room_id for view in found} == {ROOM, *(f"!{number}:hs" for number in range(8))}
    assert all(view.has_bot is (view.room_id == ROOM) for view in found)
    assert len([each for each in statements if "SELECT" in each]) == 2


async def test_a_failure_is_everybodys_and_the_next_one_asks_anew(office: Office) -> None:
    views = RoomViews(office.database)
    async with office.database.begin() as connection:
        await connection.execute(sa.text("ALTER TABLE rooms RENAME TO gone"))
    found = await asyncio.gather(*(views.view(ROOM) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(each, SQLAlchemyError) for each in found)
    async with office.database.begin() as connection:
        await connection.execute(sa.text("ALTER TABLE gone RENAME TO rooms"))
    assert (await views.view(ROOM)).has_bot


async def test_who_gives_up_while_reading_leaves_the_others_their_answer(office: Office) -> None:
    views = RoomViews(office.database)
    impatient = asyncio.create_task(views.view(ROOM))
    patient = [asyncio.create_task(views.view(ROOM)) for _ in range(3)]
    await asyncio.sleep(0)
    impatient.cancel()
    assert [view.has_bot for view in await asyncio.gather(*patient)] == [True] * 3
