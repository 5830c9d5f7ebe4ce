from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from appservice.bus import Bus
from bridge.calls.model import CallState, Participant, ParticipantKind
from bridge.rtc.casts import Casts
from tests.unit.rtc_service.parts import NOW, call

FACE = "@visio:example.org:VISIOabc"
NATIVE = "@alice:example.org:PHONE"


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


def casts_of(shelf: Shelf, wire: Wire | None = None) -> Casts:
    return Casts(shelf.read, cast(Bus, wire or Wire()))


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


async def test_a_sticky_membership_is_shown_under_its_hash_by_every_replica() -> None:
    here, there = Wire(), Wire()
    found = await casts_of(Shelf(), here).of_somebody(call(), NATIVE, "hash")
    other = await casts_of(Shelf(), there).of(call())
    for topic, hint in here.said:
        there.listeners[topic](hint)
    for each in (found, other):
        assert (each.shown(NATIVE), each.real("hash")) == ("hash", NATIVE)
