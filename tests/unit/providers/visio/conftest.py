from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bridge.demo.peers.livekit import LiveKit
from bridge.providers.visio.parts import SharedSfu
from bridge.sfu.client import Sfu
from bridge.sfu.tokens import ApiKey


@pytest.fixture
async def shared(livekit: LiveKit) -> AsyncIterator[SharedSfu]:
    key = ApiKey(livekit.key, livekit.secret)
    async with Sfu(livekit.api_url, key) as sfu:
        yield SharedSfu(sfu, key)
