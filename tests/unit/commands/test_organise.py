"""Whom a name means."""

from __future__ import annotations

import pytest

from bridge.calls.model import Call, CallState, Participant, ParticipantKind
from bridge.commands.organise import called


def person(identity: str, name: str, joined_ts: int = 0, user_id: str | None = None) -> Participant:
    return Participant(identity, name, ParticipantKind.GUEST, False, user_id, joined_ts)


def call(*participants: Participant) -> Call:
    return Call("c1", "!r:hs", CallState.ACTIVE, "livekit", "@a:hs", "a", 0, participants=participants)


ADA, ADA_AGAIN, ADELE = person("1", "Ada"), person("2", "ada", 5), person("3", "Adèle Ada")


def means(name: str, *participants: Participant) -> list[str]:
    return [p.identity for p in called(call(*participants), name, ())]


@pytest.mark.parametrize("name", ["Adèle Ada", "adele ada", "Adè", "« Adèle Ada » (sans compte)"])
def test_a_name_is_found_as_people_write_it(name: str) -> None:
    assert means(name.strip("« "), ADA, ADELE) == ["3"]


def test_a_whole_name_goes_before_the_beginning_of_a_word() -> None:
    assert means("Ada", ADA, ADELE) == ["1"]
    assert means("ad", ADA, ADELE) == ["1", "3"]


def test_a_mention_goes_before_the_name() -> None:
    zoe = person("4", "Z", user_id="@zoe:hs")
    assert [p.identity for p in called(call(ADA, zoe), "Ada", ("@zoe:hs",))] == ["4"]


def test_a_number_picks_one_of_those_who_are_called_the_same_in_order_of_arrival() -> None:
    assert means("Ada", ADA, ADA_AGAIN) == ["1", "2"]
    assert means("Ada 1", ADA, ADA_AGAIN) == ["1"]
    assert means("ada  2", ADA, ADA_AGAIN) == ["2"]
    assert means("Ada 3", ADA, ADA_AGAIN) == []
    assert means("ad 2", ADA, ADELE) == ["3"]


def test_a_number_means_nothing_where_one_person_alone_is_called_so() -> None:
    assert means("Ada 2", ADA) == []


def test_who_calls_themselves_by_a_number_does_not_hide_another_one_behind_it() -> None:
    cunning = person("9", "Ada 2")
    assert means("Ada 2", ADA, ADA_AGAIN, cunning) == ["2"]
    assert means("2", ADA, ADA_AGAIN, cunning) == ["9"]
    assert means("Ada 2", ADA, cunning) == ["9"]
