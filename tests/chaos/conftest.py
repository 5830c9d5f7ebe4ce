"""How much chaos: ``make test`` runs each fault once, ``make chaos`` at full length.

``PASSERELLE_CHAOS=full`` means twenty random instants and outages of 20 s; ``PASSERELLE_CHAOS_ROUNDS`` and
``PASSERELLE_CHAOS_SEED`` choose another count and repeat a run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chaos_extent import FULL, Extent

_notes = pytest.StashKey[list[str]]()

LONGEST_S = 1200 if FULL else 300
"""How long one test may take, however busy the machine."""


@pytest.fixture
def extent(request: pytest.FixtureRequest) -> Iterator[Extent]:
    """How much chaos this test makes."""
    extent = Extent.of_this_run()
    extent.note(f"seed {extent.seed}; to repeat: PASSERELLE_CHAOS_SEED={extent.seed}")
    yield extent
    told = request.config.stash.setdefault(_notes, [])
    told += [f"{request.node.name}: {note}" for note in extent.notes]


@pytest.fixture(params=["sqlite", "postgres"] if FULL else ["postgres"])
def some_database_url(request: pytest.FixtureRequest) -> str:
    """An empty database, for faults that have little to do with it: both kinds only at full length."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What the tests have to tell, failed or not."""
    if FULL:
        terminalreporter.section("chaos")
        for note in config.stash.get(_notes, []):
            terminalreporter.line(note)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Servers start and die in these tests: they take longer than others."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(LONGEST_S))
