from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.office import an_office
from tests.unit.chat.front import Front


@pytest.fixture
async def front(sqlite_url: str) -> AsyncIterator[Front]:
    """The handler of rooms' events, with the keeper behind it."""
    async with an_office(sqlite_url) as office:
        yield Front(office)
