from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from appservice.delayed import HandedOver
from appservice.errors import HomeserverUnreachable, MatrixError
from appservice.ownership import SoleOwner
from bridge.calls.ports import SfuUnreachable
from bridge.rtc.delegation import Delegation
from bridge.rtc.identities import alias
from bridge.rtc.leaves import ABSENCE_MS, ARRIVAL_MS
from bridge.rtc.requests import Delay
from bridge.sfu.client import Sfu
from bridge.sfu.model import SfuKind, SfuParticipant
from bridge.store.leaves import LeaveStore
from tests.support.office import T0, Office, an_office
from tests.unit.rtc_service.parts import ALICE, ROOM, House, view

IDENTITY = f"{ALICE}:PHONE"
GONE = MatrixError(404, "M_NOT_FOUND", "no such delay")


@dataclass
class Homeserver:
    """Acts on delays of anybody."""

    open: bool = True
    done: list[tuple[str, str]] = field(default_factory=list)
    refusal: Exception | None = None

    async def can_be_acted_on(self) -> bool:
        if self.refusal is not None:
            raise self.refusal
        return self.open

    async def restart(self, delay_id: str) -> None:
        self._do("restart", delay_id)

    async def send(self, delay_id: str) -> None:
        self._do("send", delay_id)

    def _do(self, what: str, delay_id: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.done.append((what, delay_id))


@dataclass
class World:
    office: Office
    homeserver: Homeserver = field(default_factory=Homeserver)
    inside: dict[str, list[str]] = field(default_factory=dict)
    sfu_away: bool = False

    async def participants(self, room: str) -> list[SfuParticipant]:
        if self.sfu_away:
            raise SfuUnreachable("away")
        return [a_participant(identity) for identity in self.inside.get(room, [])]

    async def delegation(self) -> Delegation:
        """As after a restart: nothing is remembered but what is stored."""
        ownership = SoleOwner()
        await ownership.start()
        return Delegation(
            leaves=LeaveStore(self.office.database),
            handed_over=cast(HandedOver, cast(Any, self.homeserver)),
            sfu=cast(Sfu, cast(Any, self)),
            rooms=House(rooms={ROOM: view()}),
            ownership=ownership,
            clock=self.office.clock,
        )

    async def take(self, delay_id: str = "syd_1") -> None:
        await (await self.delegation()).take(ROOM, IDENTITY, "", Delay(delay_id, 60_000))

    async def round(self, passes: int = 0) -> list[tuple[str, str]]:
        self.office.now += passes
        self.homeserver.done.clear()
        await (await self.delegation()).round()
        return list(self.homeserver.done)


def a_participant(identity: str) -> SfuParticipant:
    return SfuParticipant(
        identity=identity,
        sid="PA_1",
        name="",
        kind=SfuKind.STANDARD,
        joined_ts=T0,
        hidden=False,
        recorder=False,
        can_subscribe=True,
        metadata="",
        attributes={},
    )


@pytest.fixture
async def world(sqlite_url: str) -> Any:
    async with an_office(sqlite_url) as office:
        yield World(office, inside={alias(ROOM): [IDENTITY]})


async def test_a_leave_is_put_off_while_they_are_there_and_sent_when_they_are_gone(world: World) -> None:
    await world.take()
    assert await world.round() == [("restart", "syd_1")]
    assert await world.round() == []
    assert await world.round(ARRIVAL_MS) == [("restart", "syd_1")]
    world.inside.clear()
    assert await world.round(1) == []
    assert await world.round(ABSENCE_MS) == [("send", "syd_1")]
    assert await world.round(ABSENCE_MS) == []


async def test_each_membership_has_one_leave(world: World) -> None:
    await world.take("syd_1")
    await world.take("syd_2")
    assert await world.round() == [("restart", "syd_2")]


async def test_a_leave_that_the_client_sent_itself_is_forgotten(world: World) -> None:
    await world.take()
    world.homeserver.refusal = GONE
    await world.round()
    world.homeserver.refusal = None
    assert await world.round(10 * ARRIVAL_MS) == []


async def test_neighbours_that_are_away_end_nobodys_call(world: World) -> None:
    await world.take()
    world.sfu_away = True
    assert await world.round(10 * ARRIVAL_MS) == [("restart", "syd_1")]
    world.sfu_away = False
    world.homeserver.refusal = HomeserverUnreachable("away")
    assert await world.round(10 * ARRIVAL_MS) == []
    world.homeserver.refusal = None
    assert await world.round() == [("restart", "syd_1")]


async def test_it_is_offered_where_the_homeserver_was_seen_to_accept_it(world: World) -> None:
    delegation = await world.delegation()
    assert await delegation.is_offered()
    world.homeserver.open = False
    assert await delegation.is_offered()
    world.office.now += 300_000
    assert not await delegation.is_offered()
    world.homeserver.refusal = HomeserverUnreachable("away")
    world.office.now += 300_000
    assert not await delegation.is_offered()
