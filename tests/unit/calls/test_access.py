from __future__ import annotations

import pytest

from bridge.calls.access import Entry, may_enter
from bridge.policy import Right

OWN, OTHER, OWNER = "own homeserver", "another homeserver", "owner"
PUBLISH, SUBSCRIBE, NONE = Entry.PUBLISH, Entry.SUBSCRIBE, Entry.NONE
LEVELS = ["public", "trusted", "restricted", None, "invented_later"]


def entry(access: str | None, who: str, right: Right) -> Entry:
    return may_enter(access, right=right, own_server=who != OTHER, is_owner=who == OWNER)


@pytest.mark.parametrize(
    ("access", "who", "with_start", "with_publish", "with_subscribe"),
    [
        ("public", OWN, PUBLISH, PUBLISH, SUBSCRIBE),
        ("public", OTHER, PUBLISH, PUBLISH, SUBSCRIBE),
        ("public", OWNER, PUBLISH, PUBLISH, SUBSCRIBE),
        ("trusted", OWN, PUBLISH, PUBLISH, SUBSCRIBE),
        ("trusted", OTHER, PUBLISH, PUBLISH, NONE),
        ("trusted", OWNER, PUBLISH, PUBLISH, SUBSCRIBE),
        ("restricted", OWN, NONE, NONE, NONE),
        ("restricted", OTHER, NONE, NONE, NONE),
        ("restricted", OWNER, PUBLISH, PUBLISH, SUBSCRIBE),
    ],
)
def test_access_level_and_policy_decide_together(
    access: str, who: str, with_start: Entry, with_publish: Entry, with_subscribe: Entry
) -> None:
    assert entry(access, who, Right.START) is with_start
    assert entry(access, who, Right.PUBLISH) is with_publish
    assert entry(access, who, Right.SUBSCRIBE) is with_subscribe


@pytest.mark.parametrize("access", LEVELS)
@pytest.mark.parametrize("who", [OWN, OTHER, OWNER])
def test_whom_policy_gives_nothing_stays_out_of_every_meeting(access: str | None, who: str) -> None:
    assert entry(access, who, Right.NONE) is NONE


@pytest.mark.parametrize("who", [OWN, OTHER, OWNER])
@pytest.mark.parametrize("right", list(Right))
@pytest.mark.parametrize("unknown", [None, "", "invented_later"])
def test_a_level_that_nobody_knows_is_the_strictest(who: str, right: Right, unknown: str | None) -> None:
    assert entry(unknown, who, right) is entry("restricted", who, right)


@pytest.mark.parametrize("access", LEVELS)
@pytest.mark.parametrize("right", [Right.MODERATE, Right.ADMIN])
def test_who_moderates_in_matrix_is_no_administrator_of_a_meeting(access: str | None, right: Right) -> None:
    assert entry(access, OTHER, right) is entry(access, OTHER, Right.PUBLISH)


@pytest.mark.parametrize("who", [OWN, OTHER, OWNER])
@pytest.mark.parametrize("access", LEVELS)
def test_a_greater_right_never_gives_less(access: str | None, who: str) -> None:
    order = [NONE, SUBSCRIBE, PUBLISH]
    given = [order.index(entry(access, who, right)) for right in Right]
    assert given == sorted(given)
