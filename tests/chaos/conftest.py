"""How long the chaos tests go on, and where their randomness comes from.

``make test`` runs each fault once. ``make chaos`` sets ``PASSERELLE_CHAOS=full``: twenty random instants and
outages of 20 s. ``PASSERELLE_CHAOS_ROUNDS`` and ``PASSERELLE_CHAOS_SEED`` choose a count and repeat a run.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass

import pytest


@dataclass(frozen=True, slots=True)
class Extent:
    """How much chaos.

    Attributes:
        rounds: How often a process is killed.
        outage_s: How long a server stays away, seconds.
        crowd: How many rooms ask at once.
        seed: Start of everything that is random.
    """

    rounds: int
    outage_s: float
    crowd: int
    seed: int


@pytest.fixture
def extent() -> Extent:
    """How much chaos this run makes."""
    seed = int(os.environ.get("PASSERELLE_CHAOS_SEED") or secrets.randbelow(1_000_000))
    full = os.environ.get("PASSERELLE_CHAOS") == "full"
    rounds = int(os.environ.get("PASSERELLE_CHAOS_ROUNDS") or (20 if full else 2))
    return Extent(rounds, outage_s=20 if full else 3, crowd=200 if full else 40, seed=seed)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """At full length a fault takes minutes."""
    if os.environ.get("PASSERELLE_CHAOS") == "full":
        for item in items:
            if "tests/chaos/" in item.nodeid:
                item.add_marker(pytest.mark.timeout(1200))
