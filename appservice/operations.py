"""What can be written to a homeserver: plain data that waits in the outbox."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class SendEvent:
    """Send a message event; in a slot that has an event already, edit that event instead.

    Attributes:
        type: Event type.
        content: What to send.
        first: What to send instead when this is the first event of its slot; the content follows as an
            edit. The first event of an edited message can never be redacted without losing it, so it
            must not hold what has to go one day.
        sender: A ghost's user id, or None for the bot.
        about: Type and state key of the state event that it refers to (``m.reference``) as that is when it
            is sent; nothing is sent if there is none then, or an empty one.
    """

    type: str
    content: Mapping[str, Any]
    first: Mapping[str, Any] | None = None
    sender: str | None = None
    about: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class SendState:
    """Send a state event."""

    type: str
    state_key: str
    content: Mapping[str, Any]
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class Redact:
    """Redact one event."""

    event_id: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class RedactEdits:
    """Redact every edit of a slot but the newest one."""

    slot: str


@dataclass(frozen=True, slots=True)
class RedactSlots:
    """Redact everything that was sent in the slots whose name begins so."""

    prefix: str


@dataclass(frozen=True, slots=True)
class Join:
    """Join the room as the bot, which was invited. Room ids of version 12 name no server: hence ``via``."""

    via: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave the room, or refuse an invitation; the only way to say why is the ``reason``."""

    reason: str | None = None
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class BringGhost:
    """Have a ghost in the room, under its display name; the bot invites it where it cannot simply join."""

    user_id: str
    display_name: str


@dataclass(frozen=True, slots=True)
class DismissGhost:
    """Have a ghost out of the room.

    Attributes:
        user_id: The ghost.
        forget_name: Take its name out of the room's history too.
    """

    user_id: str
    forget_name: bool = True


Operation = (
    SendEvent | SendState | Redact | RedactEdits | RedactSlots | Join | Leave | BringGhost | DismissGhost
)

_BY_NAME: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        *(SendEvent, SendState, Redact, RedactEdits, RedactSlots),
        *(Join, Leave, BringGhost, DismissGhost),
    )
}


def encode(operation: Operation) -> tuple[str, str]:
    """Name and JSON body for the outbox row."""
    return type(operation).__name__, orjson.dumps(dataclasses.asdict(operation)).decode()


def decode(name: str, body: str) -> Operation:
    """The operation of an outbox row."""
    fields = orjson.loads(body)
    for key in ("via", "about"):
        if fields.get(key) is not None:
            fields[key] = tuple(fields[key])
    operation: Operation = _BY_NAME[name](**fields)
    return operation
