"""How a call is kept in its row: the whole call as JSON, and what its card was last told to say."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from bridge.calls.model import (
    Action,
    ActionKind,
    Call,
    CallState,
    DialIn,
    EndReason,
    Participant,
    ParticipantKind,
)
from bridge.calls.pace import Pace


@dataclass(frozen=True, slots=True)
class Shown:
    """What a card was last told to say; a difference to it is what an edit is for.

    Attributes:
        state: Digest of what makes an edit urgent; empty while there is no card.
        roster: Digest of who is in.
        pace: What is left of the card's edits.
        untied: The card is not ours any more (redacted, or the bot is out): never write it again.
    """

    state: str = ""
    roster: str = ""
    pace: Pace = dataclasses.field(default_factory=Pace)
    untied: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A call and its card's memory, as one row."""

    call: Call
    shown: Shown


def encode_call(call: Call) -> str:
    """JSON of a call, without what has columns of its own."""
    return orjson.dumps(dataclasses.asdict(call)).decode()


def decode_call(text: str) -> Call:
    """The call in a row. Keys of a later version are ignored, so that a roll-back can read it."""
    fields = _known(Call, orjson.loads(text))
    fields["state"] = CallState(fields["state"])
    if fields.get("end_reason") is not None:
        fields["end_reason"] = EndReason(fields["end_reason"])
    fields["participants"] = tuple(_participant(p) for p in fields.get("participants", ()))
    fields["askers"] = tuple(fields.get("askers", ()))
    fields["denied"] = tuple(fields.get("denied", ()))
    if fields.get("dial_in") is not None:
        fields["dial_in"] = DialIn(**_known(DialIn, fields["dial_in"]))
    fields["pending"] = tuple(_action(a) for a in fields.get("pending", ()))
    return Call(**fields)


def encode_shown(shown: Shown) -> str:
    """JSON of a card's memory."""
    return orjson.dumps(dataclasses.asdict(shown)).decode()


def decode_shown(text: str) -> Shown:
    """A card's memory."""
    fields = _known(Shown, orjson.loads(text))
    if "pace" in fields:
        fields["pace"] = Pace(**_known(Pace, fields["pace"]))
    return Shown(**fields)


def encode_participant(participant: Participant) -> str:
    """JSON of somebody who came."""
    return orjson.dumps(dataclasses.asdict(participant)).decode()


def decode_participant(text: str) -> Participant:
    """Somebody who came."""
    return _participant(orjson.loads(text))


def _participant(raw: Mapping[str, Any]) -> Participant:
    fields = _known(Participant, raw)
    fields["kind"] = ParticipantKind(fields["kind"])
    return Participant(**fields)


def _action(raw: Mapping[str, Any]) -> Action:
    fields = _known(Action, raw)
    fields["kind"] = ActionKind(fields["kind"])
    return Action(**fields)


def _known(kind: type[Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(kind)}
    return {key: value for key, value in raw.items() if key in names}
