from __future__ import annotations

from typing import Any

import pytest

from appservice.errors import HomeserverUnreachable, MatrixError
from bridge.chat.doorman import HomeserverDoorman
from bridge.policy import Policy
from tests.support.office import ROOM
from tests.unit.chat.front import ADA, BOB, Front


class FakeBot:
    """Answers as the homeserver would.

    Attributes:
        asked: How often.
        error: Raised instead of an answer.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.name: object = "Ada Lovelace"
        self.members = 3
        self.error: Exception | None = None

    async def state_event(self, room_id: str, kind: str, key: str) -> dict[str, Any] | None:
        self._ask()
        return None if self.name is None else {"content": {"displayname": self.name, "membership": "join"}}

    async def joined_members(self, room_id: str) -> dict[str, Any]:
        self._ask()
        return {f"@user{number}:hs": {} for number in range(self.members)}

    def _ask(self) -> None:
        self.asked += 1
        if self.error is not None:
            raise self.error


class FakeActors:
    def __init__(self) -> None:
        self.bot = FakeBot()


@pytest.fixture
def actors() -> FakeActors:
    return FakeActors()


def doorman(front: Front, actors: Any, large_room: int = 2) -> HomeserverDoorman:
    policy = Policy({"@boss:hs": "moderate"}, "hs")
    return HomeserverDoorman(actors, front.office.database, policy, large_room=large_room)


OUTAGES = [HomeserverUnreachable("away"), MatrixError(403, "M_FORBIDDEN", "", None)]


async def test_a_name_is_asked_for_once(front: Front, actors: FakeActors) -> None:
    at_the_door = doorman(front, actors)
    for _ in range(2):
        assert await at_the_door.name_of(ROOM, ADA) == "Ada Lovelace"
    assert actors.bot.asked == 1


@pytest.mark.parametrize("name", [None, "", "   ", 5])
async def test_whoever_has_no_name_is_called_by_the_local_part(
    front: Front, actors: FakeActors, name: object
) -> None:
    actors.bot.name = name
    assert await doorman(front, actors).name_of(ROOM, ADA) == "ada"


@pytest.mark.parametrize("error", OUTAGES)
async def test_an_outage_costs_the_name_and_not_the_call(
    front: Front, actors: FakeActors, error: Exception
) -> None:
    actors.bot.error = error
    at_the_door = doorman(front, actors)
    assert await at_the_door.name_of(ROOM, ADA) == "ada"
    assert await at_the_door.may_open(ROOM, BOB)
    actors.bot.error = None
    assert await at_the_door.name_of(ROOM, ADA) == "Ada Lovelace"


async def test_in_a_large_room_only_moderators_open(front: Front, actors: FakeActors) -> None:
    await front.office.told(**{"m.room.power_levels": {"users": {ADA: 50}}})
    at_the_door = doorman(front, actors)
    assert await at_the_door.may_open(ROOM, ADA)
    assert await at_the_door.may_open(ROOM, "@boss:hs")
    assert not await at_the_door.may_open(ROOM, BOB)
    assert not await at_the_door.may_open(ROOM, BOB)
    assert actors.bot.asked == 1


async def test_in_other_rooms_everybody_does(front: Front, actors: FakeActors) -> None:
    assert await doorman(front, actors, large_room=3).may_open(ROOM, BOB)
    actors.bot.members = 10_000
    assert await doorman(front, actors, large_room=0).may_open(ROOM, BOB)
