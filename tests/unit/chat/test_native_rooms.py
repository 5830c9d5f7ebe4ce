from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from appservice.events import Event
from appservice.namespace import Namespace
from appservice.unit_of_work import UnitOfWork
from bridge.calls.model import CallState, Participant, ParticipantKind
from bridge.chat.native_rooms import NativeRooms, Opener, native_of
from bridge.policy import Policy
from bridge.rtc.identities import ROOM_SLOT
from bridge.rtc.membership import MEMBER_TYPE, STICKY_TYPES, Membership
from bridge.store import natives
from tests.support.office import ROOM, T0, Office, a_call, an_office

HOUR = 3_600_000
CONTENT = {"application": "m.call", "call_id": "", "device_id": "PHONE", "service_url": "https://x"}


@pytest.fixture
async def office(sqlite_url: str) -> Any:
    async with an_office(sqlite_url) as made:
        yield made


async def nobody_cares(_user_id: str, _work: UnitOfWork) -> None:
    """No ghost is of interest."""


@pytest.fixture
def native(office: Office) -> NativeRooms:
    return NativeRooms(office.ledger, Namespace("hs", "visio", "visio_"), nobody_cares)


def event(kind: str, sender: str, key: str, **content: Any) -> Event:
    return Event(f"${len(content)}", ROOM, kind, sender, key, content, T0, T0)


def membership(**changes: Any) -> Event:
    return event(MEMBER_TYPE, "@bob:hs", "_@bob:hs_PHONE_m.call", **CONTENT | changes)


async def tell(office: Office, native: NativeRooms, told: Event) -> None:
    async with office.works.begin(ROOM) as work:
        handle = native.member if told.type == "m.room.member" else native.membership
        await handle(told, await work.facts(), work)


async def inside(office: Office, now: int = T0) -> list[str]:
    async with office.database.connect() as connection:
        return [native.user_id for native in await natives.of_room(connection, ROOM, now)]


async def test_who_takes_part_is_known_until_they_leave_or_their_membership_expires(
    office: Office, native: NativeRooms
) -> None:
    await office.told()
    changed: list[str] = []
    native.on_changed(changed.append)
    await tell(office, native, membership())
    await tell(office, native, membership())
    assert await inside(office) == ["@bob:hs"]
    assert await inside(office, T0 + 4 * HOUR) == []
    await tell(office, native, event(MEMBER_TYPE, "@bob:hs", "_@bob:hs_PHONE_m.call"))
    assert await inside(office) == []
    assert changed == [ROOM] * 3


async def test_rooms_without_the_bot_are_not_noted(office: Office, native: NativeRooms) -> None:
    await office.told(membership="leave")
    await tell(office, native, membership())
    assert await inside(office) == []


@pytest.mark.parametrize(
    ("changes", "until"),
    [
        ({}, T0 + 4 * HOUR),
        ({"expires": HOUR}, T0 + HOUR),
        ({"expires": HOUR, "created_ts": T0 - 1000}, T0 - 1000 + HOUR),
        ({"expires": 10**15}, T0 + 24 * HOUR),
        ({"expires": "soon"}, T0 + 4 * HOUR),
    ],
)
def test_a_membership_lasts_as_long_as_it_says_within_reason(changes: dict[str, Any], until: int) -> None:
    assert native_of(membership(**changes)) == Membership("@bob:hs", "PHONE", "https://x", until)


@pytest.mark.parametrize("changes", [{"application": "m.other"}, {"call_id": "x"}, {"device_id": 7}])
def test_what_is_not_of_the_rooms_call_counts_as_none(changes: dict[str, Any]) -> None:
    assert native_of(membership(**changes)) is None


BOB = Participant("@bob:hs:PHONE", "Bob", ParticipantKind.MATRIX, True, "@bob:hs", T0)


@pytest.mark.parametrize(
    ("sender", "participants", "denied"),
    [
        ("@bob:hs", (BOB,), ("@bob:hs",)),
        ("@ada:hs", (BOB,), ("@bob:hs",)),
        ("@ada:hs", (), ("@bob:hs",)),
        ("@bob:hs", (), ()),
    ],
)
async def test_who_leaves_or_is_put_out_of_the_room_is_put_out_of_the_call(
    office: Office, native: NativeRooms, sender: str, participants: Any, denied: tuple[str, ...]
) -> None:
    await office.told()
    await office.begin(a_call(participants=participants))
    await tell(office, native, membership())
    out: list[tuple[str, str]] = []
    native.on_out(lambda room, user: out.append((room, user)))
    await tell(office, native, event("m.room.member", sender, "@bob:hs", membership="leave"))
    assert (await office.call()).denied == denied
    assert out == [(ROOM, "@bob:hs")]
    assert await inside(office) == []


async def test_a_ghost_that_is_put_out_is_the_business_of_whoever_looks_after_ghosts(office: Office) -> None:
    out: list[str] = []

    async def ghost_out(user_id: str, _work: UnitOfWork) -> None:
        out.append(user_id)

    native = NativeRooms(office.ledger, Namespace("hs", "visio", "visio_"), ghost_out)
    await office.told()
    await office.begin(a_call())
    await tell(office, native, event("m.room.member", "@ada:hs", "@visio_x:hs", membership="leave"))
    assert out == ["@visio_x:hs"]
    assert (await office.call()).denied == ()


async def test_who_joins_is_of_no_concern(office: Office, native: NativeRooms) -> None:
    await office.told()
    await office.begin(a_call())
    await tell(office, native, event("m.room.member", "@bob:hs", "@bob:hs", membership="join"))
    assert (await office.call()).denied == ()


@pytest.fixture
def opening(office: Office) -> NativeRooms:
    opener = Opener(Policy({"@guest:hs": "publish"}, "hs"), "livekit", "https://x")
    return NativeRooms(office.ledger, Namespace("hs", "visio", "visio_"), nobody_cares, opener)


async def opened(office: Office) -> list[str]:
    return [call.started_by for call in await office.store.listed()]


async def test_the_first_native_participant_opens_the_meeting(office: Office, opening: NativeRooms) -> None:
    await office.told()
    await tell(office, opening, membership())
    await tell(office, opening, of("@eve:hs"))
    assert await opened(office) == ["@bob:hs"]


async def test_a_meeting_that_was_ended_is_not_opened_again_until_the_native_call_was_empty(
    office: Office, opening: NativeRooms
) -> None:
    await office.told()
    await tell(office, opening, membership())
    (call,) = await office.store.listed()
    await office.change(call.id, state=CallState.ENDED, url=None)
    await tell(office, opening, of("@eve:hs"))
    await tell(office, opening, membership(expires=2 * HOUR))
    assert await opened(office) == []
    for user in ("@eve:hs", "@bob:hs"):
        await tell(office, opening, event(MEMBER_TYPE, user, f"_{user}_PHONE_m.call"))
    await tell(office, opening, of("@eve:hs"))
    assert await opened(office) == ["@eve:hs"]


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ("@guest:hs", {}),
        ("@far:elsewhere", {}),
        ("@bob:hs", {"m.room.encryption": {"algorithm": "m.megolm.v1.aes-sha2"}}),
    ],
)
async def test_who_may_not_open_meetings_does_not_do_so_by_calling(
    office: Office, opening: NativeRooms, told: str, state: Any
) -> None:
    await office.told(ROOM, **state)
    await tell(office, opening, of(told))
    assert await opened(office) == []


async def test_a_native_call_on_another_sfu_opens_nothing(office: Office, opening: NativeRooms) -> None:
    await office.told()
    await tell(office, opening, membership(service_url="https://elsewhere"))
    assert await opened(office) == []


async def test_in_an_encrypted_room_the_card_follows_how_many_are_in_the_native_call(
    office: Office, native: NativeRooms
) -> None:
    await office.told()
    await office.begin(a_call(encrypted_room=True))
    await office.send()
    edits = []
    for told in (membership(), membership(), of("@eve:hs")):
        await tell(office, native, told)
        edits.append(len(await office.cards()))
        await office.send()
    assert edits == [1, 0, 1]


STICKY = {
    "slot_id": ROOM_SLOT,
    "user_id": "@bob:hs",
    "device_id": "PHONE",
    "member_id": "m1",
    "sticky_key": "m1",
    "service_url": "https://x",
    "duration_ms": HOUR // 2,
}


def sticky(**changes: Any) -> Event:
    return dataclasses.replace(event(STICKY_TYPES[0], "@bob:hs", "", **STICKY | changes), state_key=None)


async def test_sticky_memberships_count_too_each_under_its_own_key(
    office: Office, native: NativeRooms
) -> None:
    await office.told()
    await tell(office, native, membership())
    await tell(office, native, sticky())
    await tell(office, native, sticky(member_id="m2", sticky_key="m2"))
    async with office.database.connect() as connection:
        noted = await natives.of_room(connection, ROOM, T0)
    assert {each.member_id for each in noted} == {"", "m1", "m2"}
    assert len({each.identity for each in noted}) == 3
    gone = dataclasses.replace(sticky(), content={"sticky_key": "m1"})
    await tell(office, native, gone)
    assert len(await inside(office)) == 2
    assert await inside(office, T0 + HOUR) == ["@bob:hs"], "the state event lasts longer"


async def test_a_key_that_no_database_takes_is_passed_over(database_url: str) -> None:
    async with an_office(database_url) as office:
        native = NativeRooms(office.ledger, Namespace("hs", "visio", "visio_"), nobody_cares)
        await office.told()
        for told in (
            dataclasses.replace(membership(), state_key="_@bob:hs_\0"),
            membership(device_id="\0"),
            sticky(sticky_key="\0"),
            sticky(member_id="\0"),
        ):
            await tell(office, native, told)
        await tell(office, native, membership(service_url="https://\0"))
        assert await inside(office) == ["@bob:hs"]


def of(user: str) -> Event:
    return event(MEMBER_TYPE, user, f"_{user}_PHONE_m.call", **CONTENT)
