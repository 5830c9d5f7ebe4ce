"""What the homeserver's client-server API answers when it does not do what we asked."""

from __future__ import annotations

_ABOUT_THE_REQUEST = (408, 413, 414, 429, 431)
"""Statuses with which a proxy speaks of one request: too slow, too large, too often."""


class MatrixError(Exception):
    """A request that the homeserver answered with an error.

    Attributes:
        status: HTTP status code.
        errcode: Such as ``M_FORBIDDEN``; empty when the answer was not Matrix JSON.
        retry_after_ms: How long a 429 asks to wait, milliseconds, or None.
    """

    def __init__(self, status: int, errcode: str, message: str, retry_after_ms: int | None = None) -> None:
        super().__init__(f"{status} {errcode or '(no errcode)'}: {message[:200]}")
        self.status = status
        self.errcode = errcode
        self.retry_after_ms = retry_after_ms

    @property
    def is_foreign(self) -> bool:
        """Whether the answer is not the homeserver's.

        A homeserver says why it refuses (``errcode``). A 404 without a word comes from a reverse proxy that
        has lost sight of it, and means no more than a 502. What a proxy says of the request itself stands.
        """
        return not self.errcode and 300 <= self.status < 500 and self.status not in _ABOUT_THE_REQUEST

    @property
    def is_rate_limit(self) -> bool:
        """Whether the homeserver asks us to wait."""
        return self.status == 429

    @property
    def can_heal(self) -> bool:
        """Whether the same request may succeed later (anything but a refusal)."""
        return self.status >= 500 or self.status in (408, 429) or self.is_foreign

    @property
    def is_outage(self) -> bool:
        """Whether this says that the homeserver as a whole is away (a proxy in front of it answers).

        What the homeserver itself calls a 502 is about one request: Synapse's "Failed to make_join via any
        server" means a server that it asked.
        """
        return (self.status in (502, 503, 504) and not self.errcode) or self.is_foreign


class HomeserverUnreachable(Exception):
    """No answer: refused, reset, timed out, or not HTTP."""
