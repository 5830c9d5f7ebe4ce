from __future__ import annotations

from config.changes import CHANGES, CURRENT, Change, changes_since

SHORTER = Change(2, "calls.grace", "5m", "2m", "Rooms were held too long.")
LATER = Change(3, "rtc.enabled", "false", "true", "Native calls are part of the bridge.")


def test_a_file_learns_of_the_changes_after_it_was_written() -> None:
    assert changes_since(1, frozenset(), (SHORTER, LATER)) == (SHORTER, LATER)
    assert changes_since(2, frozenset(), (SHORTER, LATER)) == (LATER,)
    assert changes_since(3, frozenset(), (SHORTER, LATER)) == ()


def test_a_setting_that_the_file_states_did_not_change_for_it() -> None:
    assert changes_since(1, frozenset({"calls.grace"}), (SHORTER, LATER)) == (LATER,)


def test_a_sample_written_today_has_seen_every_change() -> None:
    assert changes_since(CURRENT, frozenset(), CHANGES) == ()
