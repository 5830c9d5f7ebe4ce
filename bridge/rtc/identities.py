"""The names that one person has in Matrix, in MatrixRTC and in the SFU.

Element Call shows an SFU participant only if its identity is the one that follows from a membership
in the room, so every derivation here must agree with the clients to the letter.

Sources: MSC4195 for the hashes, MSC3401 for the legacy identity, lk-jwt-service for the alias of the
legacy endpoint (which uses the same slot as the new one).
"""

from __future__ import annotations

import base64
import hashlib
import json

ROOM_SLOT = "m.call#ROOM"
"""The slot of a room's one call; clients of the legacy endpoint do not name it."""

GHOST_DEVICE = "VISIO"
"""Device id in a ghost's membership. In an unencrypted room no real device needs to have it."""

SHORT_LENGTH = 20
"""Characters of a short id: 100 bits, so that nobody finds a second identity with the same one."""


def alias(room_id: str, slot_id: str = ROOM_SLOT) -> str:
    """The standard SFU room of a Matrix room's call: where people meet without the bridge."""
    return _hash(room_id, slot_id)


def hashed_identity(user_id: str, device_id: str, member_id: str) -> str:
    """SFU identity of a membership that is a sticky event (MSC4354)."""
    return _hash(user_id, device_id, member_id)


def plain_identity(user_id: str, device_id: str) -> str:
    """SFU identity of a membership that is a state event."""
    return f"{user_id}:{device_id}"


def listening_identity(identity: str, service_url: str) -> str:
    """A second SFU identity for somebody who only listens to what another homeserver's service carries.

    The SFU drops the first of two connections with the same identity, and their own one may be in the
    same SFU room. Each authorization service has an identity of its own for the same reason.

    Args:
        identity: The identity that they have, or would have, where they publish.
        service_url: The advertised address of the service that lets them listen.
    """
    return f"{identity}#{short_id(service_url)}"


def short_id(identity: str) -> str:
    """What stands for an SFU identity in a Matrix user id or device id.

    The first 20 characters of the lower-case base32 of its SHA-256.
    """
    return base64.b32encode(_sha256(identity)).decode().lower()[:SHORT_LENGTH]


def ghost_user_id(identity: str, *, prefix: str, server_name: str) -> str:
    """Matrix user id of the ghost that stands for an SFU participant."""
    return f"@{prefix}{short_id(identity)}:{server_name}"


def carried_device(identity: str) -> str:
    """Device id of a membership that the bot carries for an SFU participant."""
    return GHOST_DEVICE + short_id(identity)


def _hash(*parts: str) -> str:
    """Standard base64 without padding of the SHA-256 of a JSON array, to the byte as JavaScript writes it."""
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(_sha256(text)).decode().rstrip("=")


def _sha256(text: str) -> bytes:
    # A lone surrogate, which a hostile device id may hold, becomes an escape as in JSON.stringify.
    return hashlib.sha256(text.encode(errors="backslashreplace")).digest()
