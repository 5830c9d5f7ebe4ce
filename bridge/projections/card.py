"""The card: one call → one message of the timeline. A pure function, the same input the same card.

What a card says stands in the call and in a `CardStyle` (how this room and this installation want
it). Whoever owns the timeline compares cards and signatures and decides when to write.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from bridge.calls.model import Call, CallState
from bridge.projections import card_words
from bridge.projections.names import SUBJECT_LIMIT, one_line, safe_name
from bridge.projections.roster import is_full, tells_who
from bridge.projections.style import MAX_NAMES, CardStyle, Names

__all__ = [
    "CALL_KEY",
    "MAX_NAMES",
    "Card",
    "CardStyle",
    "Names",
    "content",
    "project",
    "roster_signature",
    "state_signature",
]

CALL_KEY = "fr.passerelle.call"
"""Where the machine-readable call stands in the event content (CONTRACT §5)."""


@dataclass(frozen=True, slots=True)
class Card:
    """What stands in the timeline: the words twice, and the ``fr.passerelle.call`` object."""

    body: str
    html: str
    data: dict[str, Any]

    @property
    def url(self) -> str | None:
        """The link that the card offers."""
        url: str | None = self.data["url"]
        return url


def project(call: Call, style: CardStyle, *, first: bool = False) -> Card:
    """The card of a call.

    Args:
        call: Any call that is not ``OPENING``.
        style: How this room wants it.
        first: This is the version that is sent as a new event. It never names participants: later
            versions are edits and can be redacted one by one, the original only with the card.

    Raises:
        ValueError: the call is ``OPENING`` and has no card yet.
    """
    if call.state is CallState.OPENING:
        raise ValueError("a call that is being opened has no card yet")
    named = not first and _may_name(call, style)
    message = card_words.message(call, style, named=named)
    return Card(message.body, message.html, _data(call, named))


def content(card: Card) -> dict[str, Any]:
    """The full content of the card's ``m.room.message``. Edits are wrapped by whoever sends them."""
    made: dict[str, Any] = {
        "msgtype": "m.notice",
        "body": card.body,
        "format": "org.matrix.custom.html",
        "formatted_body": card.html,
        "m.mentions": {},
        CALL_KEY: card.data,
    }
    if card.url is not None:
        made["call_url"] = card.url
    return made


def state_signature(call: Call, max_participants: int | None = None) -> tuple[object, ...]:
    """What makes an edit urgent: two calls with different signatures differ in more than the roster."""
    return (
        call.state,
        call.url,
        call.subject,
        call.access,
        None if call.state.is_over else call.dial_in,
        call.unseen,
        card_words.is_awaited(call),
        call.encrypted_room,
        call.recording,
        call.transcription,
        call.stale_since_ts,
        call.listening,
        is_full(call, max_participants),
        call.end_reason,
        call.failure,
    )


def roster_signature(call: Call) -> tuple[object, ...]:
    """Who is in and how many came: a difference in this alone is written at the roster's pace."""
    people = tuple((p.identity, p.name, p.kind, p.verified, p.user_id, p.hand, p.role) for p in call.visible)
    return (people, call.peak, call.came)


def _may_name(call: Call, style: CardStyle) -> bool:
    if not tells_who(call):
        return False
    return style.names == "keep" or (style.names == "during" and not call.state.is_over)


def _data(call: Call, named: bool) -> dict[str, Any]:
    over = call.state.is_over
    people = call.visible[:MAX_NAMES] if named else ()
    return {
        "v": 1,
        "id": call.id,
        "state": call.state.value,
        "subject": one_line(call.subject or "", SUBJECT_LIMIT) or None,
        "url": None if over else call.url,
        "provider": call.provider,
        "started_by": call.started_by,
        "started_ts": call.started_ts,
        "first_join_ts": call.first_join_ts,
        "ended_ts": call.ended_ts,
        "end_reason": None if call.end_reason is None else call.end_reason.value,
        "participants": [
            {
                "name": safe_name(p.name),
                "kind": p.kind.value,
                "verified": p.verified,
                "user_id": p.user_id,
                "joined_ts": p.joined_ts,
                "hand": p.hand,
                "role": p.role,
            }
            for p in people
        ],
        "count": 0 if over else call.count,
        "peak": call.peak,
        "came": call.came,
        "listening": 0 if over else call.listening,
        "encrypted_room": call.encrypted_room,
        "stale_since_ts": None if over else call.stale_since_ts,
        "recording": call.recording and not over,
        "transcription": call.transcription and not over,
        "adopted": call.adopted,
        "attendance": not call.unseen,
        "access": None if over else call.access,
        "dial_in": None if over or call.dial_in is None else dataclasses.asdict(call.dial_in),
    }
