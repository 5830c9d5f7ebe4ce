"""Decides what becomes of a webhook: cheap refusals first, proof next, then a hint.

Who reaches the listener can send anything, and an SFU that is shared tells of everybody's meetings. So
the order is by cost: a room that is not ours is dropped at the sight of its name, mostly without parsing
anything; a body that is no webhook after one JSON parse; an event already taken before its signature is
checked again. Of what is dropped nothing is kept but a count.
"""

from __future__ import annotations

import collections
import enum
from collections.abc import Callable

import structlog
from cachetools import TTLCache

from bridge.sfu.tokens import ApiKey
from bridge.sfu.webhooks import Hint, WebhookRefused, peek, room_ahead, verify

REMEMBERED = 4096
REMEMBERED_MS = 10 * 60_000
"""Longer than a webhook's own token lives (5 min and a minute of leeway): later it is expired."""
COMPLAINT_MS = 60_000

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Outcome(enum.StrEnum):
    """What became of a webhook; a metric counts them."""

    TAKEN = "taken"
    FOREIGN = "foreign"
    """A room that no call of ours has: other users of the same SFU."""
    REPEATED = "repeated"
    REFUSED = "refused"
    MALFORMED = "malformed"


class WebhookReceiver:
    """Takes webhooks and hands on hints.

    Attributes:
        outcomes: How many webhooks ended how, since the start.
    """

    def __init__(
        self,
        key: ApiKey,
        *,
        is_ours: Callable[[str], bool],
        on_hint: Callable[[Hint], None],
        clock: Callable[[], int],
    ) -> None:
        """Prepare to receive.

        Args:
            key: The key pair that LiveKit signs its webhooks with.
            is_ours: Whether a call of ours has this SFU room; asked for every webhook.
            on_hint: Called with each proven hint; must return at once.
            clock: The time in milliseconds.
        """
        self._key = key
        self._is_ours = is_ours
        self._on_hint = on_hint
        self._clock = clock
        self._taken: TTLCache[str, None] = TTLCache(REMEMBERED, REMEMBERED_MS, timer=clock)
        self._complained: TTLCache[str, None] = TTLCache(16, COMPLAINT_MS, timer=clock)
        self.outcomes: collections.Counter[Outcome] = collections.Counter()

    def take(self, body: bytes, authorization: str) -> Outcome:
        """Judge one webhook, and call ``on_hint`` if it is proven, new and about a room of ours."""
        outcome = self._judge(body, authorization)
        self.outcomes[outcome] += 1
        return outcome

    def _judge(self, body: bytes, authorization: str) -> Outcome:
        if not authorization:
            return self._refused("missing")
        room = room_ahead(body)
        if room is not None and not self._is_ours(room):
            return Outcome.FOREIGN
        claimed = peek(body)
        return Outcome.MALFORMED if claimed is None else self._prove(claimed, body, authorization)

    def _prove(self, claimed: Hint, body: bytes, authorization: str) -> Outcome:
        if not self._is_ours(claimed.room_name):
            return Outcome.FOREIGN
        if claimed.event_id in self._taken:
            return Outcome.REPEATED
        try:
            hint = verify(body, authorization, self._key, self._clock())
        except WebhookRefused as refused:
            return self._refused(refused.reason)
        self._on_hint(hint)
        # Only now: a webhook whose hint was not taken may come again.
        if hint.event_id:
            self._taken[hint.event_id] = None
        return Outcome.TAKEN

    def _refused(self, reason: str) -> Outcome:
        # One line a minute and reason: a wrong key on LiveKit's side must be seen, a flood not.
        if reason not in self._complained:
            self._complained[reason] = None
            log.warning(
                "webhook refused", reason=reason, advice="check webhook.api_key and keys in LiveKit's file"
            )
        return Outcome.REFUSED
