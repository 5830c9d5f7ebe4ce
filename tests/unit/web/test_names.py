from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.web.names import MAX_NAME, clean_name


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("Marie Curie", "Marie Curie"),
        ("  Marie \t\n Curie  ", "Marie Curie"),
        ("Marie\u202eCurie", "MarieCurie"),
        ("Ma\x00rie\x07", "Marie"),
        ("Marie\u2028Curie", "Marie Curie"),
        ("e\u0301le\u0300ve", "élève"),
        ("\u674e\u56db", "\u674e\u56db"),
        ("x" * 60, "x" * MAX_NAME),
        ("<b>Marie</b>", "<b>Marie</b>"),
    ],
)
def test_a_name_becomes_one_visible_line(typed: str, shown: str) -> None:
    assert clean_name(typed) == shown


@pytest.mark.parametrize(
    "typed", ["", "   ", "\u200b\u200b", "\u3164", "\u2800", "...", "\u0301\u0301", "\ue000"]
)
def test_a_name_without_a_letter_or_digit_is_no_name(typed: str) -> None:
    assert clean_name(typed) == ""


@given(st.text(max_size=200))
def test_any_text_becomes_a_short_single_line_and_stays_as_it_is(typed: str) -> None:
    name = clean_name(typed)
    assert len(name) <= MAX_NAME
    assert name == name.strip()
    assert name.isprintable()
    assert clean_name(name) == name
