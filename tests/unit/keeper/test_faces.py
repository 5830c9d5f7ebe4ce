from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from appservice.bus import Bus
from appservice.errors import MatrixError
from appservice.namespace import Namespace
from appservice.operations import BringGhost, DismissGhost, Operation, SendEvent, SendState
from appservice.ownership import SoleOwner
from bridge.calls import lifecycle
from bridge.calls.model import EndReason, Participant, ParticipantKind
from bridge.keeper.faces import FaceRules, Faces
from bridge.projections.memberships import RENEW_MS, Face, Rung
from bridge.rtc.membership import MEMBER_TYPE
from bridge.store import faces as stored
from tests.support.office import BOT, ROOM, T0, Office, a_call, an_office
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
        return [
            each
            for each in await self.office.send()
            if isinstance(each, SendState | BringGhost | DismissGhost)
        ]

    async def stored(self) -> dict[str, Face]:
        async with self.office.database.connect() as connection:
            return await stored.of_call(connection, "c1")

    async def refuse(self, operation: Operation, slot: str | None) -> None:
        async with self.office.works.begin(ROOM) as work:
            await self.faces.refused(operation, slot, FORBIDDEN, work)


@pytest.fixture
async def stage(office: Office) -> Stage:
    return await a_stage(office)


async def a_stage(office: Office) -> Stage:
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


def kinds(operations: Sequence[Operation]) -> list[str]:
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
    assert kinds(await stage.settle()) == ["SendState nothing", "SendState nothing", "DismissGhost"]
    assert await stage.stored() == {}


async def test_a_room_that_turns_out_to_refuse_ghosts_gets_the_next_rung(stage: Stage) -> None:
    await stage.office.begin(a_meeting(MARIE))
    await stage.office.send()
    await stage.faces.settle("c1", ROOM)
    slot, bring = next(each for each in await stage.office.outbox() if isinstance(each[1], BringGhost))
    await stage.office.send()
    await stage.refuse(bring, slot)
    operations = await stage.settle()
    assert kinds(operations) == ["SendState nothing", "SendState", "DismissGhost"]
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
    assert kinds(await stage.settle()) == ["SendState nothing", "DismissGhost"]


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


async def test_whose_ghost_is_put_out_has_the_next_rung_at_once_and_is_not_invited_again(
    stage: Stage,
) -> None:
    await stage.office.begin(a_meeting(MARIE))
    await stage.office.send()
    await stage.settle()
    (before,) = (await stage.stored()).values()
    await put_out(stage, before.user_id)
    operations = await stage.settle()
    assert kinds(operations) == ["SendState nothing", "SendState", "DismissGhost"]
    emptied, written, _ = operations
    assert isinstance(emptied, SendState)
    assert isinstance(written, SendState)
    assert (emptied.sender, emptied.state_key) == (None, before.state_key), "the ghost cannot do it any more"
    assert written.sender == BOT
    # Marie goes and comes back: the room has said what it thinks of her ghost.
    for people in ((), (MARIE,)):
        await stage.office.change(participants=people)
        await stage.office.send()
        operations = await stage.settle()
        assert kinds(operations) == [f"SendState{'' if people else ' nothing'}"]
    assert {face.rung for face in (await stage.stored()).values()} == {Rung.BOT}


async def test_what_has_not_left_yet_stays_beside_what_follows(stage: Stage) -> None:
    await stage.office.begin(a_meeting(MARIE))
    await stage.faces.settle("c1", ROOM)
    (before,) = (await stage.stored()).values()
    await put_out(stage, before.user_id)
    await stage.faces.settle("c1", ROOM)
    waiting = [each for _, each in await stage.office.outbox() if not isinstance(each, SendEvent)]
    assert kinds(waiting) == ["BringGhost", "SendState", "SendState nothing", "SendState", "DismissGhost"]


async def test_a_ghost_that_waits_for_its_person_may_be_put_out_too(stage: Stage) -> None:
    await stage.office.begin(a_meeting(MARIE))
    await stage.settle()
    (before,) = (await stage.stored()).values()
    await stage.office.change(participants=())
    await stage.settle()
    await put_out(stage, before.user_id)
    assert kinds(await stage.settle()) == ["DismissGhost"]
    (face,) = (await stage.stored()).values()
    assert (face.rung, face.floor, face.present) == (Rung.CARD, Rung.BOT, False)


async def test_the_bot_and_ghosts_of_nobody_change_nothing(stage: Stage) -> None:
    await stage.office.begin(a_meeting(MARIE, JEAN))
    await stage.settle()
    before = await stage.stored()
    for user_id in (BOT, "@visio_nobody:hs"):
        await put_out(stage, user_id)
    assert await stage.stored() == before


async def test_identities_that_no_database_takes_are_shown_like_others(database_url: str) -> None:
    async with an_office(database_url) as office:
        stage = await a_stage(office)
        nul = dataclasses.replace(JEAN, identity="jean\0", name="Jean\0")
        await office.begin(a_meeting(nul))
        await stage.settle()
        (face,) = (await stage.stored()).values()
        assert (face.identity, face.rung) == ("jean\0", Rung.BOT)
        await office.change(participants=())
        await stage.settle()
        assert await stage.stored() == {}


async def put_out(stage: Stage, user_id: str) -> None:
    async with stage.office.works.begin(ROOM) as work:
        await stage.faces.ghost_out(user_id, work)
