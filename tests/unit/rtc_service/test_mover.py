from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from appservice.bus import Bus
from appservice.database import Database
from bridge.calls.model import CallState
from bridge.rtc.casts import Casts
from bridge.rtc.gateway import Gateway
from bridge.rtc.identities import alias
from bridge.rtc.mover import Mover
from bridge.rtc.passes import Pass
from tests.support.waiting import until
from tests.unit.rtc_service.parts import ALICE, ROOM, House, call, view


@dataclass(eq=False)
class Line:
    room: str
    granted: Pass = field(default_factory=lambda: Pass(ALICE, "PHONE", ROOM, f"{ALICE}:PHONE", True))


@dataclass
class Exchange:
    """Stands for the gateway: who is moved connects anew where the call takes place."""

    lines: list[Line]
    house: House
    moves: int = 0
    renamed: list[str] = field(default_factory=list)
    slow: asyncio.Event | None = None

    def connections(self, *, room_id: str | None = None) -> list[Line]:
        return [line for line in self.lines if room_id in (None, line.granted.room_id)]

    async def move(self, lines: Iterable[Line]) -> None:
        self.moves += 1
        if self.slow is not None:
            await self.slow.wait()
        known = (await self.house.view(ROOM)).call
        for line in lines:
            line.room = known.sfu_room or "" if known is not None else alias(ROOM)

    async def names_changed(self, sfu_room: str) -> None:
        self.renamed.append(sfu_room)


async def nobody(_call_id: str) -> dict[str, str | None]:
    return {}


@pytest.fixture
def house() -> House:
    return House(rooms={ROOM: view()})


@pytest.fixture
def exchange(house: House) -> Exchange:
    return Exchange([Line(alias(ROOM)), Line(alias(ROOM))], house)


@pytest.fixture
def bus(sqlite_url: str) -> Bus:
    return Bus(Database.open(sqlite_url), "one")


@pytest.fixture
def casts(bus: Bus) -> Casts:
    return Casts(nobody, House(), bus)


@pytest.fixture
def mover(house: House, exchange: Exchange, casts: Casts, bus: Bus) -> Mover:
    return Mover(gateway=cast(Gateway, cast(Any, exchange)), rooms=house, casts=casts, bus=bus)


async def test_a_meeting_that_opens_takes_the_native_call_in(
    mover: Mover, exchange: Exchange, house: House
) -> None:
    house.rooms[ROOM] = view(call())
    mover.stored(call())
    await until(lambda: {line.room for line in exchange.lines} == {"visio-room"})
    await mover.settle(ROOM)
    assert exchange.moves == 1
    await mover.stop()


async def test_before_a_meeting_is_closed_its_native_participants_have_left(
    mover: Mover, exchange: Exchange
) -> None:
    for line in exchange.lines:
        line.room = "visio-room"
    await mover.evacuate(call(state=CallState.ENDED))
    assert {line.room for line in exchange.lines} == {alias(ROOM)}


async def test_nobody_is_moved_twice_at_the_same_time(mover: Mover, exchange: Exchange, house: House) -> None:
    house.rooms[ROOM] = view(call())
    exchange.slow = asyncio.Event()
    first = asyncio.create_task(mover.settle(ROOM))
    second = asyncio.create_task(mover.settle(ROOM))
    await until(lambda: exchange.moves == 1)
    exchange.slow.set()
    await asyncio.gather(first, second)
    assert exchange.moves == 1


async def test_connections_are_told_of_new_names(mover: Mover, exchange: Exchange, casts: Casts) -> None:
    await casts.of(call())
    mover.faces_changed("of nobody here")
    mover.faces_changed("c1")
    await until(lambda: exchange.renamed == ["visio-room"])
    await mover.stop()
