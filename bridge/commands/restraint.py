"""How much the bridge says in one room: a flood of questions must not keep the card waiting for minutes.

What people do is never held back by it, only answers are: opening, ending and acting on participants go
on. Kept in memory, because a room has one owner and a minute later nothing of it matters.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache

MINUTE_MS: Final = 60_000
MOST_ANSWERS: Final = 60
"""Answers in one room within a minute, unless the settings say otherwise."""
_MOST_ROOMS = 2_000


class Verdict(enum.Enum):
    """What becomes of an answer."""

    SAY = enum.auto()
    """It is said."""
    ENOUGH = enum.auto()
    """Instead of it the room is told, once, that it is too much."""
    HUSH = enum.auto()
    """It is not said."""


@dataclass(frozen=True, slots=True)
class Load:
    """What was said in one room lately; times in milliseconds.

    Attributes:
        since_ts: When the minute began in which answers are counted.
        answers: How many there were since.
        quiet_until_ts: Until when nothing is answered.
    """

    since_ts: int = 0
    answers: int = 0
    quiet_until_ts: int = 0


def weigh(load: Load, now: int, most: int) -> tuple[Verdict, Load]:
    """Whether one more answer is said, and the load after it.

    Args:
        load: The room's load.
        now: Milliseconds since the epoch.
        most: Answers within a minute; 0 for no limit.
    """
    if not most:
        return Verdict.SAY, load
    if now < load.quiet_until_ts:
        return Verdict.HUSH, load
    if now >= load.since_ts + MINUTE_MS:
        load = Load(since_ts=now)
    if load.answers < most:
        return Verdict.SAY, Load(load.since_ts, load.answers + 1)
    return Verdict.ENOUGH, Load(quiet_until_ts=now + MINUTE_MS)


class Restraint:
    """The loads of all rooms.

    Args:
        most: Answers in one room within a minute; 0 for no limit.
    """

    def __init__(self, most: int = MOST_ANSWERS) -> None:
        self._most = most
        self._loads: LRUCache[str, Load] = LRUCache(_MOST_ROOMS)

    def weigh(self, room_id: str, now: int) -> Verdict:
        """Count one more answer in a room."""
        verdict, self._loads[room_id] = weigh(self._loads.get(room_id, Load()), now, self._most)
        return verdict
