from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from appservice.errors import HomeserverUnreachable
from appservice.intents import Actors
from appservice.namespace import Namespace
from appservice.operations import SendEvent
from bridge.calls.model import Participant, ParticipantKind
from bridge.keeper.bell import LIFETIME_MS, MOST_CALLED, NOTIFICATION_TYPE, Bell
from bridge.projections.memberships import Face, Rung
from bridge.rtc.membership import MEMBER_TYPE, Membership
from bridge.store import faces, natives
from tests.support.office import BOT, ROOM, T0, Office, a_call

FACE = Face("marie", ROOM, Rung.BOT, user_id=BOT, device_id="VISIOx", since_ts=T0, renew_ts=T0 + 1)
ASKED = {"reference": "ABC", "access": "public"}


@dataclass
class Homeserver:
    joined: dict[str, Any] = field(default_factory=lambda: {"@ada:hs": {}, "@bob:hs": {}, BOT: {}})
    away: bool = False

    @property
    def bot(self) -> Homeserver:
        return self

    async def joined_members(self, _room_id: str) -> dict[str, Any]:
        if self.away:
            raise HomeserverUnreachable("away")
        return self.joined


@dataclass
class Tower:
    office: Office
    homeserver: Homeserver = field(default_factory=Homeserver)

    def bell(self) -> Bell:
        actors = cast(Actors, self.homeserver)
        namespace = Namespace("hs", "visio", "visio_")
        return Bell(works=self.office.works, actors=actors, namespace=namespace, kind="ring")

    async def begin(self, *shown: Face, **fields: object) -> None:
        """A call begins, and some are shown in the native call."""
        await self.office.begin(a_call(**ASKED | fields))
        await self.office.send()
        await self.show(*shown)

    async def show(self, *shown: Face) -> None:
        async with self.office.works.begin(ROOM) as work:
            before = await faces.of_call(work.connection, "c1")
            await faces.replace(work, "c1", before, {face.identity: face for face in shown})

    async def rings(self) -> list[dict[str, Any]]:
        await self.bell().look("c1", ROOM)
        return [
            dict(operation.content)
            for operation in await self.office.send()
            if isinstance(operation, SendEvent) and operation.type == NOTIFICATION_TYPE
        ]


@pytest.fixture
def tower(office: Office) -> Tower:
    return Tower(office)


async def test_the_first_one_in_visio_calls_the_others_once(tower: Tower) -> None:
    await tower.begin(FACE)
    assert await tower.rings() == [
        {
            "m.mentions": {"user_ids": ["@bob:hs"]},
            "notification_type": "ring",
            "sender_ts": T0,
            "lifetime": LIFETIME_MS,
            "m.call.intent": "video",
        }
    ]
    # Each look is as after a restart: nothing but the database remembers.
    assert await tower.rings() == []


async def test_it_refers_to_the_membership_that_it_is_about(tower: Tower) -> None:
    await tower.begin(FACE)
    await tower.bell().look("c1", ROOM)
    ((_, operation),) = await tower.office.outbox()
    assert isinstance(operation, SendEvent)
    assert operation.about == (MEMBER_TYPE, FACE.state_key)


@pytest.mark.parametrize(
    "fields",
    [{"reference": None}, {"adopted": True}],
    ids=["met again behind an old link", "a meeting of others"],
)
async def test_a_meeting_that_nobody_asked_for_does_not_ring(tower: Tower, fields: dict[str, Any]) -> None:
    await tower.begin(FACE, **fields)
    assert await tower.rings() == []


@pytest.mark.parametrize(
    "shown",
    [
        (),
        (Face("marie", ROOM, Rung.CARD, since_ts=T0),),
        (Face("marie", ROOM, Rung.GHOST, user_id="@visio_x:hs", since_ts=T0, present=False),),
        (Face("jean", ROOM, Rung.BOT, user_id=BOT, since_ts=T0 - 60_000), FACE),
    ],
    ids=["nobody is in", "on the card only", "has left", "the call is under way"],
)
async def test_only_the_opening_of_the_native_call_rings(tower: Tower, shown: tuple[Face, ...]) -> None:
    await tower.begin(*shown)
    assert await tower.rings() == []


async def test_a_native_call_that_was_there_first_has_rung_already(tower: Tower) -> None:
    await tower.begin(FACE)
    native = Membership("@bob:hs", "PHONE", "", T0 + 1)
    async with tower.office.works.begin(ROOM) as work:
        await natives.put(work.connection, ROOM, "_bob", native)
    assert await tower.rings() == []
    async with tower.office.works.begin(ROOM) as work:
        await natives.put(work.connection, ROOM, "_bob", None)
    assert await tower.rings() == []


async def test_who_asked_for_the_meeting_and_who_is_in_it_are_not_called(tower: Tower) -> None:
    tower.homeserver.joined |= {"@eve:hs": {}, "@visio_marie:hs": {}}
    bob = Participant("@bob:hs:PHONE", "Bob", ParticipantKind.MATRIX, True, "@bob:hs", T0)
    await tower.begin(FACE, participants=(bob,))
    (content,) = await tower.rings()
    assert content["m.mentions"] == {"user_ids": ["@eve:hs"]}


@pytest.mark.parametrize(
    ("levels", "mentions"),
    [({}, []), ({"users": {BOT: 50}}, [{"room": True}]), ({"notifications": {"room": 0}}, [{"room": True}])],
)
async def test_in_a_large_room_everybody_is_called_together_or_nobody(
    tower: Tower, levels: dict[str, Any], mentions: list[Any]
) -> None:
    tower.homeserver.joined |= {f"@user{number}:hs": {} for number in range(MOST_CALLED + 1)}
    await tower.office.told(ROOM, **{"m.room.power_levels": levels})
    await tower.begin(FACE)
    assert [content["m.mentions"] for content in await tower.rings()] == mentions


async def test_while_the_homeserver_is_away_it_waits_as_long_as_it_is_news(tower: Tower) -> None:
    await tower.begin(FACE)
    tower.homeserver.away = True
    assert await tower.rings() == []
    tower.homeserver.away = False
    assert len(await tower.rings()) == 1


async def test_nobody_is_called_where_nobody_else_is(tower: Tower) -> None:
    tower.homeserver.joined = {"@ada:hs": {}, BOT: {}}
    await tower.begin(FACE)
    assert await tower.rings() == []
