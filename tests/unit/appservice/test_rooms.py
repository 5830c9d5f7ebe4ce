from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice import rooms, tables
from appservice.database import Database
from appservice.rooms import INFINITE_POWER, RoomFacts


def facts(
    levels: object = None, version: object = "11", creator: str = "@creator:hs", **create: Any
) -> RoomFacts:
    state: dict[str, Any] = {
        "m.room.create": {"content": {"room_version": version, **create}, "sender": creator}
    }
    if levels is not None:
        state["m.room.power_levels"] = {"content": levels, "sender": creator}
    return RoomFacts("!room:hs", "join", None, state, 1)


@pytest.mark.parametrize(
    ("levels", "power"),
    [
        ({"users": {"@a:hs": 50}}, 50),
        ({"users": {"@a:hs": "50"}}, 50),
        ({"users": {"@a:hs": " 50 "}}, 50),
        ({"users": {"@a:hs": -1}}, -1),
        ({"users": {"@a:hs": "lots"}}, 0),
        ({"users": {"@a:hs": True}}, 0),
        ({"users": {"@a:hs": None}, "users_default": 7}, 0),
        ({"users": {}, "users_default": 7}, 7),
        ({"users": [], "users_default": "7"}, 7),
        ({}, 0),
        ([], 0),
        (None, 0),
    ],
)
def test_the_power_of_a_user(levels: object, power: int) -> None:
    assert facts(levels).power_of("@a:hs") == power


def test_without_power_levels_the_creator_alone_has_power() -> None:
    assert facts().power_of("@creator:hs") == 100
    assert facts({"users": {}}).power_of("@creator:hs") == 0


@pytest.mark.parametrize("version", ["12", "13", "100"])
def test_creators_stand_above_every_level_since_version_12(version: str) -> None:
    room = facts({"users": {"@a:hs": 100}}, version, additional_creators=["@b:hs", 7, None])
    assert room.creators == {"@creator:hs", "@b:hs"}
    assert room.power_of("@creator:hs") == room.power_of("@b:hs") == INFINITE_POWER
    assert room.power_of("@a:hs") == 100


@pytest.mark.parametrize("version", ["1", "11", "org.example.12", "", None, "²"])
def test_creators_are_nobody_special_in_other_versions(version: object) -> None:
    room = facts({}, version, additional_creators=["@b:hs"])
    assert room.power_of("@b:hs") == 0


@pytest.mark.parametrize(
    ("levels", "message", "state"),
    [
        (None, 0, 0),
        ({}, 0, 50),
        ({"events_default": 10, "state_default": 20}, 10, 20),
        ({"events": {"m.x": 30}, "events_default": 10}, 30, 30),
        ({"events": {"m.x": "30"}}, 30, 30),
        ({"events": {"m.x": []}}, 0, 50),
        ({"events": 5}, 0, 50),
    ],
)
def test_the_power_that_sending_takes(levels: object, message: int, state: int) -> None:
    room = facts(levels)
    assert room.power_to_send("m.x", is_state=False) == message
    assert room.power_to_send("m.x", is_state=True) == state


def test_what_else_is_known_of_a_room() -> None:
    room = RoomFacts("!room:hs", "join", None, {"m.room.create": {"content": {"m.federate": False}}})
    assert (room.federates, room.is_encrypted, room.replacement) == (False, False, None)
    state: dict[str, Any] = {
        "m.room.encryption": {"content": {}},
        "m.room.tombstone": {"content": {"replacement_room": "!n"}},
    }
    other = RoomFacts("!room:hs", "join", "@a:hs", state)
    assert (other.federates, other.is_encrypted, other.replacement, other.is_direct) == (
        True,
        True,
        "!n",
        True,
    )


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["users", "users_default", "events", "events_default", "state_default", "additional_creators"]


@given(st.dictionaries(st.sampled_from(KEYS), values), values, values)
def test_no_state_whatever_its_shape_breaks_a_question(
    levels: dict[str, Any], version: Any, creators: Any
) -> None:
    room = facts(levels, version, additional_creators=creators)
    assert isinstance(room.power_of("@a:hs"), int)
    assert isinstance(room.power_to_send("m.x", is_state=True), int)
    assert room.replacement is None


async def test_facts_come_back_as_they_were_stored(database_url: str) -> None:
    database = Database.open(database_url)
    async with database.begin() as connection:
        await connection.run_sync(tables.metadata.create_all)
        assert await rooms.load(connection, "!unknown:hs") == RoomFacts("!unknown:hs")
        for one in (facts({"users": {"@é\0:hs": 1}}), RoomFacts("!room:hs", "invite", "@a:hs")):
            await rooms.store(connection, one)
            assert await rooms.load(connection, "!room:hs") == one
        assert await rooms.direct_rooms(connection) == {"!room:hs"}
        await rooms.store(connection, RoomFacts("!room:hs", "leave", "@a:hs"))
        assert await rooms.direct_rooms(connection) == frozenset()
    await database.close()
