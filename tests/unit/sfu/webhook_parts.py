"""Webhooks as LiveKit signs them."""

from __future__ import annotations

import base64
import hashlib
import json

import jwt

from bridge.sfu.tokens import ApiKey

KEY = ApiKey("key", "a-secret-of-at-least-thirty-two-characters")
NOW = 1_700_000_000_000

JOINED: dict[str, object] = {
    "event": "participant_joined",
    "room": {"sid": "RM_1", "name": "passerelle-c1", "numParticipants": 1},
    "participant": {"sid": "PA_1", "identity": "guest-a", "state": "ACTIVE", "joinedAt": "1700000000"},
    "id": "EV_1",
    "createdAt": "1700000000",
}


def body_of(event: object) -> bytes:
    return json.dumps(event).encode()


def signed(body: bytes, key: ApiKey = KEY, now: int = NOW, **claims: object) -> str:
    """The ``Authorization`` header; a claim given as None is left out."""
    all_claims: dict[str, object] = {
        "iss": key.id,
        "nbf": now // 1000,
        "exp": now // 1000 + 300,
        "sha256": base64.b64encode(hashlib.sha256(body).digest()).decode(),
        **claims,
    }
    return jwt.encode({k: v for k, v in all_claims.items() if v is not None}, key.secret, algorithm="HS256")
