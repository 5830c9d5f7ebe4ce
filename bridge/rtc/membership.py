"""MatrixRTC memberships as rooms hold them (MSC3401, MSC4143): who takes part in the native call. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MEMBER_TYPE = "org.matrix.msc3401.call.member"

DEFAULT_EXPIRY_MS = 4 * 3_600_000
"""How long a membership lasts that says nothing of it."""

_LONGEST_EXPIRY_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Membership:
    """One membership.

    Attributes:
        user_id: Whose.
        device_id: On which device.
        service_url: The authorization service of the SFU where they publish; empty if they name none.
        until_ts: When it expires, milliseconds.
    """

    user_id: str
    device_id: str
    service_url: str
    until_ts: int


def read(content: Mapping[str, Any], *, sender: str, sent_ts: int, now: int) -> Membership | None:
    """What a membership event says; None if it ends a membership, or is not one of the room's call.

    Args:
        content: Of the event.
        sender: Who sent it.
        sent_ts: When, by the sender's homeserver, milliseconds.
        now: Milliseconds since the epoch.
    """
    device_id, expires, created = (content.get(key) for key in ("device_id", "expires", "created_ts"))
    if content.get("application") != "m.call" or content.get("call_id") != "":
        return None
    if not isinstance(device_id, str) or not device_id:
        return None
    since = created if type(created) is int else sent_ts
    lasts = expires if type(expires) is int and expires > 0 else DEFAULT_EXPIRY_MS
    # The sender's clock may be wrong, and what nobody renews must end some day.
    until = min(since + lasts, now + _LONGEST_EXPIRY_MS)
    return Membership(sender, device_id, service_url(content), until)


def service_url(content: Mapping[str, Any]) -> str:
    """The service of the first preferred transport."""
    foci = content.get("foci_preferred")
    first = foci[0] if isinstance(foci, list) and foci else None
    found = first.get("livekit_service_url") if isinstance(first, dict) else content.get("service_url")
    return found if isinstance(found, str) else ""
