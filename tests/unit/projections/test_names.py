from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.calls.model import Participant, ParticipantKind
from bridge.locale import LANGUAGES, Text, Voice
from bridge.projections.names import NAME_LIMIT, display_name, one_line, person, safe_name

FR, EN, DE = Voice("fr"), Voice("en"), Voice("de")
RLO, LRM, ZWSP = "\u202e", "\u200e", "\u200b"

# Ordinary text, and much of what is hostile in text.
hostile = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(f"{RLO}{LRM}{ZWSP}\u2066\u2069\ufeff\x00\x1b\r\n\t\u2028[]<>&\"'«»“”@#:/.rom\u0301"),
    ),
    max_size=200,
)
kinds = st.sampled_from(ParticipantKind)


def participant(
    name: str, kind: ParticipantKind = ParticipantKind.GUEST, verified: bool = False
) -> Participant:
    return Participant("identity", name, kind, verified, None, 0)


def test_a_verified_name_stands_bare() -> None:
    assert display_name(FR, participant("Marie Curie", ParticipantKind.VISIO, verified=True)) == "Marie Curie"


@pytest.mark.parametrize(
    ("voice", "kind", "shown"),
    [
        (FR, ParticipantKind.GUEST, "« Bob » (sans compte)"),
        (FR, ParticipantKind.PHONE, "« Bob » (par téléphone)"),
        (FR, ParticipantKind.VISIO, "« Bob » (nom non vérifié)"),
        (FR, ParticipantKind.MATRIX, "« Bob » (nom non vérifié)"),
        (EN, ParticipantKind.GUEST, "“Bob” (guest)"),
        (EN, ParticipantKind.PHONE, "“Bob” (phone)"),
        (EN, ParticipantKind.VISIO, "“Bob” (not verified)"),
        (DE, ParticipantKind.GUEST, "„Bob“ (ohne Konto)"),
    ],
)
def test_any_other_name_stands_in_quotation_marks_with_a_note(
    voice: Voice, kind: ParticipantKind, shown: str
) -> None:
    assert display_name(voice, participant("Bob", kind)) == shown


def test_a_name_that_closes_its_quotation_marks_does_not() -> None:
    shown = display_name(FR, participant("Bob » (vérifié), « Marie"))
    assert shown == "« Bob ' (vérifié), ' Marie » (sans compte)"


def test_an_unverified_name_is_neither_a_link_nor_a_mention() -> None:
    shown = display_name(EN, participant(f"https:{ZWSP}//evil.example/x @ada:hs.example"))
    assert shown == "“https evil. example/x ada:hs. example” (guest)"
    assert display_name(EN, participant("J.-P. Dupont")) == "“J.-P. Dupont” (guest)"


def test_somebody_without_a_name_is_still_somebody() -> None:
    assert display_name(FR, participant(f" {ZWSP}\n")) == "une personne sans nom (sans compte)"
    assert display_name(EN, participant("[]", ParticipantKind.PHONE)) == "somebody without a name (phone)"
    assert (
        display_name(EN, participant("", ParticipantKind.VISIO, verified=True)) == "somebody without a name"
    )
    assert person(FR, "") == "une personne sans nom"


def test_brackets_direction_marks_controls_and_room_are_taken_out() -> None:
    assert safe_name(f"{RLO}Ada{LRM} [admin]\x07 @room") == "Ada admin"
    assert safe_name("@RO[OM] Ada") == "Ada"
    assert safe_name("@ro@roomom Ada") == "Ada"


def test_a_name_made_of_newlines_is_one_line() -> None:
    assert safe_name("\n\nAda\r\n\u2028Lovelace\n\n") == "Ada Lovelace"


def test_a_long_name_is_cut_with_an_ellipsis() -> None:
    assert safe_name("x" * 40) == "x" * 40
    assert safe_name("x" * 41) == "x" * 39 + "…"
    assert len(safe_name("ab " * 20_000)) <= 40


def test_stacks_of_accents_fall_down_and_ordinary_accents_stay() -> None:
    assert safe_name("Z" + "\u0335\u0322\u0341\u0358" * 10 + "oe").endswith("oe")
    assert len(safe_name("Z" + "\u0335" * 50)) <= 4
    assert safe_name("Zoe\u0308 Nguyễn") == "Zoë Nguyễn"


def test_names_in_every_script_stay_readable() -> None:
    for name in ("李小龍", "Дмитрий", "محمد", "שָׁלוֹם", "प्रिया", "Łukasz O’Neill-Ærø"):
        assert safe_name(name) == unicodedata.normalize("NFC", name)


@given(hostile, st.integers(1, 120))
def test_one_line_is_one_safe_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert line == " ".join(line.split())
    assert "@room" not in line.lower()
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for c in line)
    assert not any(
        unicodedata.bidirectional(c) in {"RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI"} for c in line
    )


@given(hostile)
def test_a_safe_name_stays_as_it_is_when_made_safe_again(text: str) -> None:
    once = safe_name(text)
    assert len(once) <= NAME_LIMIT
    assert not set(once) & set("[]")
    assert safe_name(once) == once


@given(st.sampled_from(LANGUAGES), hostile, kinds, st.booleans())
def test_a_displayed_name_never_raises_is_never_empty_and_never_opens_a_tag(
    language: str, text: str, kind: ParticipantKind, verified: bool
) -> None:
    shown = display_name(Voice(language), participant(text, kind, verified))
    assert shown
    assert "\n" not in shown
    assert "<" not in Text.of(shown).html
    if not verified:
        assert not set(shown) & set("@#[]")
        assert "://" not in shown
        assert sum(shown.count(mark) for mark in "«»“”„") in (0, 2)
