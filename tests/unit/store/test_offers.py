from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from appservice.tables import inbox
from appservice.transaction import decode
from bridge.keeper.housekeeping import Housekeeping
from bridge.store import notes, offers
from tests.support.office import ROOM, Office, an_office

LINK = "https://visio.example/abc-defg-hij"
HOUR = 3_600_000


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[Office]:
    async with an_office(database_url) as made:
        yield made


async def test_an_offer_is_taken_once_and_in_its_own_room(office: Office) -> None:
    async with office.works.begin(ROOM) as work:
        await offers.offer(work, "$link", LINK, HOUR)
        await offers.offer(work, "$link", LINK, HOUR)
        assert await offers.take(work, "$other") is None
    async with office.works.begin("!other:hs") as work:
        assert await offers.take(work, "$link") is None
    async with office.works.begin(ROOM) as work:
        assert await offers.take(work, "$link") == LINK
        assert await offers.take(work, "$link") is None


async def test_an_offer_that_is_too_old_is_none(office: Office) -> None:
    async with office.works.begin(ROOM) as work:
        await offers.offer(work, "$link", LINK, HOUR)
    office.now += HOUR + 1
    async with office.works.begin(ROOM) as work:
        assert not await offers.is_offered(work, LINK)
        assert await offers.take(work, "$link") is None


async def test_all_offers_of_a_link_in_a_room_can_be_taken_back(office: Office) -> None:
    async with office.works.begin("!other:hs") as work:
        await offers.offer(work, "$elsewhere", LINK, HOUR)
    async with office.works.begin(ROOM) as work:
        for event_id, url in (("$1", LINK), ("$2", LINK), ("$3", LINK + "x")):
            await offers.offer(work, event_id, url, HOUR)
        assert await offers.is_offered(work, LINK)
        assert sorted(await offers.take_link(work, LINK)) == ["$1", "$2"]
        assert not await offers.is_offered(work, LINK)
        assert await offers.take(work, "$3") == LINK + "x"
    async with office.works.begin("!other:hs") as work:
        assert await offers.take(work, "$elsewhere") == LINK


async def test_the_room_is_told_of_offers_that_nobody_took_up(office: Office) -> None:
    async with office.works.begin(ROOM) as work:
        await offers.offer(work, "$old", LINK, HOUR)
        await offers.offer(work, "$new", LINK, 3 * HOUR)
    office.now += 2 * HOUR
    housekeeping = Housekeeping(office.database, office.clock)
    await housekeeping.sweep()
    await housekeeping.sweep()
    async with office.database.connect() as connection:
        (row,) = (await connection.execute(sa.select(inbox))).all()
    note = decode(row.event_id, row.room_id, row.received_ts, row.body)
    assert (note.type, note.room_id, note.content) == (notes.OFFER_OVER, ROOM, {"event_id": "$old"})
    async with office.works.begin(ROOM) as work:
        assert await offers.take(work, "$new") == LINK
