"""MatrixRTC memberships as rooms hold them (MSC3401, MSC4143): who takes part in the native call. Pure.

There are two kinds, and which of the two it is decides under which SFU identity clients look for somebody: a
state event stands for ``user:device``, a sticky event (MSC4354) for a hash. Content comes as the intake has
kept it, or as it stands in the room.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.rtc import identities

MEMBER_TYPE = "org.matrix.msc3401.call.member"
"""The state event."""

STICKY_TYPES = ("org.matrix.msc4143.rtc.member", "m.rtc.member")
"""The sticky event: proposed and future name."""

DEFAULT_EXPIRY_MS = 4 * 3_600_000
"""How long a membership lasts that says nothing of it."""

_LONGEST_EXPIRY_MS = 24 * 3_600_000
_LONGEST_STICKY_MS = 3_600_000
"""MSC4354 allows no longer stickiness; who stays sends another one."""

_MAX_ID = 255


@dataclass(frozen=True, slots=True)
class Membership:
    """One membership.

    Attributes:
        user_id: Whose.
        device_id: On which device.
        service_url: The authorization service of the SFU where they publish; empty if they name none.
        until_ts: When it expires, milliseconds.
        member_id: Its own id if it is a sticky event; empty for a state event.
    """

    user_id: str
    device_id: str
    service_url: str
    until_ts: int
    member_id: str = ""

    @property
    def plain(self) -> str:
        """The SFU identity of a state event, by which the bridge knows every device."""
        return identities.plain_identity(self.user_id, self.device_id)

    @property
    def identity(self) -> str:
        """The SFU identity under which clients look for them."""
        if not self.member_id:
            return self.plain
        return identities.hashed_identity(self.user_id, self.device_id, self.member_id)


def read(content: Mapping[str, Any], *, sender: str, sent_ts: int, now: int) -> Membership | None:
    """What a state event says; None if it ends a membership, or is not one of the room's call.

    Args:
        content: Of the event.
        sender: Who sent it.
        sent_ts: When, by the sender's homeserver, milliseconds.
        now: Milliseconds since the epoch.
    """
    device_id, expires, created = (content.get(key) for key in ("device_id", "expires", "created_ts"))
    if content.get("application") != "m.call" or content.get("call_id") != "":
        return None
    if not is_identifier(device_id):
        return None
    since = created if type(created) is int else sent_ts
    lasts = expires if type(expires) is int and expires > 0 else DEFAULT_EXPIRY_MS
    # The sender's clock may be wrong, and what nobody renews must end some day.
    until = min(since + lasts, now + _LONGEST_EXPIRY_MS)
    return Membership(sender, str(device_id), service_url(content), until)


def read_sticky(kept: Mapping[str, Any], *, sender: str, sent_ts: int, now: int) -> Membership | None:
    """What a sticky event says; None if it ends a membership, or is not one of the room's call.

    Args:
        kept: What `kept_of_sticky` has kept of it.
        sender: Who sent it.
        sent_ts: When, by the sender's homeserver, milliseconds.
        now: Milliseconds since the epoch.
    """
    device_id, member_id, lasts = (kept.get(key) for key in ("device_id", "member_id", "duration_ms"))
    if kept.get("slot_id") != identities.ROOM_SLOT or kept.get("user_id") != sender:
        return None
    if not (is_identifier(device_id) and is_identifier(member_id)) or type(lasts) is not int or lasts <= 0:
        return None
    until = min(sent_ts, now) + min(lasts, _LONGEST_STICKY_MS)
    return Membership(sender, str(device_id), service_url(kept), until, str(member_id))


def kept_of_sticky(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Of a sticky event what `read_sticky` and `storage_key` need: some content, and how long it sticks."""
    content = raw.get("content")
    content = content if isinstance(content, dict) else {}
    member, transports = content.get("member"), content.get("transports")
    member = member if isinstance(member, dict) else {}
    published = transports.get("published") if isinstance(transports, dict) else content.get("rtc_transports")
    sticky = raw.get("msc4354_sticky", raw.get("sticky"))
    found = {
        "slot_id": content.get("slot_id"),
        "user_id": member.get("user_id"),
        "device_id": member.get("device_id"),
        "member_id": member.get("id"),
        "sticky_key": content.get("msc4354_sticky_key", content.get("sticky_key")),
        "duration_ms": sticky.get("duration_ms") if isinstance(sticky, dict) else None,
        "service_url": _service_url(published),
    }
    return {
        key: value for key, value in found.items() if type(value) is int or (value and is_short_text(value))
    }


def storage_key(event_type: str, state_key: str | None, sender: str, kept: Mapping[str, Any]) -> str | None:
    """By what a membership is told from others in its room; None if nothing can be noted under it.

    A state key that begins with ``@`` is its sender's own (Matrix authorization rules), so no state event
    stands in the place of somebody's sticky one.
    """
    if event_type == MEMBER_TYPE:
        return state_key if state_key is not None and is_short_text(state_key, 2 * _MAX_ID) else None
    key = kept.get("sticky_key")
    return f"{sender} {key}" if state_key is None and is_identifier(key) else None


def service_url(content: Mapping[str, Any]) -> str:
    """The service of the first preferred transport."""
    if isinstance(kept := content.get("service_url"), str):
        return kept if is_short_text(kept) else ""
    return _service_url(content.get("foci_preferred"))


def _service_url(transports: object) -> str:
    first = transports[0] if isinstance(transports, list) and transports else None
    found = first.get("livekit_service_url") if isinstance(first, dict) else None
    return found if isinstance(found, str) and is_short_text(found) else ""


def is_identifier(value: object) -> bool:
    """Whether it is one: databases refuse some strings, such as one with a zero byte."""
    return bool(value) and is_short_text(value, _MAX_ID)


def is_short_text(value: object, most: int = 1_000) -> bool:
    """Whether it is a text of one line that every database takes, of so many bytes at most."""
    return isinstance(value, str) and value.isprintable() and len(value.encode()) <= most
