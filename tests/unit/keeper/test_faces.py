from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import pytest

from appservice.bus import Bus
from appservice.errors import MatrixError
from appservice.namespace import Namespace
from appservice.operations import BringGhost, Leave, Operation, SendState
from appservice.ownership import SoleOwner
from bridge.calls import lifecycle
from bridge.calls.model import EndReason, Participant, ParticipantKind
from bridge.keeper.faces import FaceRules, Faces
from bridge.projections.memberships import RENEW_MS, Face, Rung
from bridge.rtc.membership import MEMBER_TYPE
from bridge.store import faces as stored
from tests.support.office import BOT, ROOM, T0, Office, a_call
from tests.support.waiting import until

MARIE = Participant("marie", "Marie", ParticipantKind.VISIO, True, None, T0)
JEAN = Participant("guest-jean", "Jean", ParticipantKind.GUEST, False, None, T0)
ANYBODY = {"events": {MEMBER_TYPE: 0}, "invite": 0}
FORBIDDEN = MatrixError(403, "M_FORBIDDEN", "no")


@dataclass
class Stage:
    office: Office
    faces: Faces
    told: list[str]

    async def settle(self) -> list[Operation]:
        """Settle, and let everything leave; answers what concerns the native call."""
        await self.faces.settle("c1", ROOM)
        return [each for each in await self.office.send() if isinstance(each, SendState | BringGhost | Leave)]

    async def stored(self) -> dict[str, Face]:
        async with self.office.database.connect() as connection:
            return await stored.of_call(connection, "c1")

    async def refuse(self, operation: Operation, slot: str | None) -> None:
        async with self.office.works.begin(ROOM) as work:
            await self.faces.refused(operation, slot, FORBIDDEN, work)


@pytest.fixture
async def stage(office: Office) -> Stage:
    ownership, told = SoleOwner(), list[str]()
    await ownership.start()
    faces = Faces(
        database=office.database,
        works=office.works,
        ownership=ownership,
        bus=Bus(office.database, "one"),
        namespace=Namespace("hs", "visio", "visio_"),
        rules=FaceRules(shown=True, ghosts=True, service_url="https://bridge.example/livekit"),
        clock=office.clock,
    )
    faces.on_changed(told.append)
    await office.told(ROOM, **{"m.room.power_levels": ANYBODY})
    return Stage(office, faces, told)


def a_meeting(*people: Participant, **fields: object) -> Any:
    return a_call(**{"access": "public", "participants": people, **fields})


def kinds(operations: list[Operation]) -> list[str]:
    return [
        f"{type(each).__name__}{'' if not isinstance(each, SendState) or each.content else ' nothing'}"
        for each in operations
    ]


async def test_people_of_the_meeting_are_written_into_the_room_and_stored(stage: Stage) -> None:
    await stage.office.begin(a_meeting(MARIE, JEAN))
    await stage.office.send()
    assert kinds(await stage.settle()) == ["BringGhost", "SendState", "SendState"]
    assert {face.rung for face in (await stage.stored()).values()} == {Rung.GHOST, Rung.BOT}
    assert stage.told == ["c1"]
    assert await stage.settle() == []
    assert stage.told == ["c1"]


async def test_at_the_end_memberships_are_emptied_and_ghosts_leave(stage: Stage) -> None:
    record = await stage.office.begin(a_meeting(MARIE, JEAN))
    await stage.settle()
    over = lifecycle.end(record.call, T0 + 1, EndReason.COMMAND)
    async with stage.office.works.begin(ROOM) as work:
        await stage.office.ledger.save(work, record, over)
    await stage.office.send()
    assert kinds(await stage.settle()) == ["SendState nothing", "SendState nothing", "Leave"]
    assert await stage.stored() == {}


async def test_a_room_that_turns_out_to_refuse_ghosts_gets_the_next_rung(stage: Stage) -> None:
    await stage.office.begin(a_meeting(MARIE))
    await stage.office.send()
    await stage.faces.settle("c1", ROOM)
    slot, bring = next(each for each in await stage.office.outbox() if isinstance(each[1], BringGhost))
    await stage.office.send()
    await stage.refuse(bring, slot)
    operations = await stage.settle()
    assert kinds(operations) == ["SendState nothing", "SendState", "Leave"]
    (face,) = (await stage.stored()).values()
    assert (face.rung, face.user_id) == (Rung.BOT, BOT)
    # What was written for the ghost is refused as well, and changes nothing any more.
    await stage.refuse(operations[0], slot)
    await stage.refuse(bring, slot)
    assert (await stage.stored()) == {"marie": face}


async def test_where_the_bot_may_not_write_either_the_card_is_left(stage: Stage) -> None:
    await stage.office.told(ROOM, **{"m.room.power_levels": {"state_default": 50}})
    await stage.office.begin(a_meeting(MARIE, JEAN))
    await stage.office.send()
    assert await stage.settle() == []
    assert {face.rung for face in (await stage.stored()).values()} == {Rung.CARD}


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"access": "restricted"}, {}),
        ({}, {"m.room.encryption": {"algorithm": "m.megolm.v1.aes-sha2"}}),
        ({}, {"membership": "leave"}),
    ],
)
async def test_where_the_native_call_stays_apart_nobody_is_written_into_it(
    stage: Stage, fields: dict[str, Any], state: dict[str, Any]
) -> None:
    await stage.office.told(ROOM, **{"m.room.power_levels": ANYBODY} | state)
    await stage.office.begin(a_meeting(MARIE, JEAN, **fields))
    await stage.office.send()
    assert await stage.settle() == []
    assert await stage.stored() == {}


async def test_when_the_bot_is_out_ghosts_still_leave(stage: Stage) -> None:
    await stage.office.begin(a_meeting(MARIE, JEAN))
    await stage.settle()
    await stage.office.told(ROOM, membership="leave")
    assert kinds(await stage.settle()) == ["SendState nothing", "Leave"]


async def test_what_nobody_hinted_at_is_found_by_the_sweep(stage: Stage) -> None:
    record = await stage.office.begin(a_meeting(MARIE))
    await stage.settle()
    stage.office.now = T0 + RENEW_MS
    stage.faces.start()
    try:
        await until(lambda: _renewed(stage))
    finally:
        await stage.faces.stop()
    async with stage.office.works.begin(ROOM) as work:
        over = lifecycle.end(record.call, T0 + 1, EndReason.COMMAND)
        await stage.office.ledger.save(work, record, over)
    found = await stored.due(stage.office.database, range(256), T0)
    assert found == {"c1": ROOM}


async def _renewed(stage: Stage) -> bool:
    return (await stage.stored())["marie"].renew_ts == T0 + 2 * RENEW_MS


async def test_a_call_that_is_committed_is_looked_at(stage: Stage) -> None:
    stage.faces.start()
    try:
        record = await stage.office.begin(a_meeting(MARIE))
        stage.faces.stored(record.call)
        await until(lambda: stage.told == ["c1"])
        gone = dataclasses.replace(record.call, participants=())
        async with stage.office.works.begin(ROOM) as work:
            await stage.office.ledger.save(work, record, gone)
        stage.faces.stored(gone)
        await until(lambda: stage.told == ["c1", "c1"])
    finally:
        await stage.faces.stop()
