"""How long the chaos tests go on, where their randomness comes from, and what they tell about themselves."""

from __future__ import annotations

import logging
import os
import secrets
from dataclasses import dataclass, field

FULL = os.environ.get("PASSERELLE_CHAOS") == "full"
"""Whether this is ``make chaos``; otherwise each fault happens once."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much chaos.

    Attributes:
        rounds: How often a process is killed.
        outage_s: How long a server stays away, seconds.
        crowd: How many rooms ask at once.
        seed: Start of everything that is random.
        notes: What a run has to tell, shown at its end.
    """

    rounds: int
    outage_s: float
    crowd: int
    seed: int
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Tell something: a failing test shows it at once, a run at its end."""
        logging.getLogger("chaos").warning(text)
        self.notes.append(text)

    @classmethod
    def of_this_run(cls) -> Extent:
        """As the environment says; ``PASSERELLE_CHAOS_SEED`` repeats a run's random choices."""
        seed = int(os.environ.get("PASSERELLE_CHAOS_SEED") or secrets.randbelow(1_000_000))
        rounds = int(os.environ.get("PASSERELLE_CHAOS_ROUNDS") or (20 if FULL else 1))
        return cls(rounds, outage_s=20 if FULL else 3, crowd=200 if FULL else 12, seed=seed)
