from __future__ import annotations

import pytest

from bridge.calls.access import Entry
from bridge.calls.model import CallState
from bridge.policy import Right
from bridge.rtc.identities import alias
from bridge.rtc.ports import RoomView
from bridge.rtc.venue import Guest, Venue, entry_of, venue_of
from tests.unit.rtc_service.parts import ALICE, BOB, ROOM, call, view

STANDARD = Venue(alias(ROOM))


def test_an_open_meeting_is_where_people_meet() -> None:
    for state in (CallState.OPEN, CallState.ACTIVE):
        found = call(state=state)
        assert venue_of(view(found)) == Venue("visio-room", found)


@pytest.mark.parametrize(
    "room",
    [
        RoomView(ROOM),
        view(),
        view(call(), encrypted=True),
        view(call(encrypted_room=True)),
        view(call(state=CallState.OPENING)),
        view(call(sfu_room=None)),
        view(call(unseen=True)),
        view(call(access="restricted")),
        view(call(access=None)),
        view(call(access="something new")),
    ],
)
def test_otherwise_they_meet_where_every_service_sends_them(room: RoomView) -> None:
    assert venue_of(room) == STANDARD


def test_policy_alone_decides_in_a_native_call() -> None:
    for right, entry in (
        (Right.NONE, Entry.NONE),
        (Right.SUBSCRIBE, Entry.SUBSCRIBE),
        (Right.PUBLISH, Entry.PUBLISH),
    ):
        assert entry_of(Guest(BOB, right, False), STANDARD) is entry


def test_a_trusted_meeting_is_for_the_own_server_and_those_who_may_speak() -> None:
    venue = venue_of(view(call(access="trusted", started_by="@x:example.org")))
    assert entry_of(Guest(ALICE, Right.START, True), venue) is Entry.PUBLISH
    assert entry_of(Guest(BOB, Right.PUBLISH, False), venue) is Entry.PUBLISH
    assert entry_of(Guest(BOB, Right.SUBSCRIBE, False), venue) is Entry.NONE


def test_who_posted_a_link_is_not_the_owner_of_what_it_leads_to() -> None:
    guest = Guest(BOB, Right.SUBSCRIBE, False)
    assert entry_of(guest, venue_of(view(call(access="trusted", started_by=BOB)))) is Entry.SUBSCRIBE
    adopted = call(access="trusted", started_by=BOB, adopted=True)
    assert entry_of(guest, venue_of(view(adopted))) is Entry.NONE
