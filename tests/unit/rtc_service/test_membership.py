from __future__ import annotations

from typing import Any

import pytest

from bridge.rtc.identities import ROOM_SLOT, hashed_identity
from bridge.rtc.membership import (
    MEMBER_TYPE,
    STICKY_TYPES,
    Membership,
    kept_of_sticky,
    read_sticky,
    storage_key,
)
from tests.unit.rtc_service.parts import ALICE, BOB, NOW

HOUR = 3_600_000
CONTENT: dict[str, Any] = {
    "slot_id": ROOM_SLOT,
    "application": {"type": "m.call", "m.call.intent": "video"},
    "member": {"id": "m1", "user_id": ALICE, "device_id": "PHONE"},
    "transports": {
        "published": [{"type": "livekit", "livekit_service_url": "https://x"}],
        "can_subscribe": ["livekit"],
    },
    "versions": [],
    "msc4354_sticky_key": "m1",
}
EVENT = {
    "type": STICKY_TYPES[0],
    "sender": ALICE,
    "msc4354_sticky": {"duration_ms": HOUR},
    "content": CONTENT,
}
KEPT = {
    "slot_id": ROOM_SLOT,
    "user_id": ALICE,
    "device_id": "PHONE",
    "member_id": "m1",
    "sticky_key": "m1",
    "duration_ms": HOUR,
    "service_url": "https://x",
}


def understood(kept: dict[str, Any], *, sent_ts: int = NOW) -> Membership | None:
    return read_sticky(kept, sender=ALICE, sent_ts=sent_ts, now=NOW)


def test_of_a_sticky_membership_only_what_counts_is_kept() -> None:
    assert kept_of_sticky(EVENT) == KEPT


def test_older_and_coming_forms_are_understood_too() -> None:
    older = {key: value for key, value in CONTENT.items() if key != "transports"}
    older["rtc_transports"] = CONTENT["transports"]["published"]
    coming = {key: value for key, value in older.items() if key != "msc4354_sticky_key"}
    coming["sticky_key"] = "m1"
    assert kept_of_sticky(EVENT | {"content": older}) == KEPT
    assert kept_of_sticky({"sticky": {"duration_ms": HOUR}, "content": coming}) == KEPT


@pytest.mark.parametrize(
    "content", [None, [], {}, {"member": 7, "transports": 7, "msc4354_sticky_key": ["x"]}]
)
def test_nonsense_is_kept_as_nothing(content: Any) -> None:
    assert kept_of_sticky({"content": content, "msc4354_sticky": 7}) == {}


def test_a_sticky_membership_stands_for_the_hash() -> None:
    found = understood(KEPT)
    assert found == Membership(ALICE, "PHONE", "https://x", NOW + HOUR, "m1")
    assert found.identity == hashed_identity(ALICE, "PHONE", "m1")
    assert found.plain == f"{ALICE}:PHONE"
    assert Membership(ALICE, "PHONE", "", NOW).identity == f"{ALICE}:PHONE"


@pytest.mark.parametrize(
    ("changes", "sent_ts", "until"),
    [
        ({"duration_ms": 1000}, NOW, NOW + 1000),
        ({"duration_ms": 10**15}, NOW, NOW + HOUR),
        ({}, NOW - 1000, NOW - 1000 + HOUR),
        ({}, NOW + 10**9, NOW + HOUR),
    ],
)
def test_it_lasts_as_long_as_it_sticks(changes: dict[str, Any], sent_ts: int, until: int) -> None:
    found = understood(KEPT | changes, sent_ts=sent_ts)
    assert found is not None
    assert found.until_ts == until


@pytest.mark.parametrize(
    "changes",
    [
        {"slot_id": "m.call#other"},
        {"user_id": BOB},
        {"device_id": ""},
        {"member_id": None},
        {"duration_ms": 0},
        {"duration_ms": None},
        {"duration_ms": True},
    ],
    ids=str,
)
def test_what_ends_a_membership_or_is_none_counts_as_none(changes: dict[str, Any]) -> None:
    assert understood(KEPT | changes) is None
    assert understood({"sticky_key": "m1"}) is None


def test_nobody_stands_in_anothers_place() -> None:
    sticky = storage_key(STICKY_TYPES[0], None, ALICE, KEPT)
    assert sticky == f"{ALICE} m1"
    # The homeserver takes no state key of another user: one that begins with @ is its sender's own.
    assert sticky.startswith("@")
    assert storage_key(STICKY_TYPES[0], None, BOB, KEPT) != sticky
    assert storage_key(MEMBER_TYPE, "_key", ALICE, {}) == "_key"


def test_an_event_of_the_wrong_kind_has_no_place() -> None:
    assert storage_key(MEMBER_TYPE, None, ALICE, KEPT) is None
    assert storage_key(STICKY_TYPES[0], "", ALICE, KEPT) is None
    assert storage_key(STICKY_TYPES[0], None, ALICE, {}) is None
