"""Whole histories of a call: any order of joins, leaves, outages, hints and restarts."""

from __future__ import annotations

import dataclasses

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bridge.calls.lifecycle import Timings, advance, end, next_look
from bridge.calls.model import Call, CallState, EndReason
from bridge.calls.observation import UNREACHABLE, Look, merge, newcomers, person_key
from bridge.calls.ports import Sight
from tests.unit.calls.people import T0, a_call, saw, seen

IDENTITIES = st.sampled_from(["a", "b", "c", "d"])
T = Timings()


class History(RuleBasedStateMachine):
    """A call, an SFU that is the truth, and everything that can lie between them."""

    def __init__(self) -> None:
        super().__init__()
        self.now = T0
        self.call: Call = a_call()
        self.inside: dict[str, tuple[int, bool]] = {}
        self.came: frozenset[str] = frozenset()
        self.hints: list[str] = []
        self.ends = 0
        self.most = 0
        self.reachable = True
        self.answers_in_a_row = 0

    def store(self, after: Call) -> None:
        if after.state.is_over and not self.call.state.is_over:
            self.ends += 1
        if self.call.state.is_over:
            assert after == self.call
        self.came |= newcomers(self.call, after)
        self.call = after

    def look(self, look: Look, gone: frozenset[str] = frozenset()) -> None:
        merged = merge(self.call, look, self.now, gone=gone, came_before=self.came)
        self.store(advance(merged, self.now, T))

    def answer(self) -> Sight:
        return saw(*(seen(who, ts, hidden=hidden) for who, (ts, hidden) in self.inside.items()))

    @rule(who=IDENTITIES, hidden=st.booleans())
    def join(self, who: str, hidden: bool) -> None:
        self.inside[who] = (self.now, hidden)
        self.most = max(self.most, sum(not hidden for _, hidden in self.inside.values()))
        self.answers_in_a_row = 0

    @rule(who=IDENTITIES)
    def leave(self, who: str) -> None:
        if self.inside.pop(who, None) is not None:
            self.hints.append(who)
            self.answers_in_a_row = 0

    @rule()
    def the_sfu_restarts(self) -> None:
        self.inside.clear()
        self.answers_in_a_row = 0

    @rule()
    def the_sfu_goes_away_or_comes_back(self) -> None:
        self.reachable = not self.reachable

    @rule(pause=st.sampled_from([1, 2_000, 30_000, T.grace_ms, T.open_timeout_ms]))
    def time_passes(self, pause: int) -> None:
        self.now += pause

    @rule()
    def the_clock_looks(self) -> None:
        if not self.reachable:
            before = self.call
            self.look(UNREACHABLE)
            assert self.call.participants == before.participants
            assert self.call.state is before.state
            return
        self.look(self.answer())
        self.answers_in_a_row += 1

    @precondition(lambda self: self.hints and self.reachable)
    @rule(data=st.data())
    def a_webhook_is_delivered_late_or_again(self, data: st.DataObject) -> None:
        who = data.draw(st.sampled_from(self.hints))
        self.look(self.answer(), frozenset({who}))
        self.answers_in_a_row += 1

    @rule()
    def all_webhooks_are_lost(self) -> None:
        self.hints.clear()

    @rule()
    def the_bridge_restarts(self) -> None:
        self.call = Call(**{f.name: getattr(self.call, f.name) for f in dataclasses.fields(Call)})

    @precondition(lambda self: self.now > T0 + 3_600_000)
    @rule()
    def somebody_ends_it(self) -> None:
        self.store(end(self.call, self.now, EndReason.COMMAND))

    @invariant()
    def a_call_ends_at_most_once(self) -> None:
        assert self.ends == self.call.state.is_over

    @invariant()
    def the_numbers_agree(self) -> None:
        assert self.call.came >= self.call.peak >= self.call.count >= 0
        assert self.call.came == len(self.came)

    @invariant()
    def no_more_people_are_told_of_than_were_ever_in(self) -> None:
        assert self.call.peak - self.call.doubt <= self.most
        if self.answers_in_a_row >= 2 or self.call.state.is_over:
            assert self.call.doubt == 0

    @invariant()
    def everybody_who_came_was_counted_by_key(self) -> None:
        for person in self.call.visible:
            assert person_key(self.call.id, person.identity) in self.came

    @invariant()
    def after_two_answers_the_roster_is_the_truth(self) -> None:
        if self.answers_in_a_row >= 2 and not self.call.state.is_over:
            assert {(p.identity, p.hidden) for p in self.call.participants} == {
                (who, hidden) for who, (_, hidden) in self.inside.items()
            }

    @invariant()
    def the_state_fits_the_roster(self) -> None:
        if self.call.state is CallState.ACTIVE:
            assert self.call.first_join_ts is not None
        if self.call.state is CallState.OPEN:
            assert self.call.peak == 0
        if self.call.visible:
            assert self.call.state is CallState.ACTIVE
            assert self.call.empty_since_ts is None
        if self.call.state.is_over:
            assert not self.call.participants
            assert self.call.ended_ts is not None
            assert self.call.ended_ts <= self.now

    @invariant()
    def the_next_look_is_to_come(self) -> None:
        assert next_look(self.call, self.now, T) > self.now


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
