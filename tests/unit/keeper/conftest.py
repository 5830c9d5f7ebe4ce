from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.office import Office, an_office


@pytest.fixture
async def office(sqlite_url: str) -> AsyncIterator[Office]:
    """The keeper's parts on an empty SQLite database."""
    async with an_office(sqlite_url) as made:
        yield made
