from __future__ import annotations

import orjson

from bridge.calls.model import (
    Action,
    ActionKind,
    Call,
    CallState,
    EndReason,
    Participant,
    ParticipantKind,
)
from bridge.calls.pace import Pace
from bridge.store.records import (
    Shown,
    decode_call,
    decode_participant,
    decode_shown,
    encode_call,
    encode_participant,
    encode_shown,
)
from tests.support.office import T0, a_call

ZOE = Participant("zoe", "Zoé", ParticipantKind.MATRIX, True, "@zoe:hs", T0, missed=1, hidden=True)


def full() -> Call:
    return a_call(
        CallState.ENDED,
        end_reason=EndReason.EMPTY,
        participants=(ZOE,),
        askers=("", "$thread"),
        pending=(Action(ActionKind.KICK, "zoe", "Zoé", "", T0),),
        denied=("eve",),
    )


def test_a_call_comes_back_as_it_was() -> None:
    assert decode_call(encode_call(full())) == full()


def test_somebody_comes_back_as_they_were() -> None:
    assert decode_participant(encode_participant(ZOE)) == ZOE


def test_a_cards_memory_comes_back_as_it_was() -> None:
    shown = Shown("state", "roster", Pace(2, T0), untied=True)
    assert decode_shown(encode_shown(shown)) == shown


def test_a_row_of_a_later_version_can_still_be_read() -> None:
    raw = orjson.loads(encode_call(full()))
    raw["invented_later"] = 1
    raw["participants"][0]["invented_later"] = 1
    raw["pending"][0]["invented_later"] = 1
    assert decode_call(orjson.dumps(raw).decode()) == full()


def test_a_row_of_an_earlier_version_gets_the_defaults() -> None:
    raw = orjson.loads(encode_call(a_call()))
    for key in ("askers", "pending", "denied", "participants", "closing"):
        del raw[key]
    assert decode_call(orjson.dumps(raw).decode()) == a_call()
    assert decode_shown("{}") == Shown()
