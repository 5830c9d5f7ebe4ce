from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import quantities
from config.problems import Wrong


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("5m", timedelta(minutes=5)),
        ("2h", timedelta(hours=2)),
        ("30s", timedelta(seconds=30)),
        ("500ms", timedelta(milliseconds=500)),
        ("1d", timedelta(days=1)),
        ("1h30m", timedelta(minutes=90)),
        ("1.5 h", timedelta(minutes=90)),
        (" 5M ", timedelta(minutes=5)),
        (90, timedelta(seconds=90)),
        (0.5, timedelta(milliseconds=500)),
        ("90", timedelta(seconds=90)),
        (timedelta(seconds=1), timedelta(seconds=1)),
    ],
)
def test_a_duration_is_read_as_people_write_it(written: object, meant: timedelta) -> None:
    assert quantities.parse_duration(written) == meant


@pytest.mark.parametrize(
    "written", ["", "5 minutes", "m5", "five", "0", "0s", -3, "-5m", True, None, [], "1h30", "9" * 400 + "d"]
)
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(Wrong):
        quantities.parse_duration(written)


@given(st.integers(min_value=1, max_value=10**12))
def test_a_duration_survives_being_written_and_read(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert quantities.parse_duration(quantities.format_duration(duration)) == duration


def test_a_duration_is_written_in_its_largest_unit() -> None:
    assert quantities.format_duration(timedelta(seconds=300)) == "5m"
    assert quantities.format_duration(timedelta(hours=24)) == "1d"
    assert quantities.format_duration(timedelta(seconds=90)) == "90s"
    assert quantities.format_duration(timedelta(milliseconds=1500)) == "1500ms"


@given(st.integers(min_value=0, max_value=2**50))
def test_a_size_survives_being_written_and_read(size: int) -> None:
    assert quantities.parse_size(quantities.format_size(size)) == size


@pytest.mark.parametrize("written", ["64Mo", "", "1.5MiB", True, "-1", None])
def test_what_is_no_size_is_refused(written: object) -> None:
    with pytest.raises(Wrong):
        quantities.parse_size(written)
