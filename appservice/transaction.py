"""A homeserver's transaction: bytes in, events worth keeping out. No I/O.

Sources: Matrix Application Service API, ``PUT /_matrix/app/v1/transactions/{txnId}``. Synapse sends
ASCII-escaped JSON, so a body is larger than it looks.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from appservice.events import Event, MalformedEvent, parse_event

Interest = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
"""Looks at a raw event and says which content to keep of it, or None: nothing of it is ours.

It is called for every event of the homeserver's rooms that we are in, before any check, so it must be
quick and must take any value in any field; an exception counts as a malformed event.
"""


class UnreadableTransaction(Exception):
    """A body that is no transaction. Acknowledged all the same, or the homeserver would send it for ever."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """What is kept of something that could not be read: no content."""

    kind: str
    reference: str
    length: int
    sha256: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An element of ``events`` that no parser takes, as the bytes that it is."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """An event worth committing, and the JSON that the inbox keeps of it."""

    event: Event
    body: str


@dataclass(frozen=True, slots=True)
class Sorted:
    """A transaction after the filter."""

    kept: tuple[Kept, ...]
    set_aside: tuple[SetAside, ...]
    seen: int


def read_events(body: bytes) -> list[object]:
    """The ``events`` of a transaction; `Unreadable` for those that are valid JSON but too much of it.

    Raises:
        UnreadableTransaction: invalid UTF-8, invalid JSON, not an object, no list of events.
    """
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        # orjson is strict about lone surrogates, which a hostile message may hold and Synapse passes on;
        # the standard library takes them, so that one such event does not cost its whole transaction.
        try:
            parsed = json.loads(body.decode("utf-8"))
        except UnicodeDecodeError:
            raise UnreadableTransaction("not UTF-8") from None
        except json.JSONDecodeError:
            raise UnreadableTransaction("not JSON") from None
        except (ValueError, RecursionError):
            # Numbers of thousands of digits, thousands of brackets: one event, not all of them.
            return [_read_element(text) for text in _elements(body)]
    if not isinstance(parsed, dict):
        raise UnreadableTransaction("not an object")
    events = parsed.get("events", [])
    if not isinstance(events, list):
        raise UnreadableTransaction("events is not a list")
    return events


_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def _elements(body: bytes) -> Iterator[bytes]:
    """The texts of the objects in ``events``, told apart by their brackets alone."""
    depth, start, within = 0, 0, False
    key = b""
    for found in _TOKEN.finditer(body):
        token = found[0]
        if token.startswith(b'"'):
            if depth == 1:
                key = token
        elif token in b"[{":
            depth += 1
            if depth == 2:
                within = key == b'"events"' and token == b"["
            elif depth == 3:
                start = found.start()
        else:
            if depth == 3 and within:
                yield body[start : found.end()]
            depth -= 1


def _read_element(text: bytes) -> object:
    for read in (orjson.loads, json.loads):
        try:
            return read(text)
        except (ValueError, RecursionError):
            continue
    return Unreadable(text)


def sort(events: list[object], interest: Interest, received_ts: int) -> Sorted:
    """Keep what is ours, drop the rest unseen, set aside what is ours but malformed."""
    kept: list[Kept] = []
    aside: list[SetAside] = []
    for raw in events:
        try:
            if not isinstance(raw, dict):
                raise MalformedEvent(
                    "more than can be parsed" if isinstance(raw, Unreadable) else "an event is not an object"
                )
            content = interest(raw)
            if content is None:
                continue
            event = parse_event(raw, received_ts, content)
            kept.append(Kept(event, encode(event)))
        except MalformedEvent as error:
            aside.append(_set_aside_event(raw, str(error)))
        except Exception as error:
            # Whatever shape a field has, one event must never cost the others.
            aside.append(_set_aside_event(raw, f"unexpected {type(error).__name__}"))
    return Sorted(tuple(kept), tuple(aside), len(events))


def set_aside_body(txn_id: str, length: int, sha256: str, reason: str) -> SetAside:
    """What is kept of a whole transaction that could not be read."""
    return SetAside("transaction", _printable(txn_id), length, sha256, reason)


def set_aside_kept(item: Kept, reason: str) -> SetAside:
    """What is kept of an event that is well-formed and that the database does not take."""
    data = item.body.encode()
    return SetAside(
        "event", _printable(item.event.event_id), len(data), hashlib.sha256(data).hexdigest(), reason
    )


def _set_aside_event(raw: object, reason: str) -> SetAside:
    try:
        data = raw.text if isinstance(raw, Unreadable) else json.dumps(raw).encode()
    except (ValueError, RecursionError):
        data = b""
    event_id = raw.get("event_id") if isinstance(raw, dict) else None
    reference = event_id if isinstance(event_id, str) else "?"
    return SetAside("event", _printable(reference), len(data), hashlib.sha256(data).hexdigest(), reason)


def _printable(value: str) -> str:
    return "".join(c if c.isprintable() and c.isascii() else "?" for c in value[:255])


def encode(event: Event) -> str:
    """The JSON that the inbox stores of an event.

    Raises:
        MalformedEvent: a string that is not valid Unicode, a number out of range.
    """
    try:
        return orjson.dumps(
            {
                "type": event.type,
                "sender": event.sender,
                "state_key": event.state_key,
                "content": event.content,
                "origin_ts": event.origin_ts,
                "redacts": event.redacts,
            }
        ).decode()
    except (TypeError, ValueError):
        raise MalformedEvent("content is not valid JSON") from None


def decode(event_id: str, room_id: str, received_ts: int, body: str) -> Event:
    """The event that an inbox row holds."""
    return Event(event_id=event_id, room_id=room_id, received_ts=received_ts, **orjson.loads(body))
