"""What the composition root hands to a provider."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from bridge.sfu.client import Sfu, now_ms
from bridge.sfu.tokens import ApiKey

TOKEN_TTL_MS = 2 * 60_000
"""How long a guest's token opens the door: time to load the page's script and to connect."""


def new_secret() -> str:
    """192 random bits, safe in a URL."""
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True)
class ProviderParts:
    """Everything a provider may need.

    Attributes:
        sfu: The SFU's server API.
        key: The SFU's key pair, to sign tokens with.
        public_url: Where browsers reach the bridge (``web.public_url``), without a final slash.
        max_participants: Most people in one meeting (``calls.max_participants``).
        empty_timeout_ms: How long an SFU room waits for its first participant.
        departure_timeout_ms: How long it waits after the last one left. Longer than LiveKit's 20 s:
            a room that LiveKit makes again for returning people lacks our limits.
        token_ttl_ms: How long a guest's token opens the door.
        clock: The time in milliseconds.
        new_secret: A fresh secret for a link.
    """

    sfu: Sfu
    key: ApiKey
    public_url: str
    max_participants: int = 150
    empty_timeout_ms: int = 5 * 60_000
    departure_timeout_ms: int = 5 * 60_000
    token_ttl_ms: int = TOKEN_TTL_MS
    clock: Callable[[], int] = now_ms
    new_secret: Callable[[], str] = new_secret
