"""Which events of the homeserver's rooms concern the bridge, and what is kept of them (`DESIGN` §2.4).

Called for every event; a chat message that is not for the bridge is looked at in memory and forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from appservice.ghosts import DISMISSED
from appservice.namespace import Namespace
from appservice.transaction import Interest
from bridge.rtc.membership import MEMBER_TYPE, STICKY_TYPES, kept_of_sticky, service_url

Concerns = Callable[[str, str, bool], bool]
"""``(text, prefix, direct)``: whether a message could be a command."""

LinksIn = Callable[[str], tuple[str, ...]]
"""The links to meetings in a text."""

_LONGEST_TEXT = 4_000
_LONGEST_FORMATTED = 20_000
_LONGEST_URL = 1_000
_LONGEST_ID = 255
_EVENT_ID = re.compile(r"\$[!-~]+")
_OUT = ("leave", "ban")

_KEPT_STATE: Mapping[str, tuple[str, ...]] = {
    "m.room.create": ("room_version", "m.federate", "additional_creators", "predecessor"),
    "m.room.power_levels": (
        *("users", "users_default", "events", "events_default", "state_default"),
        *("invite", "kick", "ban", "redact", "notifications"),
    ),
    "m.room.encryption": ("algorithm",),
    "m.room.join_rules": ("join_rule",),
    "m.room.tombstone": ("replacement_room",),
}


class _Filter:
    """Says of a raw event what to keep; see `interest`."""

    def __init__(
        self,
        namespace: Namespace,
        prefix: str,
        direct_rooms: Collection[str],
        concerns: Concerns,
        *,
        links: LinksIn,
        reactions: Collection[str],
        native: bool,
    ) -> None:
        self._namespace = namespace
        self._bot_id = namespace.bot_id
        self._prefix = prefix
        self._direct_rooms = direct_rooms
        self._concerns = concerns
        self._links = links
        self._reactions = reactions
        self._native = native

    def __call__(self, raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
        kind = raw.get("type")
        if kind == "m.room.message":
            return self._message(raw)
        if kind == "m.room.member":
            return self._member(raw)
        if kind == MEMBER_TYPE or kind in STICKY_TYPES:
            return self._membership(raw)
        if kind == "m.reaction":
            return self._reaction(raw)
        if kind == "m.room.redaction":
            return None if raw.get("sender") == self._bot_id else _only(raw.get("content"), ("redacts",))
        keys = _KEPT_STATE.get(str(kind)) if raw.get("state_key") == "" else None
        return None if keys is None else _only(raw.get("content"), keys)

    def _membership(self, raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if not self._native or self._namespace.is_ours(str(raw.get("sender"))):
            return None
        return _kept_membership(raw) if raw.get("type") == MEMBER_TYPE else kept_of_sticky(raw)

    def _message(self, raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
        content = raw.get("content")
        if not isinstance(content, dict) or content.get("msgtype") != "m.text":
            return None
        body = content.get("body")
        if not isinstance(body, str):
            return None
        direct = raw.get("room_id") in self._direct_rooms
        links: tuple[str, ...] = ()
        if not self._concerns(body, self._prefix, direct):
            links = self._links(body)
            if not links:
                return None
        relation = content.get("m.relates_to")
        if "m.new_content" in content or (isinstance(relation, dict) and _replaces(relation)):
            return None
        if self._namespace.is_ours(str(raw.get("sender"))):
            return None
        kept = {"links": list(links)} if links else _kept_command(content, body)
        return kept | _kept_envelope(raw, relation)

    def _reaction(self, raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
        content = raw.get("content")
        relation = content.get("m.relates_to") if isinstance(content, dict) else None
        if not isinstance(relation, dict) or relation.get("rel_type") != "m.annotation":
            return None
        key, target = relation.get("key"), relation.get("event_id")
        if not isinstance(key, str) or key not in self._reactions or not _is_event_id(target):
            return None
        return None if self._namespace.is_ours(str(raw.get("sender"))) else {"event_id": target, "key": key}

    def _member(self, raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
        kept = _only(raw.get("content"), ("membership", "is_direct"))
        if self._namespace.is_ours(str(raw.get("state_key"))) and _is_dismissal(raw):
            return None
        if raw.get("state_key") == self._bot_id or raw.get("room_id") in self._direct_rooms:
            return kept
        return kept if self._native and kept.get("membership") in _OUT else None


def interest(
    namespace: Namespace,
    prefix: str,
    direct_rooms: Collection[str],
    concerns: Concerns,
    *,
    links: LinksIn = lambda _text: (),
    reactions: Collection[str] = frozenset(),
    native: bool = False,
) -> Interest:
    """The filter for the intake.

    Args:
        namespace: Who is ours; what they write is not for us.
        prefix: What a command begins with.
        direct_rooms: Live collection of the direct chats with the bot.
        concerns: The grammar's own quick look at a text.
        links: Finds the links to meetings in a text that is no command. Of such a message nothing but
            these links is kept (``links``), with where it stands and how old it is.
        reactions: Keys of the reactions that mean something to the bridge; of those ``key`` and the
            message that they are about (``event_id``) are kept.
        native: Keep who takes part in rooms' native calls, and who leaves rooms.
    """
    return _Filter(namespace, prefix, direct_rooms, concerns, links=links, reactions=reactions, native=native)


def _is_dismissal(raw: Mapping[str, Any]) -> bool:
    """Whether a ghost of ours leaves because we sent it out."""
    content = raw.get("content")
    return isinstance(content, dict) and DISMISSED in content and raw.get("sender") == raw.get("state_key")


def _is_event_id(value: object) -> bool:
    """Whether it can be one: other strings are refused by databases, such as one with a zero byte."""
    return isinstance(value, str) and len(value) <= _LONGEST_ID and _EVENT_ID.fullmatch(value) is not None


def _replaces(relation: Mapping[str, Any]) -> bool:
    return relation.get("rel_type") == "m.replace"


def _only(content: object, keys: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        return {}
    return {key: content[key] for key in keys if key in content}


def _kept_membership(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of a MatrixRTC membership: which device, how long, and where it publishes; nothing when it ends."""
    content = raw.get("content")
    kept = dict(_only(content, ("application", "call_id", "device_id", "expires", "created_ts")))
    found = service_url(content) if isinstance(content, dict) else ""
    if found and len(found) <= _LONGEST_URL:
        kept["service_url"] = found
    return kept


def _kept_command(content: Mapping[str, Any], body: str) -> dict[str, Any]:
    kept: dict[str, Any] = {"body": body[:_LONGEST_TEXT]}
    formatted = content.get("formatted_body")
    if isinstance(formatted, str) and len(formatted) <= _LONGEST_FORMATTED and "matrix.to" in formatted:
        kept["formatted_body"] = formatted
    mentions = content.get("m.mentions")
    users = mentions.get("user_ids") if isinstance(mentions, dict) else None
    if isinstance(users, list):
        kept["mentions"] = [user for user in users if isinstance(user, str)][:50]
    return kept


def _kept_envelope(raw: Mapping[str, Any], relation: object) -> dict[str, Any]:
    """Where a message stands, and how old it is."""
    kept: dict[str, Any] = {}
    if isinstance(relation, dict) and relation.get("rel_type") == "m.thread":
        root = relation.get("event_id")
        if isinstance(root, str) and root.startswith("$"):
            kept["thread"] = root
    unsigned = raw.get("unsigned")
    age = unsigned.get("age") if isinstance(unsigned, dict) else None
    if isinstance(age, int) and not isinstance(age, bool) and age >= 0:
        # How old our own homeserver says it is; the sender's clock may be wrong.
        kept["age"] = age
    return kept
