from __future__ import annotations

import pytest

from bridge.calls.lifecycle import (
    NEVER,
    Timings,
    advance,
    end,
    fail,
    linger,
    located,
    next_look,
    opened,
    resumable,
    resumed,
    spent,
)
from bridge.calls.model import Call, CallState, DialIn, EndReason
from bridge.calls.observation import UNREACHABLE, Look, merge
from bridge.calls.ports import Meeting
from tests.unit.calls.people import T0, a_call, saw, seen

T = Timings()


def look(call: Call, what: Look, now: int, gone: frozenset[str] = frozenset()) -> Call:
    return advance(merge(call, what, now, gone=gone), now, T)


def an_active_call() -> Call:
    return look(
        a_call(),
        saw(seen("a", T0 + 5)),
        T0 + 10,
    )


def an_empty_call(since: int = T0 + 20) -> Call:
    return look(an_active_call(), saw(), since, frozenset({"a"}))


def test_a_meeting_opens_the_call() -> None:
    opening = a_call(CallState.OPENING, url=None, sfu_room=None)
    meeting = Meeting("https://v/x", "room", access="trusted", adopted=True)
    call = opened(opening, meeting)
    assert (call.state, call.url, call.sfu_room) == (CallState.OPEN, "https://v/x", "room")
    assert (call.secret, call.access, call.adopted) == ("s", "trusted", True)


def test_a_meeting_that_comes_too_late_opens_nothing() -> None:
    ended = end(a_call(CallState.OPENING), T0, EndReason.COMMAND)
    assert opened(ended, Meeting("https://v/x", "room")) is ended


def test_opening_twice_is_opening_once() -> None:
    call = an_active_call()
    assert opened(call, Meeting("https://v/other", "other")) is call


def test_the_first_person_makes_the_call_active() -> None:
    call = an_active_call()
    assert (call.state, call.first_join_ts) == (CallState.ACTIVE, T0 + 5)


def test_nobody_was_in_before_the_meeting_was_whatever_the_clock_of_the_sfu_says() -> None:
    early = saw(seen("a", T0 - 60_000))
    assert look(a_call(), early, T0 + 10).first_join_ts == T0
    adopted = look(a_call(adopted=True), early, T0 + 10)
    assert adopted.first_join_ts == T0 - 60_000, "they were there before us"


def test_a_listener_alone_does_not_start_a_call() -> None:
    assert (
        look(
            a_call(),
            saw(seen("spy", hidden=True)),
            T0,
        ).state
        is CallState.OPEN
    )


def test_a_listener_alone_does_not_keep_a_call() -> None:
    call = look(
        an_active_call(),
        saw(seen("spy", hidden=True)),
        T0 + 20,
        frozenset({"a"}),
    )
    assert call.empty_since_ts == T0 + 20
    call = look(
        call,
        saw(seen("spy", hidden=True)),
        T0 + 20 + T.grace_ms,
    )
    assert (call.state, call.listening) == (CallState.ENDED, 0)


def test_an_empty_call_ends_when_the_grace_is_over_and_not_before() -> None:
    call = an_empty_call(T0 + 20)
    assert look(call, saw(), T0 + 19 + T.grace_ms).state is CallState.ACTIVE
    assert look(call, saw(), T0 + 20 + T.grace_ms).state is CallState.ENDED


def test_an_empty_call_ended_when_the_last_one_left() -> None:
    call = look(an_empty_call(T0 + 20), saw(), T0 + T.grace_ms * 3)
    assert (call.ended_ts, call.end_reason) == (T0 + 20, EndReason.EMPTY)


def test_who_comes_back_within_the_grace_keeps_the_call() -> None:
    call = look(
        an_empty_call(),
        saw(seen("a", T0 + 30)),
        T0 + 30,
    )
    assert call.empty_since_ts is None
    assert (
        look(
            call,
            saw(seen("a", T0 + 30)),
            T0 + 30 + T.grace_ms * 2,
        ).state
        is CallState.ACTIVE
    )


def test_a_call_without_visitors_times_out() -> None:
    assert look(a_call(), saw(), T0 + T.open_timeout_ms - 1).state is CallState.OPEN
    call = look(a_call(), saw(), T0 + T.open_timeout_ms)
    assert (call.state, call.end_reason, call.ended_ts) == (
        CallState.ENDED,
        EndReason.TIMEOUT,
        T0 + T.open_timeout_ms,
    )


def test_an_unreachable_sfu_ends_neither_an_open_nor_an_empty_call() -> None:
    late = T0 + T.open_timeout_ms * 2
    assert look(a_call(), UNREACHABLE, late).state is CallState.OPEN
    assert look(an_empty_call(), UNREACHABLE, late).state is CallState.ACTIVE


def test_the_grace_does_not_start_while_the_sfu_is_unreachable() -> None:
    call = look(a_call(CallState.ACTIVE), UNREACHABLE, T0)
    assert call.empty_since_ts is None


def test_what_came_due_while_the_sfu_was_away_happens_at_its_first_answer() -> None:
    call = look(an_empty_call(T0 + 20), UNREACHABLE, T0 + T.grace_ms * 2)
    assert look(call, saw(), T0 + T.grace_ms * 3).state is CallState.ENDED


def test_an_ended_call_keeps_its_numbers_and_loses_names_and_link() -> None:
    call = look(a_call(), saw(seen("a"), seen("b")), T0)
    call = end(call, T0 + 99, EndReason.COMMAND)
    assert (call.state, call.ended_ts, call.end_reason) == (CallState.ENDED, T0 + 99, EndReason.COMMAND)
    assert (call.peak, call.came, call.participants) == (2, 2, ())
    assert (call.url, call.former_url) == (None, None)


@pytest.mark.parametrize("reason", list(EndReason))
def test_a_call_ends_once(reason: EndReason) -> None:
    ended = end(an_active_call(), T0 + 50, EndReason.COMMAND)
    assert end(ended, T0 + 60, reason) is ended
    assert look(ended, saw(seen("a")), T0 + 70) is ended


def test_a_call_fails_only_while_it_opens() -> None:
    failed = fail(a_call(CallState.OPENING), "sfu_unreachable", "ref1", T0)
    assert (failed.state, failed.failure, failed.reference) == (CallState.FAILED, "sfu_unreachable", "ref1")
    call = an_active_call()
    assert fail(call, "sfu_unreachable", "ref2", T0) is call
    assert fail(failed, "other", "ref3", T0) is failed


def test_the_slow_clock_looks_when_nothing_is_due() -> None:
    assert next_look(an_active_call(), T0 + 10, T) == T0 + 10 + T.clock_ms


def test_somebody_missed_once_is_looked_for_again_soon() -> None:
    call = look(an_active_call(), saw(), T0 + 20)
    assert next_look(call, T0 + 20, T) == T0 + 20 + T.second_look_ms


def test_the_end_of_the_grace_is_looked_at_on_time() -> None:
    call = an_empty_call(T0 + 20)
    now = T0 + 20 + T.grace_ms - 1
    assert next_look(call, now, T) == T0 + 20 + T.grace_ms


def test_the_time_out_is_looked_at_on_time() -> None:
    now = T0 + T.open_timeout_ms - 7
    assert next_look(a_call(), now, T) == T0 + T.open_timeout_ms


def test_what_is_overdue_for_want_of_an_sfu_waits_for_the_slow_clock() -> None:
    late = T0 + T.open_timeout_ms * 2
    assert next_look(look(a_call(), UNREACHABLE, late), late, T) == late + T.clock_ms


def test_a_call_that_was_ended_by_somebody_is_never_looked_at_again() -> None:
    assert next_look(end(an_active_call(), T0, EndReason.COMMAND), T0, T) == NEVER


def test_a_call_that_ended_by_itself_is_looked_at_within_the_window() -> None:
    ended = look(an_empty_call(T0 + 20), saw(), T0 + 20 + T.grace_ms)
    assert next_look(ended, T0 + T.grace_ms + 20, T) == T0 + T.grace_ms + T.clock_ms
    assert next_look(ended, T0 + 20 + T.resume_window_ms, T) == NEVER


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (EndReason.EMPTY, True),
        (EndReason.TIMEOUT, True),
        (EndReason.COMMAND, False),
        (EndReason.ADMIN, False),
        (EndReason.UNTIED, False),
    ],
)
def test_only_a_call_that_ended_by_itself_can_be_resumed(reason: EndReason, expected: bool) -> None:
    ended = end(a_call(), T0, reason)
    assert resumable(ended, T0 + 1, T) is expected


def test_a_call_can_be_resumed_within_the_window_only() -> None:
    ended = end(a_call(), T0, EndReason.TIMEOUT)
    assert resumable(ended, T0 + T.resume_window_ms - 1, T)
    assert not resumable(ended, T0 + T.resume_window_ms, T)
    assert not resumable(a_call(), T0, T)


def test_a_resumed_call_has_the_old_link_and_a_life_of_its_own() -> None:
    ended = look(an_empty_call(), saw(), T0 + T.grace_ms * 2).but(subject="Budget", version=7)
    call = resumed(ended, T0 + T.grace_ms * 3, "c2")
    assert (call.id, call.state, call.started_ts) == ("c2", CallState.OPEN, T0 + T.grace_ms * 3)
    assert (call.url, call.sfu_room, call.secret) == (a_call().url, "passerelle-c1", "s")
    assert (call.subject, call.peak, call.came, call.version) == ("Budget", 0, 0, 0)
    assert (
        look(
            call,
            saw(seen("b", T0)),
            T0 + T.grace_ms * 3,
        ).state
        is CallState.ACTIVE
    )


def test_a_resumed_call_still_has_nobody_to_let_people_in() -> None:
    call = opened(a_call(CallState.OPENING), Meeting("https://v/x", "uuid", ownerless=True))
    assert resumed(end(call, T0, EndReason.TIMEOUT), T0 + 1, "c2").ownerless


def test_a_link_is_resumed_once() -> None:
    ended = end(a_call(), T0, EndReason.TIMEOUT)
    assert not resumable(spent(ended), T0 + 1, T)
    with pytest.raises(ValueError, match="cannot be resumed"):
        resumed(spent(ended), T0 + 1, "c3")


def test_the_telephones_pin_opens_the_meeting_too_and_goes_with_the_link() -> None:
    call = a_call(dial_in=DialIn("+33 1", "123"))
    assert end(call, T0, EndReason.COMMAND).dial_in is None
    by_itself = end(call, T0, EndReason.TIMEOUT)
    assert resumed(by_itself, T0 + 1, "c2").dial_in == call.dial_in
    assert spent(by_itself).dial_in is None


# A link that somebody posted


def test_a_followed_link_stays_a_followed_link() -> None:
    call = a_call(CallState.OPENING, adopted=True, sfu_room=None)
    call = opened(call, Meeting("https://v/x", None, dial_in=DialIn("+33 1", "123")))
    assert (call.state, call.adopted, call.sfu_room) == (CallState.OPEN, True, None)
    assert call.dial_in == DialIn("+33 1", "123")


def test_a_meeting_that_comes_to_be_is_found_and_keeps_its_link() -> None:
    call = a_call(adopted=True, sfu_room=None, access="public")
    found = located(call, Meeting("https://v/other", "uuid", access="trusted", dial_in=DialIn("+33 1", "1")))
    assert (found.url, found.sfu_room, found.access) == (call.url, "uuid", "trusted")
    assert located(found, Meeting("https://v/other", None)) == found


def test_a_meeting_that_never_came_to_be_cannot_be_resumed() -> None:
    call = look(a_call(adopted=True, sfu_room=None), saw(), T0 + T.open_timeout_ms)
    assert (call.end_reason, call.former_url) == (EndReason.TIMEOUT, None)
    assert not resumable(call, T0 + T.open_timeout_ms, T)


def test_a_call_whose_attendance_nobody_knows_lasts_half_a_day() -> None:
    call = a_call(unseen=True)
    assert next_look(call, T0, T) == T0 + T.unseen_ms
    call = advance(call, T0 + T.unseen_ms - 1, T)
    assert call.state is CallState.OPEN
    call = advance(call, T0 + T.unseen_ms, T)
    assert (call.state, call.end_reason, call.former_url) == (CallState.ENDED, EndReason.TIMEOUT, None)


def test_without_webhooks_what_is_going_on_is_looked_at_more_often() -> None:
    polling = Timings(poll_ms=5_000)
    assert next_look(an_active_call(), T0 + 10, polling) == T0 + 10 + 5_000
    assert next_look(a_call(), T0 + 10, polling) == T0 + 5_000
    assert next_look(a_call(sfu_room=None), T0 + 10, polling) == T0 + T.clock_ms
    over = look(an_empty_call(), saw(), T0 + T.grace_ms * 2)
    assert next_look(over, T0 + T.grace_ms * 2, polling) == T0 + T.grace_ms * 2 + T.clock_ms


@pytest.mark.parametrize("later", [0, 1, T.clock_ms - 1])
def test_meetings_that_nobody_is_in_are_looked_at_together(later: int) -> None:
    over = look(an_empty_call(), saw(), T0 + T.grace_ms * 2)
    now = T0 + T.grace_ms * 2 + later
    together = T0 + T.grace_ms * 2 + T.clock_ms
    assert next_look(over, now, T) == next_look(a_call(started_ts=now), now, T) == together


# A meeting that goes on without its room


def test_people_go_on_when_the_room_lets_go_of_their_call() -> None:
    call = end(an_active_call(), T0 + 50, EndReason.UNTIED)
    assert (call.state, call.lingers, call.secret) == (CallState.ENDED, True, "s")
    assert (call.url, call.former_url, call.participants) == (None, None, ())
    assert next_look(call, T0 + 50, T) == T0 + T.clock_ms


@pytest.mark.parametrize(
    "call",
    [a_call(), an_empty_call(), an_active_call().but(adopted=True), an_active_call().but(secret="")],
    ids=["nobody came", "all have left", "of others", "with a link that is not ours"],
)
def test_only_a_meeting_of_ours_with_people_in_it_goes_on(call: Call) -> None:
    call = end(call, T0 + 50, EndReason.UNTIED)
    assert (call.lingers, call.secret) == (False, "")


@pytest.mark.parametrize("reason", [EndReason.COMMAND, EndReason.ADMIN])
def test_what_somebody_ended_does_not_go_on(reason: EndReason) -> None:
    call = end(an_active_call(), T0 + 50, reason)
    assert (call.lingers, call.secret) == (False, "")


def test_a_meeting_without_a_room_closes_once_it_was_empty_for_the_grace() -> None:
    call = end(an_active_call(), T0 + 50, EndReason.UNTIED)
    call = linger(call, False, T0 + 60, T)
    assert (call.lingers, call.empty_since_ts) == (True, T0 + 60)
    assert next_look(call, T0 + 60 + T.grace_ms - 1, T) == T0 + 60 + T.grace_ms
    assert linger(call, True, T0 + 60 + T.grace_ms, T).empty_since_ts is None
    call = linger(call, False, T0 + 60 + T.grace_ms, T)
    assert (call.lingers, call.closing, call.secret) == (False, True, "")
    assert call.ended_ts == T0 + 50
