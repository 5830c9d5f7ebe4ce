from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.calls.lifecycle import end
from bridge.calls.model import CallState, EndReason, ParticipantKind
from bridge.calls.observation import UNREACHABLE, Look, merge, newcomers, person_key
from bridge.calls.ports import Seen, Sight
from tests.unit.calls.people import T0, a_call, names, saw, seen


def test_people_stand_in_order_of_arrival_whatever_the_order_of_the_answer() -> None:
    call = merge(a_call(), saw(seen("late", T0 + 9), seen("early", T0 + 1)), T0 + 10)
    assert names(call) == ["early", "late"]
    call = merge(call, saw(seen("late", T0 + 9), seen("between", T0 + 5), seen("early", T0 + 1)), T0 + 20)
    assert names(call) == ["early", "between", "late"]


def test_somebody_missed_once_stays() -> None:
    call = merge(a_call(), saw(seen("a"), seen("b")), T0)
    call = merge(
        call,
        saw(seen("a")),
        T0 + 1,
    )
    assert names(call) == ["a", "b"]
    assert [p.missed for p in call.participants] == [0, 1]


def test_somebody_missed_twice_is_gone() -> None:
    call = merge(a_call(), saw(seen("a"), seen("b")), T0)
    call = merge(
        call,
        saw(seen("a")),
        T0 + 1,
    )
    call = merge(
        call,
        saw(seen("a")),
        T0 + 2,
    )
    assert names(call) == ["a"]


def test_misses_must_be_in_a_row() -> None:
    call = merge(
        a_call(),
        saw(seen("a")),
        T0,
    )
    for step in range(5):
        call = merge(call, saw(), T0 + step)
        call = merge(
            call,
            saw(seen("a")),
            T0 + step,
        )
    assert names(call) == ["a"]
    assert call.participants[0].missed == 0


def test_a_webhook_makes_a_disappearance_count_at_once() -> None:
    call = merge(a_call(), saw(seen("a"), seen("b")), T0)
    call = merge(
        call,
        saw(seen("a")),
        T0 + 1,
        gone={"b"},
    )
    assert names(call) == ["a"]


def test_a_late_webhook_takes_nobody_out_whom_the_sfu_lists() -> None:
    call = merge(
        a_call(),
        saw(seen("a")),
        T0,
    )
    call = merge(
        call,
        saw(seen("a")),
        T0 + 1,
        gone={"a"},
    )
    assert names(call) == ["a"]
    assert call.participants[0].missed == 0


def test_an_unreachable_sfu_keeps_everybody_and_says_since_when() -> None:
    call = merge(
        a_call(),
        saw(seen("a")),
        T0,
    )
    call = merge(call, UNREACHABLE, T0 + 10, gone={"a"})
    call = merge(call, UNREACHABLE, T0 + 20)
    assert names(call) == ["a"]
    assert call.stale_since_ts == T0 + 10


def test_a_failed_look_is_not_a_miss() -> None:
    call = merge(
        a_call(),
        saw(seen("a")),
        T0,
    )
    call = merge(call, saw(), T0 + 1)
    call = merge(call, UNREACHABLE, T0 + 2)
    assert call.participants[0].missed == 1


def test_an_answer_ends_the_uncertainty() -> None:
    call = merge(a_call(), UNREACHABLE, T0)
    assert merge(call, saw(), T0 + 1).stale_since_ts is None


def test_a_reconnection_keeps_the_time_of_arrival() -> None:
    call = merge(a_call(), saw(seen("a", T0), seen("b", T0 + 1)), T0 + 1)
    call = merge(
        call,
        saw(seen("b", T0 + 1)),
        T0 + 2,
    )
    call = merge(call, saw(seen("a", T0 + 3), seen("b", T0 + 1)), T0 + 3)
    assert names(call) == ["a", "b"]
    assert call.participants[0].joined_ts == T0


def test_who_left_and_comes_back_arrives_anew_and_counts_once() -> None:
    call = merge(
        a_call(),
        saw(seen("a")),
        T0,
    )
    came = newcomers(a_call(), call)
    call = merge(call, saw(), T0 + 1, gone={"a"}, came_before=came)
    call = merge(
        call,
        saw(seen("a", T0 + 5)),
        T0 + 5,
        came_before=came,
    )
    assert call.participants[0].joined_ts == T0 + 5
    assert call.came == 1


def test_a_new_name_or_kind_replaces_the_old_one() -> None:
    call = merge(
        a_call(),
        saw(seen("a", name="Ada")),
        T0,
    )
    renamed = Seen("a", "Ada L.", ParticipantKind.MATRIX, True, "@ada:hs", T0)
    person = merge(
        call,
        saw(
            renamed,
        ),
        T0 + 1,
    ).participants[0]
    assert (person.name, person.kind, person.verified, person.user_id) == (
        "Ada L.",
        ParticipantKind.MATRIX,
        True,
        "@ada:hs",
    )


def test_an_arrival_in_the_future_is_now() -> None:
    assert (
        merge(
            a_call(),
            saw(seen("a", T0 + 5_000)),
            T0,
        )
        .participants[0]
        .joined_ts
        == T0
    )


def test_an_arrival_without_a_time_is_now() -> None:
    assert (
        merge(
            a_call(),
            saw(seen("a", 0)),
            T0,
        )
        .participants[0]
        .joined_ts
        == T0
    )


def test_an_identity_listed_twice_is_one_person() -> None:
    assert merge(a_call(), saw(seen("a"), seen("a", T0 - 1)), T0).count == 1


def test_listeners_are_counted_apart_and_came_for_nobody() -> None:
    call = merge(a_call(), saw(seen("a"), seen("spy", hidden=True)), T0)
    assert (call.count, call.listening, call.peak, call.came) == (1, 1, 1, 1)


def test_a_listener_who_shows_themselves_has_come() -> None:
    call = merge(
        a_call(),
        saw(seen("a", hidden=True)),
        T0,
    )
    shown = merge(
        call,
        saw(seen("a")),
        T0 + 1,
    )
    assert shown.came == 1
    assert newcomers(call, shown) == {person_key("c1", "a")}


@pytest.mark.parametrize("state", [CallState.OPENING, CallState.ENDED, CallState.FAILED])
def test_a_call_that_is_not_running_has_no_roster(state: CallState) -> None:
    call = a_call(state)
    assert (
        merge(
            call,
            saw(seen("a")),
            T0,
        )
        is call
    )
    assert merge(call, UNREACHABLE, T0) is call


def test_a_persons_key_names_nobody_and_differs_between_calls() -> None:
    assert "marie" not in person_key("c1", "marie")
    assert person_key("c1", "marie") != person_key("c2", "marie")
    assert person_key("c1", "marie") == person_key("c1", "marie")


people = st.lists(
    st.builds(
        seen,
        st.sampled_from(["a", "b", "c", "d", "e"]),
        st.integers(T0, T0 + 50),
        hidden=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda person: person.identity,
).map(lambda listed: saw(*listed))
looks = st.one_of(people, st.just(UNREACHABLE))
hints = st.frozensets(st.sampled_from(["a", "b", "c", "d", "e", "stranger"]))


@settings(deadline=None)
@given(before=st.lists(st.tuples(looks, hints)), last=people)
def test_two_equal_answers_decide_alone_who_is_in(
    before: list[tuple[Look, frozenset[str]]], last: Sight
) -> None:
    call = a_call(CallState.ACTIVE)
    for look, gone in before:
        call = merge(call, look, T0 + 100, gone=gone)
    for _ in range(2):
        call = merge(call, last, T0 + 100)
    fresh = merge(a_call(CallState.ACTIVE), last, T0 + 100)
    assert {(p.identity, p.name, p.hidden, p.missed) for p in call.participants} == {
        (p.identity, p.name, p.hidden, p.missed) for p in fresh.participants
    }


@settings(deadline=None)
@given(looks=st.lists(people))
def test_looking_twice_at_the_same_changes_nothing_but_misses(
    looks: list[Sight],
) -> None:
    call = a_call()
    for look in looks:
        call = merge(call, look, T0 + 100)
    again = merge(call, looks[-1], T0 + 100) if looks else call
    listed = {s.identity for s in looks[-1].participants} if looks else set()
    assert [p for p in again.participants if p.identity in listed] == [
        p for p in call.participants if p.identity in listed
    ]


def test_what_goes_on_in_a_meeting_is_taken_from_each_answer() -> None:
    call = merge(a_call(access="public"), Sight(recording=True, transcription=True, access="trusted"), T0)
    assert (call.recording, call.transcription, call.access) == (True, True, "trusted")
    assert merge(call, UNREACHABLE, T0 + 1).recording
    call = merge(call, Sight(), T0 + 2)
    assert (call.recording, call.transcription) == (False, False)
    assert call.access == "trusted", "an answer that does not tell changes nothing"


def test_hands_and_roles_follow_the_answers() -> None:
    ada = seen("a")
    call = merge(a_call(), saw(dataclasses.replace(ada, hand=True, role="owner")), T0)
    assert [(p.hand, p.role) for p in call.participants] == [(True, "owner")]
    call = merge(call, saw(ada), T0 + 1)
    assert [(p.hand, p.role) for p in call.participants] == [(False, None)]


def test_who_came_while_somebody_left_unnoticed_was_never_in_with_them() -> None:
    call = merge(a_call(), saw(seen("a")), T0)
    call = merge(call, saw(seen("b")), T0 + 1)
    assert (call.count, call.peak, call.doubt) == (2, 2, 1)
    call = merge(call, saw(seen("b")), T0 + 2)
    assert (call.count, call.peak, call.doubt) == (1, 1, 0)


def test_who_was_missed_and_is_back_was_in_all_the_time() -> None:
    call = merge(a_call(), saw(seen("a")), T0)
    call = merge(call, saw(seen("b")), T0 + 1)
    call = merge(call, saw(seen("a"), seen("b")), T0 + 2)
    assert (call.count, call.peak, call.doubt) == (2, 2, 0)


def test_a_doubt_about_the_most_people_ends_with_the_call() -> None:
    call = merge(a_call(), saw(seen("a")), T0)
    call = merge(call, saw(seen("b")), T0 + 1)
    ended = end(call, T0 + 2, EndReason.COMMAND)
    assert (ended.peak, ended.doubt, ended.came) == (1, 0, 2)
