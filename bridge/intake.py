"""Which events of the homeserver's rooms concern the bridge, and what is kept of them (`DESIGN` §2.4).

Called for every event; a chat message that is not for the bridge is looked at in memory and forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from appservice.events import STATE_TYPES
from appservice.namespace import Namespace
from appservice.transaction import Interest

Concerns = Callable[[str, str, bool], bool]
"""``(text, prefix, direct)``: whether a message could be a command."""

_LONGEST_TEXT = 4_000
_LONGEST_FORMATTED = 20_000

_KEPT_STATE: Mapping[str, tuple[str, ...]] = {
    "m.room.create": ("room_version", "m.federate", "additional_creators", "predecessor"),
    "m.room.power_levels": (
        *("users", "users_default", "events", "events_default", "state_default"),
        *("invite", "kick", "ban", "redact"),
    ),
    "m.room.encryption": ("algorithm",),
    "m.room.join_rules": ("join_rule",),
    "m.room.tombstone": ("replacement_room",),
}


class _Filter:
    """Says of a raw event what to keep; see `interest`."""

    def __init__(
        self, namespace: Namespace, prefix: str, direct_rooms: Collection[str], concerns: Concerns
    ) -> None:
        self._namespace = namespace
        self._bot_id = namespace.bot_id
        self._prefix = prefix
        self._direct_rooms = direct_rooms
        self._concerns = concerns

    def __call__(self, raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
        kind = raw.get("type")
        if kind == "m.room.message":
            return self._message(raw)
        if kind == "m.room.member":
            return self._member(raw)
        if kind == "m.room.redaction":
            return None if raw.get("sender") == self._bot_id else _only(raw.get("content"), ("redacts",))
        if kind in STATE_TYPES and raw.get("state_key") == "":
            return _only(raw.get("content"), _KEPT_STATE[kind])
        return None

    def _message(self, raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
        content = raw.get("content")
        if not isinstance(content, dict) or content.get("msgtype") != "m.text":
            return None
        body = content.get("body")
        direct = raw.get("room_id") in self._direct_rooms
        if not isinstance(body, str) or not self._concerns(body, self._prefix, direct):
            return None
        relation = content.get("m.relates_to")
        if "m.new_content" in content or (isinstance(relation, dict) and _replaces(relation)):
            return None
        if self._namespace.is_ours(str(raw.get("sender"))):
            return None
        return _kept_message(raw, content, body, relation)

    def _member(self, raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if raw.get("state_key") != self._bot_id and raw.get("room_id") not in self._direct_rooms:
            return None
        return _only(raw.get("content"), ("membership", "is_direct"))


def interest(
    namespace: Namespace, prefix: str, direct_rooms: Collection[str], concerns: Concerns
) -> Interest:
    """The filter for the intake.

    Args:
        namespace: Who is ours; what they write is not for us.
        prefix: What a command begins with.
        direct_rooms: Live collection of the direct chats with the bot.
        concerns: The grammar's own quick look at a text.
    """
    return _Filter(namespace, prefix, direct_rooms, concerns)


def _replaces(relation: Mapping[str, Any]) -> bool:
    return relation.get("rel_type") == "m.replace"


def _only(content: object, keys: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        return {}
    return {key: content[key] for key in keys if key in content}


def _kept_message(
    raw: Mapping[str, Any], content: Mapping[str, Any], body: str, relation: object
) -> Mapping[str, Any]:
    kept: dict[str, Any] = {"body": body[:_LONGEST_TEXT]}
    formatted = content.get("formatted_body")
    if isinstance(formatted, str) and len(formatted) <= _LONGEST_FORMATTED and "matrix.to" in formatted:
        kept["formatted_body"] = formatted
    mentions = content.get("m.mentions")
    users = mentions.get("user_ids") if isinstance(mentions, dict) else None
    if isinstance(users, list):
        kept["mentions"] = [user for user in users if isinstance(user, str)][:50]
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
