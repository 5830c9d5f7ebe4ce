"""How often the roster on a card may change (`CONTRACT` §5). Pure.

Every edit is an event that every server and client of the room stores, so the roster goes through
a bucket: five edits at will, then one every 30 s, in large meetings every 60 s. A change of state
does not ask here; it goes at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

BUCKET: Final = 5
INTERVAL_MS: Final = 30_000
CROWD: Final = 20
CROWD_INTERVAL_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Pace:
    """What is left of a card's edits.

    Attributes:
        tokens: Edits that may go now.
        refilled_ts: When the last one was added, milliseconds; 0 for a card not yet edited.
    """

    tokens: int = BUCKET
    refilled_ts: int = 0


class Verdict(NamedTuple):
    """Whether an edit may go, what is left afterwards, and how long to wait if it may not."""

    allowed: bool
    pace: Pace
    wait_ms: int


def may_edit(pace: Pace, now: int, people: int) -> Verdict:
    """Ask for one edit of the roster.

    Args:
        pace: What was left after the last question.
        now: Milliseconds since the epoch.
        people: How many the card shows; above 20 the edits come more slowly.
    """
    interval = CROWD_INTERVAL_MS if people > CROWD else INTERVAL_MS
    pace = _refilled(pace, now, interval)
    if pace.tokens > 0:
        return Verdict(True, Pace(pace.tokens - 1, pace.refilled_ts), 0)
    return Verdict(False, pace, pace.refilled_ts + interval - now)


def _refilled(pace: Pace, now: int, interval: int) -> Pace:
    # A clock that was set back must not stop a card for as long as it was ahead.
    since = min(pace.refilled_ts, now)
    added = (now - since) // interval
    if pace.tokens + added >= BUCKET:
        return Pace(BUCKET, now)
    return Pace(pace.tokens + added, since + added * interval)
