from __future__ import annotations

import pytest

from appservice.gaps import Gaps


def gaps(*txn_ids: str) -> list[bool]:
    """What is said of each of these ids, in turn."""
    watched = Gaps()
    return [watched.before(txn_id) for txn_id in txn_ids]


def test_the_first_transaction_and_those_in_a_row_leave_no_gap() -> None:
    assert not any(gaps("8", "9", "10"))


def test_a_number_that_is_missing_is_a_gap_and_is_told_once() -> None:
    assert gaps("8", "10", "11") == [False, True, False]


def test_what_is_sent_again_is_no_gap() -> None:
    assert not any(gaps("8", "8", "9", "9"))


def test_what_was_left_behind_and_comes_late_is_no_gap() -> None:
    assert gaps("8", "10", "9") == [False, True, False]


def test_a_homeserver_restored_from_a_backup_begins_again() -> None:
    assert not any(gaps("80", "8", "9"))


@pytest.mark.parametrize(
    "ids",
    [
        ("1700000000000", "1700000000900"),
        ("kT3x", "9f_2"),
        ("8", "9a"),
        ("\u0668", "\u0669"),
        ("8", "-9"),
        ("", " "),
        ("1" * 5_000, "1" * 4_999 + "3"),
    ],
    ids=["times", "hashes", "mixed", "other digits", "negative", "empty", "endless"],
)
def test_ids_that_are_not_counted_up_say_nothing(ids: tuple[str, ...]) -> None:
    assert not any(gaps(*ids))
