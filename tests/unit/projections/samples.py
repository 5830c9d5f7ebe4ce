"""Calls in every state, and styles, for tests of what is said of them."""

from __future__ import annotations

import datetime

from bridge.calls.model import Call, CallState, EndReason, Participant, ParticipantKind
from bridge.locale import Voice
from bridge.projections.card import CardStyle, project

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
    """The words of a card."""
    return project(call, style, first=first).body
