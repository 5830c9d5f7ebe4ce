from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from appservice.bus import Bus
from bridge.chat.refused_servers import RefusedServers
from tests.support.office import ROOM, Office, an_office
from tests.support.waiting import until

SAID = "Members of other.example cannot speak in this meeting (Testbourg's rule)."


@pytest.fixture
async def office(sqlite_url: str) -> AsyncIterator[Office]:
    async with an_office(sqlite_url) as made:
        yield made


def refused(office: Office) -> RefusedServers:
    return RefusedServers(office.works, office.styles, Bus(office.database, "one"), "Testbourg")


async def test_a_room_is_told_once_even_after_a_restart(office: Office) -> None:
    first = refused(office)
    first.tell(ROOM, "other.example")
    first.tell(ROOM, "other.example")
    await until(lambda: is_said(office, 1))
    again = refused(office)
    again.tell(ROOM, "other.example")
    again.tell(ROOM, "third.example")
    await until(lambda: is_said(office, 2))
    assert (await office.said())[0] == SAID


async def is_said(office: Office, count: int) -> bool:
    return len(await office.said()) == count
