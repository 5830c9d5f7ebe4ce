"""The parts of a Matrix event that the runtime reads, checked once on the way in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_ID_BYTES = 255
"""Longest user, room or event id (Matrix specification, "Identifier Grammar")."""

STATE_TYPES = frozenset(
    {
        "m.room.create",
        "m.room.power_levels",
        "m.room.encryption",
        "m.room.join_rules",
        "m.room.tombstone",
    }
)
"""State events that the runtime caches for every room of ours."""


class MalformedEvent(Exception):
    """An event that no homeserver should send: set aside with this reason, never handled."""


@dataclass(frozen=True, slots=True)
class Event:
    """A Matrix event as handlers see it: only what was kept at the intake.

    Attributes:
        event_id: Identifies the event for ever; the only thing that survives a restored homeserver.
        room_id: The room it was sent in.
        type: Such as ``m.room.message``.
        sender: Full Matrix user id.
        state_key: None for message events.
        content: What was kept of the content.
        origin_ts: When the sender's homeserver says it was sent, milliseconds; may be a lie.
        received_ts: When our intake committed it, milliseconds.
        redacts: The event that a redaction redacts (top level or in content, by room version).
    """

    event_id: str
    room_id: str
    type: str
    sender: str
    state_key: str | None
    content: Mapping[str, Any]
    origin_ts: int
    received_ts: int
    redacts: str | None = None


def _identifier(raw: Mapping[str, Any], key: str) -> str:
    value = raw.get(key)
    if not isinstance(value, str) or not value:
        raise MalformedEvent(f"{key} is not a string")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise MalformedEvent(f"{key} is not valid Unicode") from None
    if size > MAX_ID_BYTES or "\0" in value:
        raise MalformedEvent(f"{key} is not an identifier")
    return value


def parse_event(raw: object, received_ts: int, kept: Mapping[str, Any] | None = None) -> Event:
    """Check the envelope of one event of a transaction.

    Args:
        raw: The event as it came.
        received_ts: For the event.
        kept: What to keep of its content; None for all of it.

    Raises:
        MalformedEvent: a field that every event has is missing or of the wrong type.
    """
    if not isinstance(raw, dict):
        raise MalformedEvent("an event is not an object")
    content = raw.get("content")
    if not isinstance(content, dict):
        raise MalformedEvent("content is not an object")
    state_key = raw.get("state_key")
    if state_key is not None and not isinstance(state_key, str):
        raise MalformedEvent("state_key is not a string")
    origin_ts = raw.get("origin_server_ts")
    if isinstance(origin_ts, bool) or not isinstance(origin_ts, int) or not -(2**53) < origin_ts < 2**53:
        raise MalformedEvent("origin_server_ts is not a whole number")
    redacts = raw.get("redacts") or content.get("redacts")
    if redacts is not None and (not isinstance(redacts, str) or "\0" in redacts):
        raise MalformedEvent("redacts is not an identifier")
    return Event(
        event_id=_identifier(raw, "event_id"),
        room_id=_identifier(raw, "room_id"),
        type=_identifier(raw, "type"),
        sender=_identifier(raw, "sender"),
        state_key=state_key,
        content=content if kept is None else kept,
        origin_ts=origin_ts,
        received_ts=received_ts,
        redacts=redacts,
    )
