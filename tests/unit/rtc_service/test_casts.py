from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from appservice.bus import Bus
from bridge.calls.model import CallState, Participant, ParticipantKind
from bridge.rtc.casts import Casts
from bridge.rtc.identities import hashed_identity
from bridge.rtc.membership import Membership
from tests.unit.rtc_service.parts import NOW, ROOM, House, call

FACE = "@visio:example.org:VISIOabc"
NATIVE = "@alice:example.org:PHONE"


HASH = hashed_identity("@alice:example.org", "PHONE", "m1")


class Shelf:
    def __init__(self, **shown: str | None) -> None:
        self.shown: Mapping[str, str | None] = shown

    async def read(self, _call_id: str) -> Mapping[str, str | None]:
        return self.shown


class Wire:
    """A bus on which a test hears what is said."""

    def __init__(self) -> None:
        self.listeners: dict[str, Any] = {}
        self.said: list[tuple[str, Any]] = []

    def subscribe(self, topic: str, listener: Any) -> None:
        self.listeners[topic] = listener

    def publish(self, topic: str, hint: Any) -> None:
        self.said.append((topic, hint))

    def carry_to(self, other: Wire) -> None:
        """What was said here is heard there."""
        for topic, hint in self.said:
            other.listeners[topic](hint)
        self.said = []


@dataclass
class Replica:
    """The casts of one process, and whom they told."""

    shelf: Shelf = field(default_factory=Shelf)
    house: House = field(default_factory=House)
    wire: Wire = field(default_factory=Wire)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.casts = Casts(self.shelf.read, self.house, cast(Bus, self.wire))
        self.casts.on_changed(self.told.append)


def casts_of(shelf: Shelf) -> Casts:
    return Replica(shelf).casts


async def test_people_are_shown_as_it_is_stored_and_found_back() -> None:
    found = await casts_of(Shelf(marie=FACE, jean=None)).of(call())
    assert (found.shown("marie"), found.shown("jean")) == (FACE, None)
    assert found.real(FACE) == "marie"


async def test_native_participants_are_shown_as_they_are() -> None:
    found = await casts_of(Shelf()).of(call())
    assert (found.shown(NATIVE), found.real(NATIVE)) == (NATIVE, NATIVE)


async def test_who_is_not_stored_yet_is_not_seen_yet() -> None:
    shelf = Shelf()
    casts = casts_of(shelf)
    found = await casts.of(call())
    assert found.shown("marie") is None
    shelf.shown = {"marie": FACE}
    assert await casts.refresh("c1") == "visio-room"
    assert found.shown("marie") == FACE
    assert await casts.of(call()) is found


async def test_nobody_passes_for_a_native_participant_or_for_a_face() -> None:
    stranger = Participant(NATIVE, "Alice", ParticipantKind.GUEST, False, None, NOW)
    found = await casts_of(Shelf(marie=FACE)).of(call(participants=(stranger,)))
    assert found.shown(NATIVE) is None
    assert found.shown(FACE) is None


async def test_a_call_that_is_over_is_forgotten() -> None:
    casts = casts_of(Shelf())
    found = await casts.of(call())
    casts.see(call(state=CallState.ENDED))
    assert await casts.refresh("c1") is None
    assert await casts.of(call()) is not found


def sticky(member_id: str = "m1") -> Membership:
    return Membership("@alice:example.org", "PHONE", "", NOW + 1, member_id)


async def test_who_asked_for_a_hash_is_shown_under_it_by_every_replica() -> None:
    here, there = Replica(), Replica()
    other = await there.casts.of(call())
    found = await here.casts.of_somebody(call(), NATIVE, HASH)
    here.wire.carry_to(there.wire)
    for each in (found, other):
        assert (each.shown(NATIVE), each.real(HASH)) == (HASH, NATIVE)
    assert here.told == there.told == ["c1"]


async def test_whose_membership_is_a_state_event_is_plain_whatever_they_asked_for() -> None:
    replica = Replica()
    replica.house.noted = [Membership("@alice:example.org", "PHONE", "", NOW + 1)]
    found = await replica.casts.of_somebody(call(), NATIVE, HASH)
    assert (found.shown(NATIVE), found.real(NATIVE), found.real(HASH)) == (NATIVE, NATIVE, NATIVE)


async def test_a_membership_that_comes_later_decides_for_every_replica() -> None:
    here, there = Replica(), Replica()
    there.house = here.house
    cast_here = await here.casts.of_somebody(call(), NATIVE, HASH)
    here.house.noted.append(Membership("@alice:example.org", "PHONE", "", NOW + 1))
    here.told.clear()
    here.casts.memberships_changed(ROOM)
    assert here.told == ["c1"]
    assert await here.casts.refresh("c1") == "visio-room"
    assert cast_here.shown(NATIVE) == NATIVE
    await there.casts.of(call())
    here.wire.carry_to(there.wire)
    assert there.told == ["c1", "c1"]


async def test_who_has_asked_plainly_is_plain_from_then_on_for_every_replica() -> None:
    here, there, elsewhere = Replica(), Replica(), Replica()
    seen = [await each.casts.of_somebody(call(), NATIVE, HASH) for each in (here, there)]
    for each in (here, there):
        each.told.clear()
        each.wire.said.clear()
    # The request comes to a replica that has nobody of that room.
    elsewhere.casts.asked_plainly(ROOM, NATIVE)
    elsewhere.wire.carry_to(there.wire)
    await here.casts.of_somebody(call(), NATIVE, NATIVE)
    assert [each.shown(NATIVE) for each in seen] == [NATIVE, NATIVE]
    assert (here.told, there.told) == (["c1"], ["c1"])
    await here.casts.of_somebody(call(), NATIVE, HASH)
    assert seen[0].shown(NATIVE) == NATIVE


async def test_a_sticky_membership_that_bears_out_what_was_asked_for_is_stronger_than_an_old_one() -> None:
    replica = Replica()
    replica.house.noted = [Membership("@alice:example.org", "PHONE", "", NOW + 1), sticky()]
    found = await replica.casts.of_somebody(call(), NATIVE, HASH)
    assert found.shown(NATIVE) == HASH


async def test_after_a_restart_the_newest_sticky_membership_says_who_somebody_is() -> None:
    replica = Replica()
    replica.house.noted = [sticky("m0"), sticky()]
    found = await replica.casts.of(call())
    assert found.shown(NATIVE) == HASH
    assert found.real(hashed_identity("@alice:example.org", "PHONE", "m0")) == NATIVE


async def test_a_call_follows_its_room_when_that_is_replaced() -> None:
    replica = Replica()
    await replica.casts.of(call())
    replica.casts.see(call(room_id="!new:example.org"))
    replica.casts.memberships_changed(ROOM)
    assert replica.told == []
    replica.casts.memberships_changed("!new:example.org")
    assert replica.told == ["c1"]
