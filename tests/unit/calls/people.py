"""Calls and people for the tests of the call model."""

from __future__ import annotations

from bridge.calls.model import Call, CallState, ParticipantKind
from bridge.calls.ports import Seen, Sight

T0 = 1_700_000_010_000
"""A tick of every clock that the tests use."""


def a_call(state: CallState = CallState.OPEN, **fields: object) -> Call:
    call = Call(
        id="c1",
        room_id="!r:hs",
        state=state,
        provider="livekit",
        started_by="@ada:hs",
        started_by_name="Ada",
        started_ts=T0,
        url="https://visio.example/call/c1#s",
        sfu_room="passerelle-c1",
        secret="s",
    )
    return call.but(**fields)


def seen(identity: str, joined_ts: int = T0, *, hidden: bool = False, name: str | None = None) -> Seen:
    return Seen(identity, name or identity.title(), ParticipantKind.GUEST, False, None, joined_ts, hidden)


def saw(*people: Seen) -> Sight:
    return Sight(people)


def names(call: Call) -> list[str]:
    return [p.identity for p in call.participants]
