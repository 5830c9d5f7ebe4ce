from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.commands.restraint import MINUTE_MS, Load, Restraint, Verdict, weigh

MOST = 10
T0 = 1_700_000_000_000


def verdicts(moments: list[int], most: int = MOST) -> list[Verdict]:
    load, given_ = Load(), []
    for now in moments:
        verdict, load = weigh(load, now, most)
        given_.append(verdict)
    return given_


def test_after_ten_answers_in_a_minute_the_room_is_told_once_and_then_hushed() -> None:
    assert verdicts([T0 + n for n in range(300)]) == (
        [Verdict.SAY] * 10 + [Verdict.ENOUGH] + [Verdict.HUSH] * 289
    )


def test_a_minute_after_it_was_told_the_room_is_answered_again() -> None:
    flood = [T0] * 11
    assert verdicts([*flood, T0 + MINUTE_MS - 1])[-1] is Verdict.HUSH
    assert verdicts([*flood, T0 + MINUTE_MS])[-1] is Verdict.SAY


def test_ordinary_use_is_never_held_back() -> None:
    assert set(verdicts([T0 + n * MINUTE_MS // MOST for n in range(1_000)])) == {Verdict.SAY}


def test_without_a_limit_everything_is_said() -> None:
    assert set(verdicts([T0] * 1_000, most=0)) == {Verdict.SAY}


def test_a_flood_in_one_room_is_not_the_others() -> None:
    restraint = Restraint(1)
    for expected in (Verdict.SAY, Verdict.ENOUGH, Verdict.HUSH):
        assert restraint.weigh("!one:hs", T0) is expected
    assert restraint.weigh("!two:hs", T0) is Verdict.SAY


@given(st.lists(st.integers(0, 20_000), max_size=200), st.integers(1, 20))
def test_no_minute_has_more_than_twice_the_limit_and_two_words_of_warning(gaps: list[int], most: int) -> None:
    moments, now = [], T0
    for gap in gaps:
        now += gap
        moments.append(now)
    said = [m for m, v in zip(moments, verdicts(moments, most), strict=True) if v is not Verdict.HUSH]
    for start in said:
        assert sum(start <= moment < start + MINUTE_MS for moment in said) <= 2 * most + 2
