"""Cards by their exact words: read these as one would read the page."""

from __future__ import annotations

import dataclasses
import datetime
import json
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.calls.model import Call, CallState, EndReason, Participant, ParticipantKind
from bridge.locale import LANGUAGES, Voice
from bridge.projections.card import (
    CALL_KEY,
    Card,
    CardStyle,
    Names,
    content,
    project,
    roster_signature,
    state_signature,
)
from bridge.projections.card_words import CAUSES

TEN_OH_TWO = int(datetime.datetime(2026, 11, 16, 9, 2, tzinfo=datetime.UTC).timestamp() * 1000)
MINUTE = 60_000

FR = CardStyle(Voice("fr"))
EN = CardStyle(Voice("en"))
DE = CardStyle(Voice("de"))

URL = "https://visio.example.gouv.fr/call/Abc#secret"

MARIE = Participant("marie", "Marie Curie", ParticipantKind.VISIO, True, None, TEN_OH_TWO)
PAUL = Participant("paul", "Paul", ParticipantKind.MATRIX, True, "@paul:hs.example", TEN_OH_TWO + 1)
BOB = Participant("bob", "Bob", ParticipantKind.GUEST, False, None, TEN_OH_TWO + 2)
EAR = Participant("ear", "Ear", ParticipantKind.MATRIX, True, "@ear:hs.example", TEN_OH_TWO, hidden=True)

OPEN = Call(
    id="abc",
    room_id="!room:hs.example",
    state=CallState.OPEN,
    provider="livekit",
    started_by="@alice:hs.example",
    started_by_name="Alice",
    started_ts=TEN_OH_TWO,
    subject="Point budget",
    url=URL,
)
ACTIVE = OPEN.but(
    state=CallState.ACTIVE, first_join_ts=TEN_OH_TWO, participants=(MARIE, PAUL, BOB), peak=3, came=3
)
ENDED = ACTIVE.but(
    state=CallState.ENDED,
    url=None,
    participants=(),
    ended_ts=TEN_OH_TWO + 45 * MINUTE,
    end_reason=EndReason.COMMAND,
    peak=9,
    came=12,
)
FAILED = OPEN.but(
    state=CallState.FAILED, url=None, failure="sfu_unreachable", reference="k3x9", ended_ts=TEN_OH_TWO
)


def body(call: Call, style: CardStyle = FR, first: bool = False) -> str:
    return project(call, style, first=first).body


def test_open_in_french() -> None:
    style = dataclasses.replace(FR, native_bridged=True, app_name="Tchap")
    assert body(OPEN.but(access="trusted"), style) == (
        "Visio ouverte : Point budget\n"
        "Par Alice, à 10 h 02 (heure de Paris). Personne n’est encore là.\n"
        "Rejoindre la visio : https://visio.example.gouv.fr/call/Abc#secret\n"
        "Avec ProConnect, vous entrez directement ; sinon, un organisateur doit vous faire entrer. "
        "Le bouton d’appel de Tchap mène à la même réunion.\n"
        "Arrêter : !visio fin. Aide : !visio aide."
    )


def test_open_in_english() -> None:
    style = dataclasses.replace(EN, native_bridged=True, app_name="Tchap")
    assert body(OPEN.but(access="trusted"), style) == (
        "Meeting open: Point budget\n"
        "By Alice, at 10:02 (Paris time). Nobody is there yet.\n"
        "Join the meeting: https://visio.example.gouv.fr/call/Abc#secret\n"
        "With ProConnect (French State) you go straight in; otherwise an organiser must let you in. "
        "The call button in Tchap leads to the same meeting.\n"
        "Stop: !visio end. Help: !visio help."
    )


def test_active_in_french() -> None:
    assert body(ACTIVE.but(access="public")) == (
        "Visio en cours : Point budget\n"
        "Depuis 10 h 02 (heure de Paris).\n"
        "3 personnes : Marie Curie, Paul et « Bob » (invité).\n"
        "Rejoindre la visio : https://visio.example.gouv.fr/call/Abc#secret\n"
        "Toute personne qui a ce lien peut entrer."
    )


def test_active_in_english() -> None:
    assert body(ACTIVE.but(access="public"), EN) == (
        "Meeting in progress: Point budget\n"
        "Since 10:02 (Paris time).\n"
        "3 people: Marie Curie, Paul and “Bob” (guest).\n"
        "Join the meeting: https://visio.example.gouv.fr/call/Abc#secret\n"
        "Anyone with this link can enter."
    )


def test_ended_in_french_and_english() -> None:
    assert body(ENDED) == (
        "Visio terminée : Point budget\n"
        "De 10 h 02 à 10 h 47 (heure de Paris), 45 min. 12 personnes sont venues.\n"
        "Nouvelle réunion : écrivez !visio"
    )
    assert body(ENDED, EN) == (
        "Meeting over: Point budget\n"
        "From 10:02 to 10:47 (Paris time), 45 min. 12 people came.\n"
        "New meeting: type !visio"
    )


def test_failed_in_french_and_english() -> None:
    french = dataclasses.replace(FR, visio_url="https://visio.example.gouv.fr")
    assert body(FAILED, french) == (
        "Visio impossible : Point budget\n"
        "Le serveur des réunions ne répond pas. Aucune réunion n’est ouverte.\n"
        "Réessayez avec !visio, ou créez la réunion ici et collez son lien dans le salon : "
        "https://visio.example.gouv.fr\n"
        "Réf. k3x9"
    )
    assert body(FAILED, EN) == (
        "Meeting not possible: Point budget\n"
        "The meeting server is not answering. No meeting is open.\n"
        "Try !visio again in a few minutes.\n"
        "Ref. k3x9"
    )


def test_every_state_in_german() -> None:
    assert body(OPEN, DE).splitlines()[:2] == [
        "Besprechung offen: Point budget",
        "Von Alice, um 10:02 (Ortszeit Paris). Noch ist niemand da.",
    ]
    assert body(ACTIVE, DE).splitlines()[2] == "3 Personen: Marie Curie, Paul und „Bob“ (Gast)."
    assert body(ENDED, DE).splitlines()[1] == (
        "Von 10:02 bis 10:47 (Ortszeit Paris), 45 min. 12 Personen waren da."
    )


def test_the_html_has_the_same_lines_with_a_link_that_says_where_it_leads() -> None:
    assert project(OPEN, FR).html == (
        "<p><strong>Visio ouverte : Point budget</strong></p>"
        "<p>Par Alice, à 10 h 02 (heure de Paris). Personne n’est encore là.</p>"
        '<p><a href="https://visio.example.gouv.fr/call/Abc#secret">'
        "Rejoindre la visio : visio.example.gouv.fr/call/Abc#secret</a></p>"
        "<p>Arrêter : <code>!visio fin</code>. Aide : <code>!visio aide</code>.</p>"
    )


def test_a_part_without_a_value_disappears_with_its_punctuation() -> None:
    bare = OPEN.but(subject=None, started_by_name="", url=None)
    assert body(bare) == (
        "Visio ouverte\n"
        "À 10 h 02 (heure de Paris). Personne n’est encore là.\n"
        "Arrêter : !visio fin. Aide : !visio aide."
    )
    assert body(FAILED.but(reference=None, subject="  ")).splitlines() == [
        "Visio impossible",
        "Le serveur des réunions ne répond pas. Aucune réunion n’est ouverte.",
        "Réessayez avec !visio dans quelques minutes.",
    ]


def test_one_person_and_nobody_are_said_as_people_say_them() -> None:
    assert "1 personne : Marie Curie." in body(ACTIVE.but(participants=(MARIE,)))
    assert "Personne en ce moment." in body(ACTIVE.but(participants=()))
    assert body(ENDED.but(came=1)).splitlines()[1].endswith("1 personne est venue.")
    assert body(ENDED.but(came=0)).splitlines()[1].endswith("Personne n’est venu.")
    assert body(ENDED.but(came=0), EN).splitlines()[1].endswith("Nobody came.")


def test_after_twenty_names_the_others_are_counted() -> None:
    crowd = tuple(dataclasses.replace(MARIE, identity=str(n), name=f"P{n}") for n in range(23))
    card = project(ACTIVE.but(participants=crowd), FR)
    assert "23 personnes : P0, P1, " in card.body
    assert "P19 et 3 autres." in card.body
    assert len(card.data["participants"]) == 20
    assert card.data["count"] == 23


def test_a_meeting_over_midnight_says_the_day_of_its_end() -> None:
    late = ENDED.but(first_join_ts=TEN_OH_TWO + 13 * 60 * MINUTE, ended_ts=TEN_OH_TWO + 15 * 60 * MINUTE)
    assert body(late).splitlines()[1] == (
        "De 23 h 02 à 1 h 02 le 17 novembre (heure de Paris), 2 h. 12 personnes sont venues."
    )


def test_the_length_agrees_with_the_two_times_shown() -> None:
    call = ENDED.but(first_join_ts=TEN_OH_TWO + 59_000, ended_ts=TEN_OH_TWO + 3 * MINUTE + 1_000)
    assert "De 10 h 02 à 10 h 05 (heure de Paris), 3 min." in body(call)


def test_alerts_come_before_anything_is_said() -> None:
    call = ACTIVE.but(
        participants=(MARIE, PAUL, EAR),
        recording=True,
        transcription=True,
        stale_since_ts=TEN_OH_TWO + 3 * MINUTE,
    )
    assert body(call, dataclasses.replace(FR, max_participants=2)).splitlines()[-1] == (
        "Enregistrement en cours. Transcription en cours. Complet : 2 sur 2. "
        "Présence inconnue depuis 10 h 05. 1 à l’écoute."
    )
    assert body(call, dataclasses.replace(EN, max_participants=2)).splitlines()[-1] == (
        "Recording. Transcription on. Full: 2 of 2. Attendance unknown since 10:05. 1 listening."
    )


def test_a_hidden_listener_is_counted_and_not_named() -> None:
    card = project(ACTIVE.but(participants=(MARIE, EAR)), FR)
    assert "1 personne : Marie Curie." in card.body
    assert "1 à l’écoute." in card.body
    assert card.data["listening"] == 1
    assert "Ear" not in json.dumps(content(card))


def test_while_the_sfu_is_silent_an_open_card_does_not_say_that_nobody_is_there() -> None:
    said = body(OPEN.but(stale_since_ts=TEN_OH_TWO + MINUTE))
    assert "Personne" not in said
    assert "Présence inconnue depuis 10 h 03." in said


@pytest.mark.parametrize(
    ("access", "can_admit", "french", "english"),
    [
        (
            "public",
            True,
            "Toute personne qui a ce lien peut entrer.",
            "Anyone with this link can enter.",
        ),
        (
            "restricted",
            True,
            "Un organisateur doit vous faire entrer.",
            "An organiser must let you in.",
        ),
        (
            "trusted",
            False,
            "Sans ProConnect, vous ne pourrez pas entrer.",
            "Without ProConnect you will not be able to enter.",
        ),
    ],
)
def test_the_card_says_who_can_enter(access: str, can_admit: bool, french: str, english: str) -> None:
    call = OPEN.but(access=access)
    assert french in body(call, dataclasses.replace(FR, can_admit=can_admit)).splitlines()
    assert english in body(call, dataclasses.replace(EN, can_admit=can_admit)).splitlines()


def test_an_encrypted_room_is_told_that_the_meeting_is_not() -> None:
    call = ACTIVE.but(encrypted_room=True)
    french = dataclasses.replace(FR, app_name="Tchap", native_people=2, native_bridged=True)
    assert body(call, french).splitlines()[-1] == (
        "Attention : ce salon est chiffré de bout en bout, la visio ne l’est pas. "
        "Le bouton d’appel de Tchap ouvre un autre appel, chiffré, sans les personnes de la visio "
        "(2 personnes y sont)."
    )
    assert "mène à la même réunion" not in body(call, french)
    assert body(call, dataclasses.replace(EN, app_name="Element")).splitlines()[-1] == (
        "Note: this room is end-to-end encrypted, the meeting is not. "
        "The call button in Element opens another, encrypted call, without the people of the meeting."
    )
    assert body(call, EN).splitlines()[-1] == "Note: this room is end-to-end encrypted, the meeting is not."


def test_a_meeting_that_the_room_lets_go_of_is_said_to_go_on() -> None:
    line = "Ce salon ne suit plus la réunion, qui peut continuer."
    assert line in body(ENDED.but(adopted=True))
    assert line in body(ENDED.but(end_reason=EndReason.UNTIED))
    assert line not in body(ENDED)
    assert line not in body(ENDED.but(adopted=True, end_reason=EndReason.EMPTY))


def test_every_cause_of_failure_has_a_sentence_and_an_unknown_one_too() -> None:
    for style in (FR, EN, DE):
        said = {body(FAILED.but(failure=cause), style).splitlines()[1] for cause in CAUSES}
        assert len(said) == len(CAUSES)
        assert body(FAILED.but(failure="new"), style) == body(FAILED.but(failure="internal"), style)


def test_the_data_is_that_of_the_contract_in_its_order() -> None:
    card = project(ACTIVE, FR)
    assert list(card.data.items()) == [
        ("v", 1),
        ("id", "abc"),
        ("state", "active"),
        ("subject", "Point budget"),
        ("url", URL),
        ("provider", "livekit"),
        ("started_by", "@alice:hs.example"),
        ("started_ts", TEN_OH_TWO),
        ("first_join_ts", TEN_OH_TWO),
        ("ended_ts", None),
        ("end_reason", None),
        (
            "participants",
            [
                {
                    "name": "Marie Curie",
                    "kind": "visio",
                    "verified": True,
                    "user_id": None,
                    "joined_ts": TEN_OH_TWO,
                },
                {
                    "name": "Paul",
                    "kind": "matrix",
                    "verified": True,
                    "user_id": "@paul:hs.example",
                    "joined_ts": TEN_OH_TWO + 1,
                },
                {
                    "name": "Bob",
                    "kind": "guest",
                    "verified": False,
                    "user_id": None,
                    "joined_ts": TEN_OH_TWO + 2,
                },
            ],
        ),
        ("count", 3),
        ("peak", 3),
        ("came", 3),
        ("listening", 0),
        ("encrypted_room", False),
        ("stale_since_ts", None),
        ("recording", False),
        ("transcription", False),
    ]


def test_the_content_is_a_notice_that_mentions_nobody_and_repeats_the_link() -> None:
    card = project(OPEN, FR)
    assert content(card) == {
        "msgtype": "m.notice",
        "body": card.body,
        "format": "org.matrix.custom.html",
        "formatted_body": card.html,
        "m.mentions": {},
        CALL_KEY: card.data,
        "call_url": URL,
    }


def test_a_call_that_is_over_has_no_link_anywhere() -> None:
    for call in (ENDED.but(url=URL), FAILED.but(url=URL)):
        made = content(project(call, FR))
        assert "call_url" not in made
        assert URL not in json.dumps(made)
        assert made[CALL_KEY]["url"] is None


def names_on(card: Card) -> list[str]:
    whole = json.dumps(content(card), ensure_ascii=False)
    return [name for name in ("Marie Curie", "Paul", "Bob") if name in whole]


@pytest.mark.parametrize(
    ("names", "call", "first", "shown"),
    [
        ("during", ACTIVE, False, ["Marie Curie", "Paul", "Bob"]),
        ("during", ACTIVE, True, []),
        ("during", ENDED.but(participants=ACTIVE.participants), False, []),
        ("keep", ACTIVE, False, ["Marie Curie", "Paul", "Bob"]),
        ("keep", ACTIVE, True, []),
        ("keep", ENDED.but(participants=ACTIVE.participants), False, ["Marie Curie", "Paul", "Bob"]),
        ("never", ACTIVE, False, []),
        ("never", ENDED.but(participants=ACTIVE.participants), False, []),
    ],
)
def test_names_stand_where_the_setting_wants_them(
    names: Names, call: Call, first: bool, shown: list[str]
) -> None:
    card = project(call, dataclasses.replace(FR, names=names), first=first)
    assert names_on(card) == shown
    if not shown and call.state is CallState.ACTIVE:
        assert "3 personnes.\n" in card.body


def test_names_never_leaves_out_who_opened_it_too() -> None:
    assert "Alice" not in body(OPEN, dataclasses.replace(FR, names="never"))
    assert "Par Alice, à 10 h 02" in body(OPEN, FR, first=True)


def test_kept_names_are_listed_after_the_end() -> None:
    call = ENDED.but(participants=ACTIVE.participants)
    assert body(call, dataclasses.replace(FR, names="keep")).splitlines()[1] == (
        "De 10 h 02 à 10 h 47 (heure de Paris), 45 min. "
        "12 personnes sont venues : Marie Curie, Paul, « Bob » (invité) et 9 autres."
    )


def test_a_call_that_is_being_opened_has_no_card() -> None:
    with pytest.raises(ValueError, match="no card"):
        project(OPEN.but(state=CallState.OPENING), FR)


def test_a_hostile_subject_is_shown_as_text_on_one_line() -> None:
    card = project(OPEN.but(subject="<img src=x>\u202e\n\n@room " + "A" * 60_000), FR)
    first = card.body.splitlines()[0]
    assert first.startswith("Visio ouverte : <img src=x> AAAA")
    assert len(first) == len("Visio ouverte : ") + 100
    assert card.html.startswith("<p><strong>Visio ouverte : &lt;img src=x&gt; AAA")
    assert card.data["subject"] == first.removeprefix("Visio ouverte : ")


def test_what_changes_the_state_is_urgent_and_the_roster_is_not() -> None:
    left = ACTIVE.but(participants=(MARIE,), version=9, empty_since_ts=5)
    assert state_signature(left) == state_signature(ACTIVE)
    assert roster_signature(left) != roster_signature(ACTIVE)
    for change in (
        ACTIVE.but(state=CallState.ENDED),
        ACTIVE.but(recording=True),
        ACTIVE.but(transcription=True),
        ACTIVE.but(stale_since_ts=1),
        ACTIVE.but(url="https://elsewhere.example"),
        ACTIVE.but(participants=(*ACTIVE.participants, EAR)),
    ):
        assert state_signature(change) != state_signature(ACTIVE)
    full = ACTIVE.but(participants=(MARIE, PAUL))
    assert state_signature(ACTIVE, 3) != state_signature(full, 3)


def test_the_first_line_changes_only_with_the_state() -> None:
    for change in (ACTIVE.but(participants=()), ACTIVE.but(recording=True), ACTIVE.but(stale_since_ts=1)):
        assert body(change).splitlines()[0] == body(ACTIVE).splitlines()[0]


class Tags(HTMLParser):
    """Collects the tags of a card."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.open: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.open.append(tag)
        assert [name for name, _ in attrs] == (["href"] if tag == "a" else [])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


anything = st.text(st.one_of(st.characters(), st.sampled_from("<>&\"'\n\u202e[]@`{}")), max_size=80)
participants = st.builds(
    Participant,
    identity=anything,
    name=anything,
    kind=st.sampled_from(ParticipantKind),
    verified=st.booleans(),
    user_id=st.none(),
    joined_ts=st.integers(0, 2**41),
    hidden=st.booleans(),
)
calls = st.builds(
    Call,
    id=st.just("abc"),
    room_id=st.just("!r"),
    state=st.sampled_from([state for state in CallState if state is not CallState.OPENING]),
    provider=st.just("livekit"),
    started_by=st.just("@a:hs"),
    started_by_name=anything,
    started_ts=st.integers(0, 2**41),
    subject=st.none() | anything,
    url=st.none() | st.just(URL),
    first_join_ts=st.none() | st.integers(0, 2**41),
    ended_ts=st.none() | st.integers(0, 2**41),
    end_reason=st.none() | st.sampled_from(EndReason),
    failure=st.none() | anything,
    reference=st.none() | st.just("k3x9"),
    stale_since_ts=st.none() | st.integers(0, 2**41),
    participants=st.lists(participants, max_size=25).map(tuple),
    came=st.integers(0, 99),
    encrypted_room=st.booleans(),
    access=st.none() | st.sampled_from(["public", "trusted", "restricted", "new"]),
)
styles = st.builds(
    CardStyle,
    voice=st.sampled_from([Voice(language) for language in LANGUAGES]),
    names=st.sampled_from(["during", "keep", "never"]),
    app_name=st.sampled_from(["", "Tchap"]),
    native_bridged=st.booleans(),
    max_participants=st.none() | st.integers(1, 10),
)


@given(calls, styles, st.booleans())
def test_any_call_has_a_card_whose_html_is_sound_and_says_what_the_body_says(
    call: Call, style: CardStyle, first: bool
) -> None:
    card = project(call, style, first=first)
    assert card == project(call, style, first=first)
    tags = Tags()
    tags.feed(card.html)
    tags.close()
    assert tags.open == []
    assert tags.seen <= {"p", "strong", "a", "code"}
    assert card.html.count("<p>") == len(card.body.split("\n"))
    assert len(card.data["participants"]) <= 20
    if call.state.is_over:
        assert card.data["url"] is None
        assert "<a " not in card.html
    json.dumps(content(card))
