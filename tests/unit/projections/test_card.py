"""What a card holds beside its words: data, names, signatures; and that any call has one."""

from __future__ import annotations

import dataclasses
import json
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.calls.model import Call, CallState, DialIn, EndReason, Participant, ParticipantKind
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
from tests.unit.projections.samples import (
    ACTIVE,
    EAR,
    ENDED,
    FAILED,
    FR,
    MARIE,
    OPEN,
    PAUL,
    TEN_OH_TWO,
    URL,
    body,
)


def test_after_twenty_names_the_others_are_counted() -> None:
    crowd = tuple(dataclasses.replace(MARIE, identity=str(n), name=f"P{n}") for n in range(23))
    card = project(ACTIVE.but(participants=crowd), FR)
    assert "23 personnes : P0, P1, " in card.body
    assert "P19 et 3 autres." in card.body
    assert len(card.data["participants"]) == 20
    assert card.data["count"] == 23


def test_a_hidden_listener_is_counted_and_not_named() -> None:
    card = project(ACTIVE.but(participants=(MARIE, EAR)), FR)
    assert "1 personne : Marie Curie." in card.body
    assert "1 à l’écoute." in card.body
    assert card.data["listening"] == 1
    assert "Ear" not in json.dumps(content(card))


@pytest.mark.parametrize("access", ["restricted", None])
def test_a_followed_meeting_behind_a_lobby_counts_people_and_names_nobody(access: str | None) -> None:
    behind = ACTIVE.but(adopted=True, access=access)
    card = project(behind, FR)
    assert (card.data["count"], card.data["participants"]) == (3, [])
    assert "Marie" not in card.body
    assert "Marie" in project(behind.but(access="trusted"), FR).body


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
                    "hand": False,
                    "role": None,
                },
                {
                    "name": "Paul",
                    "kind": "matrix",
                    "verified": True,
                    "user_id": "@paul:hs.example",
                    "joined_ts": TEN_OH_TWO + 1,
                    "hand": False,
                    "role": None,
                },
                {
                    "name": "Bob",
                    "kind": "guest",
                    "verified": False,
                    "user_id": None,
                    "joined_ts": TEN_OH_TWO + 2,
                    "hand": False,
                    "role": None,
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
        ("adopted", False),
        ("attendance", True),
        ("access", None),
        ("dial_in", None),
    ]


def test_hands_roles_and_ways_in_are_in_the_data_while_the_meeting_lasts() -> None:
    owner = dataclasses.replace(MARIE, hand=True, role="owner")
    call = ACTIVE.but(participants=(owner,), access="trusted", dial_in=DialIn("+33 1 23", "4567"))
    data = project(call, FR).data
    assert (data["participants"][0]["hand"], data["participants"][0]["role"]) == (True, "owner")
    assert (data["access"], data["dial_in"]) == ("trusted", {"number": "+33 1 23", "pin": "4567"})
    over = project(ENDED.but(access="trusted", dial_in=call.dial_in), FR)
    assert (over.data["access"], over.data["dial_in"]) == (None, None)
    assert "4567" not in json.dumps(content(over))
    assert project(OPEN.but(unseen=True, adopted=True), FR).data["attendance"] is False


def test_a_hand_or_a_role_is_news_of_the_roster() -> None:
    for change in ({"hand": True}, {"role": "owner"}):
        changed = ACTIVE.but(participants=(dataclasses.replace(MARIE, **change), PAUL))
        same = ACTIVE.but(participants=(MARIE, PAUL))
        assert roster_signature(changed) != roster_signature(same)
        assert state_signature(changed) == state_signature(same)


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
    adopted=st.booleans(),
    unseen=st.booleans(),
    dial_in=st.none() | st.builds(DialIn, number=anything, pin=anything),
)
styles = st.builds(
    CardStyle,
    voice=st.sampled_from([Voice(language) for language in LANGUAGES]),
    names=st.sampled_from(["during", "keep", "never"]),
    app_name=st.sampled_from(["", "Tchap"]),
    native_bridged=st.booleans(),
    max_participants=st.none() | st.integers(1, 10),
    can_admit=st.booleans(),
    support=st.sampled_from(["", "https://aide.example"]),
    visio_url=st.none() | st.just("https://visio.example"),
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
        assert URL not in card.html
    json.dumps(content(card))
