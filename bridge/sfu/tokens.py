"""Tokens for the SFU: signed JSON Web Tokens with LiveKit's grants.

LiveKit cannot revoke a token, so each says as little as it can for as short as it can. Nobody's
token carries ``roomAdmin``; that grant stays in the bridge's own requests.

See https://docs.livekit.io/home/get-started/authentication/ for the grants.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import jwt

ADMIN_TTL_MS = 10 * 60_000

_ESCAPED = {ord(character): f"\\u{ord(character):04x}" for character in ">?~\x7f"}


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key pair of the SFU, as in the ``keys`` of LiveKit's configuration."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class JoinPass:
    """The right to join one room as one participant.

    Attributes:
        room: Name of the SFU room.
        identity: Who they are there; a second connection with it replaces the first.
        name: Display name.
        ttl_ms: How long the token opens the door. Who is in stays in: LiveKit renews the tokens
            of connected participants by itself.
        can_publish: May send audio and video.
        sources: Of these sources alone (``camera``, ``microphone``, …); None for all of them.
        can_subscribe: May receive audio and video.
        can_publish_data: May send data, such as chat.
        hidden: The others are not told of them.
        attributes: Key and value pairs shown to the others.
    """

    room: str
    identity: str
    name: str
    ttl_ms: int
    can_publish: bool = True
    sources: tuple[str, ...] | None = None
    can_subscribe: bool = True
    can_publish_data: bool = True
    hidden: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)


def join_token(key: ApiKey, join: JoinPass, now: int) -> str:
    """Sign the right to join.

    ``canUpdateOwnMetadata`` is always false: with it people rename themselves and forge roles.

    Args:
        key: The SFU's key pair.
        join: What the token allows.
        now: Milliseconds since the epoch.

    Raises:
        ValueError: no room or no identity; LiveKit would read that as "any room".
    """
    if not join.room or not join.identity:
        raise ValueError("a token to join needs a room and an identity")
    video: dict[str, object] = {
        "roomJoin": True,
        "room": join.room,
        "canPublish": join.can_publish,
        "canSubscribe": join.can_subscribe,
        "canPublishData": join.can_publish_data,
        "canUpdateOwnMetadata": False,
    }
    if join.can_publish and join.sources is not None:
        video["canPublishSources"] = list(join.sources)
    if join.hidden:
        video["hidden"] = True
    claims: dict[str, object] = {"sub": join.identity, "video": video}
    if join.name:
        claims["name"] = join.name
    if join.attributes:
        claims["attributes"] = dict(join.attributes)
    return _signed(key, claims, now, join.ttl_ms)


def admin_token(key: ApiKey, grants: Mapping[str, object], now: int) -> str:
    """Sign one of the bridge's own requests.

    Args:
        key: The SFU's key pair.
        grants: The ``video`` grants; LiveKit wants ``roomAdmin`` together with the room's name.
        now: Milliseconds since the epoch.
    """
    return _signed(key, {"video": dict(grants)}, now, ADMIN_TTL_MS)


class PlainJson(json.JSONEncoder):
    """JSON whose base64url form has no ``-`` or ``_``: Element Call reads claims with a plain ``atob``.

    In ASCII only the characters whose six low bits are 62 or 63 lead to those two. JSON has them in texts
    alone, where they may be written as escapes, so nobody's name is changed.
    """

    def encode(self, o: object) -> str:
        """The JSON text of ``o``."""
        return super().encode(o).translate(_ESCAPED)


def _signed(key: ApiKey, claims: dict[str, object], now: int, ttl_ms: int) -> str:
    seconds = now // 1000
    # The expiry is rounded up, so that a short life is never shorter than what was asked for.
    claims |= {"iss": key.id, "nbf": seconds, "exp": -(-(now + ttl_ms) // 1000)}
    return jwt.encode(claims, key.secret, algorithm="HS256", json_encoder=PlainJson)
