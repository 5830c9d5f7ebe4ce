from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.locale import LANGUAGES, Voice

FR, EN, DE = Voice("fr"), Voice("en"), Voice("de")
MINUTE = 60_000
HOUR = 60 * MINUTE


def ts(hour: int, minute: int, day: int = 16) -> int:
    """A time of a November day in Paris, which is one hour ahead of UTC then."""
    return int(datetime.datetime(2026, 11, day, hour - 1, minute, tzinfo=datetime.UTC).timestamp() * 1000)


def test_french_in_paris_is_the_default() -> None:
    assert Voice() == Voice("fr", "Europe/Paris", "!visio")


def test_an_unknown_language_or_zone_is_refused_when_the_voice_is_made() -> None:
    with pytest.raises(ValueError, match="fr, en, de"):
        Voice("tlh")
    with pytest.raises(ValueError, match="Europe/Paris"):
        Voice("fr", "Mars/Olympus")
    with pytest.raises(ValueError, match="Europe/Paris"):
        Voice("fr", "../etc/passwd")


def test_the_time_of_day_is_written_as_each_language_writes_it() -> None:
    assert (FR.clock(ts(10, 2)), EN.clock(ts(10, 2)), DE.clock(ts(10, 2))) == ("10 h 02", "10:02", "10:02")
    assert (FR.clock(ts(9, 5)), EN.clock(ts(9, 5))) == ("9 h 05", "09:05")


def test_another_day_than_expected_is_named() -> None:
    late, after_midnight = ts(23, 50), ts(1, 20, day=17)
    assert FR.clock(after_midnight, near=late) == "1 h 20 le 17 novembre"
    assert EN.clock(after_midnight, near=late) == "01:20 on 17 November"
    assert DE.clock(after_midnight, near=late) == "01:20 am 17. November"
    assert FR.clock(ts(23, 59), near=late) == "23 h 59"


def test_midnight_is_that_of_the_rooms_zone() -> None:
    assert Voice("fr", "America/Cayenne").clock(ts(2, 0, day=17), near=ts(23, 0)) == "22 h 00"


def test_the_zone_is_said_by_its_city() -> None:
    assert (FR.zone, EN.zone, DE.zone) == ("heure de Paris", "Paris time", "Ortszeit Paris")
    assert Voice("fr", "Pacific/Noumea").zone == "heure de Nouméa"
    assert Voice("fr", "Indian/Reunion").zone == "heure de La Réunion"
    assert Voice("fr", "Europe/Athens").zone == "heure d’Athènes"
    assert Voice("en", "UTC").zone == "UTC"


def test_a_duration_is_said_to_the_minute() -> None:
    assert FR.duration(45 * MINUTE) == "45 min"
    assert FR.duration(65 * MINUTE) == "1 h 05"
    assert EN.duration(65 * MINUTE) == "1 h 05 min"
    assert FR.duration(2 * HOUR) == "2 h"
    assert FR.duration(59_999) == "moins d’une minute"
    assert EN.duration(-1) == "less than a minute"


def test_people_are_counted_as_each_language_counts() -> None:
    assert [FR.people(n) for n in (0, 1, 2)] == ["0 personne", "1 personne", "2 personnes"]
    assert [EN.people(n) for n in (0, 1, 2)] == ["0 people", "1 person", "2 people"]
    assert [DE.people(n) for n in (1, 2)] == ["1 Person", "2 Personen"]


def test_names_are_listed_in_words() -> None:
    assert FR.names(["Ada"]) == "Ada"
    assert FR.names(["Ada", "Bo"]) == "Ada et Bo"
    assert FR.names(["Ada", "Bo"], 1) == "Ada, Bo et 1 autre"
    assert EN.names(["Ada", "Bo"], 3) == "Ada, Bo and 3 others"
    assert DE.names(["Ada", "Bo"], 3) == "Ada, Bo und 3 weitere"
    assert EN.names([]) == ""


def test_french_elides_before_a_vowel_in_a_name_but_not_in_an_organisation() -> None:
    line = "The call button in {app} leads to the same meeting."
    assert FR.text(line, app="Tchap").plain == "Le bouton d’appel de Tchap mène à la même réunion."
    assert FR.text(line, app="Element").plain == "Le bouton d’appel d’Element mène à la même réunion."
    hello = "Hello, I am {organisation}'s Visio service."
    assert FR.text(hello, organisation="Armée").plain == "Bonjour, je suis le service Visio de Armée."


def test_a_language_has_a_name_in_every_language() -> None:
    assert FR.language_name("en") == "anglais"
    assert EN.language_name("fr") == "French"
    assert DE.language_name("de") == "Deutsch"


def test_the_prefix_of_the_settings_is_the_one_that_is_shown() -> None:
    said = Voice("fr", prefix="!reunion").text("Help: `{prefix} help`.")
    assert said.plain == "Aide : !reunion aide."
    assert said.html == "Aide : <code>!reunion aide</code>."


@given(
    st.sampled_from(LANGUAGES),
    st.sampled_from(["Europe/Paris", "UTC", "Asia/Kolkata", "Etc/GMT+5"]),
    st.integers(0, 4_000_000_000_000),
    st.integers(-10, 10**12),
)
def test_times_and_durations_are_always_sayable(language: str, zone: str, when: int, length: int) -> None:
    voice = Voice(language, zone)
    assert voice.clock(when)
    assert voice.clock(when, near=when + length)
    assert voice.duration(length)
    assert voice.zone
