"""What is kept of rooms' native calls, where they are wanted."""

from __future__ import annotations

from typing import Any

import pytest

from appservice.ghosts import DISMISSED
from appservice.namespace import Namespace
from appservice.transaction import Interest
from bridge.intake import interest
from bridge.rtc.membership import MEMBER_TYPE, STICKY_TYPES

MEMBERSHIP = {
    "application": "m.call",
    "call_id": "",
    "device_id": "PHONE",
    "expires": 14_400_000,
    "m.call.intent": "video",
    "foci_preferred": [{"type": "livekit", "livekit_service_url": "https://x"}],
}
KEPT = {
    "application": "m.call",
    "call_id": "",
    "device_id": "PHONE",
    "expires": 14_400_000,
    "service_url": "https://x",
}


def wanting(native: bool) -> Interest:
    namespace = Namespace("hs", "visio", "visio_")
    return interest(namespace, "!visio", set(), lambda *_: False, native=native)


def membership(content: Any, sender: str = "@ada:hs") -> Any:
    return {"type": MEMBER_TYPE, "sender": sender, "state_key": "_key", "content": content}


def member(membership: str, user: str = "@bob:hs") -> Any:
    content = {"membership": membership, "displayname": "Bob"}
    return {"type": "m.room.member", "sender": "@ada:hs", "state_key": user, "content": content}


def test_of_a_membership_only_what_counts_is_kept() -> None:
    assert wanting(True)(membership(MEMBERSHIP)) == KEPT
    assert wanting(True)(membership({})) == {}


@pytest.mark.parametrize("foci", [None, [], "x", [7], [{"livekit_service_url": 7}]])
def test_nonsense_for_a_transport_is_left_out(foci: Any) -> None:
    kept = wanting(True)(membership(MEMBERSHIP | {"foci_preferred": foci}))
    assert kept == {key: value for key, value in KEPT.items() if key != "service_url"}


def test_our_own_memberships_are_no_news() -> None:
    assert wanting(True)(membership(MEMBERSHIP, "@visio_marie:hs")) is None
    assert wanting(True)(membership(MEMBERSHIP, "@visio:hs")) is None


def test_of_a_sticky_membership_only_what_counts_is_kept() -> None:
    content = {"slot_id": "m.call#ROOM", "member": {"id": "m1"}, "msc4354_sticky_key": "m1", "versions": []}
    raw = {"type": STICKY_TYPES[0], "sender": "@ada:hs", "content": content}
    kept = {"slot_id": "m.call#ROOM", "member_id": "m1", "sticky_key": "m1"}
    assert wanting(True)(raw) == kept
    assert wanting(True)(raw | {"type": STICKY_TYPES[1]}) == kept
    assert wanting(False)(raw) is None


def test_a_ghost_that_we_have_sent_out_is_no_news_and_one_that_was_put_out_is() -> None:
    def left(user: str, sender: str) -> Any:
        content = {"membership": "leave", DISMISSED: True}
        return wanting(True)(
            {"type": "m.room.member", "sender": sender, "state_key": user, "content": content}
        )

    assert left("@visio_marie:hs", "@visio_marie:hs") is None
    assert left("@visio_marie:hs", "@ada:hs") == {"membership": "leave"}
    assert left("@bob:hs", "@bob:hs") == {"membership": "leave"}, "nobody else leaves unnoticed"


def test_who_leaves_is_kept_without_their_name_and_who_comes_is_not() -> None:
    assert wanting(True)(member("leave")) == {"membership": "leave"}
    assert wanting(True)(member("ban")) == {"membership": "ban"}
    assert wanting(True)(member("join")) is None


def test_where_native_calls_are_off_none_of_it_is_kept() -> None:
    assert wanting(False)(membership(MEMBERSHIP)) is None
    assert wanting(False)(member("leave")) is None
