"""What the composition root hands to the Visio provider."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.providers.parts import TOKEN_TTL_MS
from bridge.providers.visio.api import Credentials, ticks
from bridge.providers.visio.owner import Ownership
from bridge.sfu.client import Sfu, now_ms
from bridge.sfu.retry import Patience
from bridge.sfu.tokens import ApiKey

PATIENCE = Patience(attempt_ms=15_000, total_ms=20_000, pause_ms=200, attempts=3)
"""For one request to Visio. An attempt is long, because a meeting whose link comes too late is lost."""


@dataclass(frozen=True, slots=True)
class SharedSfu:
    """The SFU that carries Visio's meetings.

    Its key is power over all of them, so the bridge names no SFU room but those of its own calls.

    Attributes:
        api: Its server API.
        key: Its key pair, to sign tokens with.
    """

    api: Sfu
    key: ApiKey


@dataclass(frozen=True, slots=True)
class VisioParts:
    """Everything the provider needs.

    Attributes:
        url: Visio's address (``visio.url``).
        hosts: Further hosts whose links count (``visio.hosts``).
        credentials: Who the bridge is for Visio.
        ownership: In whose name meetings are made.
        access_level: Of the meetings that the bridge makes.
        sfu: Visio's SFU; None if there is no ``sfu`` section: then nobody can tell who is in.
        on_orphan: Told each time a meeting may have been made that nobody will ever get the link of.
        patience: How long one request to Visio may take.
        token_ttl_ms: How long a token that the bridge signs opens the door.
        clock: The time of day, in milliseconds.
        ticks: A monotonic clock, in milliseconds.
    """

    url: str
    credentials: Credentials
    ownership: Ownership
    hosts: tuple[str, ...] = ()
    access_level: str = "public"
    sfu: SharedSfu | None = None
    on_orphan: Callable[[], None] = field(default=lambda: None)
    patience: Patience = PATIENCE
    token_ttl_ms: int = TOKEN_TTL_MS
    clock: Callable[[], int] = now_ms
    ticks: Callable[[], int] = ticks
