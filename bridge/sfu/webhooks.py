"""LiveKit's webhooks: checked, read, and taken as hints only.

A webhook says "something happened in this room, look again". What counts is what the SFU then
answers, so a lost, doubled, late or replayed webhook changes nothing. See
https://docs.livekit.io/home/server/webhooks/ for kinds and fields, and ``livekit_webhook.proto``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

import jwt
import orjson

from bridge.sfu.tokens import ApiKey

LEEWAY_MS = 60_000
"""How far the SFU's clock may be from ours, as LiveKit itself allows."""


class WebhookRefused(Exception):
    """A request does not prove that it comes from our SFU.

    Attributes:
        reason: One word for logs and metrics: ``missing``, ``malformed``, ``signature``, ``key``,
            ``expired``, ``hash`` or ``body``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"webhook refused: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Hint:
    """What a webhook claims.

    Attributes:
        kind: LiveKit's event, such as ``participant_joined``; unknown ones are fine.
        room_name: Name of the SFU room, or empty.
        room_sid: Which incarnation of that room, or empty.
        identity: The participant it is about, or empty.
        participant_sid: Which connection of that participant, or empty.
        event_id: LiveKit's id of the event; the same when it is sent again.
        created_ts: When it happened, milliseconds by the SFU's clock, to the second.
    """

    kind: str
    room_name: str = ""
    room_sid: str = ""
    identity: str = ""
    participant_sid: str = ""
    event_id: str = ""
    created_ts: int = 0


_ROOM_AHEAD = re.compile(
    rb'\s*\{\s*"event":\s*"[a-z_]*",\s*"room":\s*\{\s*"sid":\s*"[^"\\]*",\s*"name":\s*"([^"\\]*)"'
)


def room_ahead(body: bytes) -> str | None:
    """The room's name where LiveKit writes it first; None if it stands elsewhere or nowhere.

    Reads the first hundred bytes and no JSON. Good for throwing away only, like `peek`: what somebody
    else wrote into names or attributes stands behind it, and a body that lies is a body of theirs.
    """
    found = _ROOM_AHEAD.match(body)
    return found[1].decode(errors="replace") if found else None


def peek(body: bytes) -> Hint | None:
    """What a body claims, before anything is proven; None if it is no webhook at all.

    Costs a few microseconds, so that a busy SFU's other rooms cost next to nothing. Good for
    throwing away only: whatever acts on a webhook must go through `verify`.
    """
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        return None
    room, participant = _object(event, "room"), _object(event, "participant")
    return Hint(
        kind=event["event"],
        room_name=_text(room, "name") or _room_of_a_service(event),
        room_sid=_text(room, "sid"),
        identity=_text(participant, "identity"),
        participant_sid=_text(participant, "sid"),
        event_id=_text(event, "id"),
        created_ts=_seconds(event) * 1000,
    )


def verify(body: bytes, authorization: str, key: ApiKey, now: int) -> Hint:
    """Check that our SFU signed exactly this body, and read it.

    The ``Authorization`` header is a JSON Web Token signed with the SFU's key, whose claim
    ``sha256`` is the base64 of the body's hash.

    Args:
        body: The request's bytes, as received.
        authorization: The header's value, with or without ``Bearer``.
        key: The key pair under ``webhook.api_key`` in LiveKit's configuration.
        now: Milliseconds since the epoch.

    Raises:
        WebhookRefused: with the reason.
    """
    token = authorization.strip().removeprefix("Bearer").strip()
    if not token:
        raise WebhookRefused("missing")
    claims = _claims(token, key)
    if not _valid_now(claims, now):
        raise WebhookRefused("expired")
    digest = base64.b64encode(hashlib.sha256(body).digest())
    claimed = claims.get("sha256")
    if not isinstance(claimed, str) or not hmac.compare_digest(claimed.encode(errors="replace"), digest):
        raise WebhookRefused("hash")
    hint = peek(body)
    if hint is None:
        raise WebhookRefused("body")
    return hint


def _claims(token: str, key: ApiKey) -> dict[str, object]:
    try:
        claims = jwt.decode(
            token,
            key.secret,
            algorithms=["HS256"],
            issuer=key.id,
            # The times are checked against the caller's clock, in `_valid_now`.
            options={
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_aud": False,
                "require": ["exp", "iss"],
            },
        )
    except jwt.InvalidSignatureError:
        raise WebhookRefused("signature") from None
    except jwt.InvalidIssuerError:
        raise WebhookRefused("key") from None
    except (jwt.PyJWTError, ValueError):
        # ValueError: header bytes that are no UTF-8 arrive as surrogates, which PyJWT cannot encode.
        raise WebhookRefused("malformed") from None
    return dict(claims)


def _valid_now(claims: dict[str, object], now: int) -> bool:
    until, since = claims.get("exp"), claims.get("nbf", 0)
    if not isinstance(until, int) or not isinstance(since, int):
        return False
    return since * 1000 - LEEWAY_MS <= now <= until * 1000 + LEEWAY_MS


def _room_of_a_service(event: dict[str, object]) -> str:
    """Recordings and streams name their room in their own part, which comes without ``room``."""
    return _text(_object(event, "egressInfo"), "roomName") or _text(_object(event, "ingressInfo"), "roomName")


def _object(parent: dict[str, object], key: str) -> dict[str, object]:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _text(parent: dict[str, object], key: str) -> str:
    value = parent.get(key)
    return value if isinstance(value, str) else ""


def _seconds(event: dict[str, object]) -> int:
    # Protobuf's JSON writes 64-bit integers as strings.
    value = event.get("createdAt")
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        return int(value)
    return value if isinstance(value, int) and 0 <= value < 10**15 else 0
