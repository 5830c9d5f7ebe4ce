"""Tokens to act for one person: kept in memory while they are good, asked for once for all who wait.

How long a token is good is judged by our own monotonic clock from ``expires_in`` alone. Visio's time of day
is not looked at, so clocks that differ do no harm.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from cachetools import TLRUCache

from bridge.providers.visio.sharing import Sharing

MOST_TOKENS = 2_000
"""Tokens kept at most; of more the least used ones are asked for again."""

_MARGIN_MS = 60_000


@dataclass(frozen=True, slots=True)
class Token:
    """What Visio gave.

    Attributes:
        secret: The bearer token.
        lifetime_ms: How long it is good.
    """

    secret: str = field(repr=False)
    lifetime_ms: int


class Tokens:
    """Tokens by e-mail address.

    Args:
        fetch: Asks Visio for a token for an address.
        clock: A monotonic clock, in milliseconds.
    """

    def __init__(self, fetch: Callable[[str], Awaitable[Token]], clock: Callable[[], int]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._kept: TLRUCache[str, tuple[str, int]] = TLRUCache(
            MOST_TOKENS, ttu=lambda _email, token, _now: token[1], timer=clock
        )
        self._asking: Sharing[str] = Sharing()

    async def of(self, email: str) -> str:
        """A token that is good for a while.

        Raises:
            VisioFailure: Visio gives none.
        """
        # Visio compares addresses without regard to case.
        key = email.lower()
        kept = self._kept.get(key)
        if kept is not None:
            return kept[0]
        return await self._asking.ask(key, lambda: self._renew(key))

    def forget(self, email: str, secret: str) -> None:
        """Do not hand out this token again; one that has replaced it since is kept."""
        kept = self._kept.get(email.lower())
        if kept is not None and kept[0] == secret:
            del self._kept[email.lower()]

    async def close(self) -> None:
        """Stop asking."""
        await self._asking.close()

    async def _renew(self, email: str) -> str:
        asked = self._clock()
        token = await self._fetch(email)
        # Judged from before the question; what is left must do for the request that follows.
        margin = min(_MARGIN_MS, token.lifetime_ms // 4)
        self._kept[email] = (token.secret, asked + token.lifetime_ms - margin)
        return token.secret
