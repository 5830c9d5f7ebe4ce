from __future__ import annotations

from typing import Any

import jwt
import pytest

from bridge.calls.model import Call
from bridge.calls.ports import Admission, SfuUnreachable
from bridge.rtc.identities import alias, listening_identity
from bridge.rtc.names import AsTheyAre, Names
from bridge.rtc.passes import Pass
from bridge.rtc.routing import Route, RouteRefused
from bridge.rtc.switchboard import Switchboard
from tests.unit.rtc_service.parts import ADDRESSES, ALICE, BOB, ROOM, House, call, view

NAMES = AsTheyAre()


class Meetings:
    """A provider of which only the tokens are asked."""

    name = "visio"

    def __init__(self) -> None:
        self.admitted: list[Admission] = []
        self.away = False

    async def prepare(self, _call: Call) -> None:
        if self.away:
            raise SfuUnreachable("away")

    def token(self, _call: Call, admission: Admission) -> str:
        self.admitted.append(admission)
        return "a-token"


def pass_of(user_id: str = ALICE, *, publish: bool = True, sfu_room: str | None = None) -> Pass:
    return Pass(user_id, "PHONE", ROOM, f"{user_id}:PHONE", publish, sfu_room)


def switchboard(house: House, meetings: Meetings) -> Switchboard:
    return Switchboard(
        doorkeeper=house.doorkeeper(),
        providers={"visio": meetings},  # type: ignore[dict-item]
        plain=house.plain(),
        sfu_url="http://sfu.internal",
        service_url=ADDRESSES.service,
        names_of=names_of,
    )


async def names_of(_call: Call, _identity: str, _shown: str) -> Names:
    return NAMES


async def route(house: House, granted: Pass, meetings: Meetings | None = None, resume: bool = False) -> Route:
    return await switchboard(house, meetings or Meetings()).route(granted, resume=resume)


async def refused(house: House, granted: Pass, **how: Any) -> int:
    with pytest.raises(RouteRefused) as caught:
        await route(house, granted, **how)
    return caught.value.status


def identity_in(found: Route) -> str:
    return str(jwt.decode(found.token, options={"verify_signature": False})["sub"])


async def test_a_native_call_goes_to_the_standard_room_which_is_made() -> None:
    house = House(rooms={ROOM: view()})
    found = await route(house, pass_of())
    assert (found.url, found.room) == ("http://sfu.internal", alias(ROOM))
    assert identity_in(found) == f"{ALICE}:PHONE"
    assert house.sfu.made == [alias(ROOM)]


async def test_while_a_meeting_is_open_its_provider_lets_people_in_under_their_names() -> None:
    house, meetings = House(rooms={ROOM: view(call())}), Meetings()
    found = await route(house, pass_of(), meetings)
    assert (found.room, found.token, found.names) == ("visio-room", "a-token", NAMES)
    assert meetings.admitted == [Admission(f"{ALICE}:PHONE", "Somebody", known=True)]
    assert house.sfu.made == []


async def test_who_may_only_listen_is_hidden_under_a_second_identity() -> None:
    house = House(rooms={ROOM: view(call())}, rules={"other.example": "subscribe"})
    meetings = Meetings()
    await route(house, pass_of(BOB), meetings)
    (admission,) = meetings.admitted
    assert admission.identity == listening_identity(f"{BOB}:PHONE", ADDRESSES.service)
    assert (admission.publish, admission.hidden) == (False, True)


async def test_a_session_is_resumed_where_it_was() -> None:
    house = House(rooms={ROOM: view(call())})
    assert (await route(house, pass_of(sfu_room=alias(ROOM)), resume=True)).room == alias(ROOM)
    assert (await route(house, pass_of(sfu_room="visio-room"), resume=True)).room == "visio-room"
    assert (await route(house, pass_of(sfu_room=alias(ROOM)))).room == "visio-room"


async def test_a_session_in_a_meeting_that_is_over_begins_anew() -> None:
    house = House(rooms={ROOM: view()})
    assert await refused(house, pass_of(sfu_room="visio-room"), resume=True) == 503


async def test_who_left_the_room_is_not_connected_again() -> None:
    house = House(rooms={ROOM: view()}, joined={(ROOM, ALICE): False})
    assert await refused(house, pass_of()) == 403


async def test_who_was_put_out_is_not_connected_again() -> None:
    for denied in (ALICE, f"{ALICE}:PHONE"):
        house = House(rooms={ROOM: view(call(denied=(denied,)))})
        assert await refused(house, pass_of()) == 403


async def test_an_sfu_that_is_away_ends_no_attempts() -> None:
    meetings = Meetings()
    meetings.away = True
    assert await refused(House(rooms={ROOM: view(call())}), pass_of(), meetings=meetings) == 503


async def test_a_fault_of_ours_ends_no_attempts() -> None:
    house = House(fault=OSError("the database is away"))
    assert await refused(house, pass_of()) == 503
