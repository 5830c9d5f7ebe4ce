"""When a leave event that was handed over is put off, and when it is sent. Pure.

Clients hand over a delayed event (MSC4140) that ends their membership. It is put off while they are in the
SFU, and sent when they are not, or never came (lk-jwt-service's delegated delayed leave).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

ARRIVAL_MS = 30_000
"""How long somebody may take to come into the SFU."""

ABSENCE_MS = 12_000
"""How long somebody may be away: who is moved, or reconnects, is back within a few seconds."""

LONGEST_RESTART_MS = 300_000


@dataclass(frozen=True, slots=True)
class Leave:
    """One leave event that was handed over.

    Attributes:
        room_id: Matrix room.
        identity: Who they are in the SFU if their membership is a state event.
        hashed: Who they are there if it is a sticky event; empty if that is not known. Clients that could be
            either do not tell which they are.
        delay_id: The homeserver's name for the event.
        timeout_ms: After how long the homeserver sends it by itself.
        restart_ts: When to put it off next, milliseconds.
        patient_until_ts: Until when they may be away.
    """

    room_id: str
    identity: str
    hashed: str
    delay_id: str
    timeout_ms: int
    restart_ts: int
    patient_until_ts: int

    def is_of(self, inside: frozenset[str]) -> bool:
        """Whether its owner is among those in an SFU room."""
        return self.identity in inside or self.hashed in inside


class Act(enum.Enum):
    """What to do about it."""

    NOTHING = "nothing"
    RESTART = "restart"
    SEND = "send"


def judged(leave: Leave, *, present: bool | None, now: int) -> tuple[Act, Leave]:
    """What to do, and the leave afterwards.

    Args:
        leave: As it is.
        present: Whether they are in the SFU; None if it does not say, which is no reason to end anything.
        now: Milliseconds since the epoch.
    """
    if present:
        leave = replace(leave, patient_until_ts=max(leave.patient_until_ts, now + ABSENCE_MS))
    elif present is False and now >= leave.patient_until_ts:
        return Act.SEND, leave
    if now < leave.restart_ts:
        return Act.NOTHING, leave
    return Act.RESTART, replace(leave, restart_ts=now + min(leave.timeout_ms // 2, LONGEST_RESTART_MS))
