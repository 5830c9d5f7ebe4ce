from __future__ import annotations

from dataclasses import replace

from bridge.rtc.leaves import ABSENCE_MS, ARRIVAL_MS, Act, Leave, judged
from tests.unit.rtc_service.parts import ALICE, NOW, ROOM

LEAVE = Leave(ROOM, f"{ALICE}:PHONE", "hash", "syd_1", 60_000, NOW, NOW + ARRIVAL_MS)


def test_while_they_are_there_it_is_put_off_in_time() -> None:
    act, after = judged(LEAVE, present=True, now=NOW)
    assert (act, after.restart_ts) == (Act.RESTART, NOW + 30_000)
    assert judged(after, present=True, now=NOW + 1)[0] is Act.NOTHING
    assert judged(after, present=True, now=NOW + 30_000)[0] is Act.RESTART


def test_a_long_delay_is_put_off_well_before_its_end() -> None:
    _, after = judged(replace(LEAVE, timeout_ms=3_600_000), present=True, now=NOW)
    assert after.restart_ts == NOW + 300_000


def test_who_never_comes_is_taken_out() -> None:
    assert judged(LEAVE, present=False, now=NOW + ARRIVAL_MS - 1)[0] is not Act.SEND
    assert judged(LEAVE, present=False, now=NOW + ARRIVAL_MS)[0] is Act.SEND


def test_who_vanishes_is_taken_out_but_not_who_reconnects() -> None:
    late = NOW + 10 * ARRIVAL_MS
    _, there = judged(LEAVE, present=True, now=late)
    assert judged(there, present=False, now=late + ABSENCE_MS - 1)[0] is not Act.SEND
    _, back = judged(there, present=True, now=late + ABSENCE_MS - 1)
    assert judged(back, present=False, now=late + ABSENCE_MS)[0] is not Act.SEND
    assert judged(there, present=False, now=late + ABSENCE_MS)[0] is Act.SEND


def test_an_sfu_that_does_not_answer_ends_nobodys_call() -> None:
    assert judged(LEAVE, present=None, now=NOW + 10 * ARRIVAL_MS)[0] is Act.RESTART


def test_they_are_known_by_either_identity() -> None:
    assert LEAVE.is_of(frozenset({LEAVE.identity}))
    assert LEAVE.is_of(frozenset({"hash"}))
    assert not LEAVE.is_of(frozenset({"@bob:example.org:PHONE"}))
