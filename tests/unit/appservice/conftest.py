from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.application import BOT, ROOM
from tests.support.fake_homeserver import FakeHomeserver, fake_homeserver


@pytest.fixture
async def homeserver() -> AsyncIterator[FakeHomeserver]:
    """A homeserver that answers, and knows one room with the bot in it."""
    async with fake_homeserver() as server:
        server.add_room(ROOM, BOT)
        yield server
