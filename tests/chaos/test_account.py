"""The chaos tests' own account: one that overlooks things would make all of them pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.demo.matrix_user import Event
from tests.support.cards import CALL
from tests.support.chaos_account import Account

BOT = "@visio:hs"


def event(
    number: int, sender: str, body: str, thread: str | None = None, content: Mapping[str, Any] | None = None
) -> Event:
    relation = {"rel_type": "m.thread", "event_id": thread}
    return {
        "event_id": f"${number}",
        "type": "m.room.message",
        "sender": sender,
        "content": {"body": body, **({"m.relates_to": relation} if thread else {}), **(content or {})},
    }


def asked(number: int, text: str) -> Event:
    """A command in a thread of its own."""
    return event(number, "@alice:hs", text, f"$root{number}")


def answer(number: int, to: int, body: str = "Voilà.") -> Event:
    return event(number, BOT, body, f"$root{to}")


def card(number: int, call_id: str, state: str, edits: int | None = None) -> Event:
    call = {"id": call_id, "state": state, "participants": []}
    if edits is None:
        return event(number, BOT, "Visio", content={CALL: call})
    relation = {"rel_type": "m.replace", "event_id": f"${edits}"}
    new = {CALL: call, "body": "Visio"}
    return event(number, BOT, "* Visio", content={CALL: call, "m.new_content": new, "m.relates_to": relation})


A_WHOLE_CALL = [
    asked(1, "!visio"),
    card(2, "a", "open"),
    answer(3, to=1),
    asked(4, "!visio ping"),
    answer(5, to=4),
    asked(6, "!visio fin"),
    card(7, "a", "ended", edits=2),
]


def problems(*events: Event) -> list[str]:
    return Account(events, BOT).problems()


def test_a_call_that_is_opened_and_ended_is_no_problem() -> None:
    assert problems(*A_WHOLE_CALL) == []


def test_a_missing_answer_is_found() -> None:
    assert problems(*(e for e in A_WHOLE_CALL if e["event_id"] != "$5")) == [
        "!visio ping in thread $root4 was answered 0 times"
    ]


def test_a_second_answer_is_found() -> None:
    assert problems(*A_WHOLE_CALL, answer(8, to=4)) == ["!visio ping in thread $root4 was answered 2 times"]


def test_a_second_answer_cannot_hide_a_missing_one() -> None:
    assert len(problems(*A_WHOLE_CALL, answer(8, to=4), asked(9, "!visio statut"))) == 2


def test_a_second_card_is_found() -> None:
    found = problems(*A_WHOLE_CALL, card(8, "b", "ended"))
    assert "2 cards, but 1 meetings were asked for" in found


def test_a_second_card_of_the_same_call_is_found() -> None:
    found = problems(*A_WHOLE_CALL, card(8, "a", "ended"))
    assert "a call has two cards: ['a', 'a']" in found


def test_a_missing_card_is_found() -> None:
    assert "0 cards, but 1 meetings were asked for" in problems(asked(1, "!visio"), answer(2, to=1))


def test_a_meeting_that_was_ended_but_goes_on_is_found() -> None:
    assert problems(*A_WHOLE_CALL[:-1]) == ["0 cards say that the meeting is over, but 1 were ended"]


def test_a_meeting_that_ends_by_itself_is_found() -> None:
    assert problems(A_WHOLE_CALL[0], A_WHOLE_CALL[1], A_WHOLE_CALL[2], A_WHOLE_CALL[6]) == [
        "1 cards say that the meeting is over, but 0 were ended"
    ]


def test_who_asked_for_a_meeting_that_was_ended_before_it_had_a_link_has_the_card_as_answer() -> None:
    assert problems(asked(1, "!visio"), asked(2, "!visio fin"), card(3, "a", "ended")) == []


def test_answers_in_another_order_than_the_questions_are_found() -> None:
    found = problems(asked(1, "!visio ping"), asked(2, "!visio aide"), answer(3, to=2), answer(4, to=1))
    assert len(found) == 1
    assert "out of order" in found[0]


def test_questions_in_the_main_timeline_are_counted() -> None:
    question = event(1, "@alice:hs", "!visio ping")
    pong = event(2, BOT, "Je suis là.")
    assert problems(question, pong) == []
    assert problems(question) == ["!visio ping in the main timeline was asked 1 times and answered 0 times"]
    assert len(problems(question, pong, pong)) == 1
