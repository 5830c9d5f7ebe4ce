from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.calls.pace import BUCKET, CROWD, CROWD_INTERVAL_MS, INTERVAL_MS, Pace, may_edit
from tests.unit.calls.people import T0


def spend(pace: Pace, now: int, times: int, people: int = 1) -> Pace:
    for _ in range(times):
        allowed, pace, _ = may_edit(pace, now, people)
        assert allowed
    return pace


def test_five_edits_go_at_once_and_the_sixth_waits() -> None:
    pace = spend(Pace(), T0, BUCKET)
    assert may_edit(pace, T0, 1) == (False, pace, INTERVAL_MS)


def test_then_one_edit_goes_every_thirty_seconds() -> None:
    pace = spend(Pace(), T0, BUCKET)
    for turn in (1, 2, 3):
        now = T0 + turn * INTERVAL_MS
        assert not may_edit(pace, now - 1, 1).allowed
        pace = spend(pace, now, 1)


def test_large_meetings_are_edited_every_sixty_seconds() -> None:
    pace = spend(Pace(), T0, BUCKET, CROWD + 1)
    assert may_edit(pace, T0 + INTERVAL_MS, CROWD + 1).wait_ms == CROWD_INTERVAL_MS - INTERVAL_MS
    assert may_edit(pace, T0 + CROWD_INTERVAL_MS, CROWD + 1).allowed


def test_twenty_people_are_no_crowd() -> None:
    pace = spend(Pace(), T0, BUCKET, CROWD)
    assert may_edit(pace, T0 + INTERVAL_MS, CROWD).allowed


def test_a_quiet_time_fills_the_bucket_and_no_more() -> None:
    pace = spend(Pace(), T0, BUCKET)
    later = T0 + 100 * INTERVAL_MS
    assert not may_edit(spend(pace, later, BUCKET), later, 1).allowed


def test_a_clock_that_was_set_back_does_not_stop_the_card() -> None:
    pace = spend(Pace(), T0, BUCKET)
    assert may_edit(pace, T0 - 10**9, 1).wait_ms == INTERVAL_MS


@settings(deadline=None)
@given(
    questions=st.lists(st.tuples(st.integers(0, 50_000), st.integers(0, 40)), max_size=60),
)
def test_no_window_holds_more_edits_than_the_bucket_and_its_refills(
    questions: list[tuple[int, int]],
) -> None:
    pace, now, edits = Pace(), T0, list[int]()
    for pause, people in questions:
        now += pause
        allowed, pace, wait = may_edit(pace, now, people)
        assert allowed == (wait == 0)
        if allowed:
            edits.append(now)
        else:
            assert may_edit(pace, now + wait, people).allowed
    for first, start in enumerate(edits):
        for last, stop in enumerate(edits[first:], start=1):
            assert last <= BUCKET + 1 + (stop - start) // INTERVAL_MS
