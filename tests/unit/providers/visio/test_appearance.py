from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.providers.visio.appearance import VOUCHER, attributes, color, vouched, voucher

# ``HSL_REGEX`` of ``getParticipantColor.ts`` in Meet's frontend.
VISIOS_PAGE = re.compile(
    r"hsl\(([0-9]|[1-9][0-9]|[1-2][0-9][0-9]|3[0-5][0-9]|360),\s*([5-7][0-9]|50|75)%,\s*([2-5][0-9]|60)%\)"
)
SECRET, ROOM, MARIE = "s" * 40, "room", "@marie:example.org:DEVICE"


@settings(deadline=None)
@given(st.text())
def test_visios_page_takes_the_colour(identity: str) -> None:
    assert VISIOS_PAGE.fullmatch(color(identity))
    assert color(identity) == color(identity)


def test_people_have_different_colours() -> None:
    assert len({color(f"@user{number}:example.org:D") for number in range(100)}) > 90


def test_a_colleague_is_shown_as_one_and_a_stranger_is_not() -> None:
    colleague = attributes(SECRET, ROOM, MARIE, known=True)
    stranger = attributes(SECRET, ROOM, MARIE, known=False)
    assert (colleague["is_authenticated"], colleague["room_role"]) == ("true", "member")
    assert stranger["is_authenticated"] == "false"
    assert "room_role" not in stranger


def test_a_voucher_is_good_for_one_person_in_one_room() -> None:
    carried = attributes(SECRET, ROOM, MARIE, known=True)
    assert vouched(SECRET, ROOM, MARIE, carried)
    assert not vouched(SECRET, "another", MARIE, carried)
    assert not vouched(SECRET, ROOM, "@jean:example.org:DEVICE", carried)
    assert not vouched("t" * 40, ROOM, MARIE, carried)
    assert not vouched(SECRET, ROOM, MARIE, {})
    assert not vouched(SECRET, ROOM, MARIE, {VOUCHER: ""})
    assert not vouched(SECRET, ROOM, MARIE, {VOUCHER: "é"})


def test_room_and_person_cannot_be_shifted_against_each_other() -> None:
    assert voucher(SECRET, "a", "bc") != voucher(SECRET, "ab", "c")
