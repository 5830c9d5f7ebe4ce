"""Bridges and rooms for the tests that meet the bridge as its users do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bridge.demo.matrix_user import MatrixUser
from tests.conftest import ShareBridge
from tests.support.bridges import LocalBridge
from tests.support.cards import Salon

BRISK: dict[str, Any] = {
    "calls": {"grace": "1s", "clock": "1s"},
    "bot": {"organisation": "Testbourg"},
    "policy": {"@*-stranger*:*": "none"},
}
"""Settings under which what takes minutes in life takes seconds."""


@pytest.fixture(scope="session")
def brisk(share_bridge: ShareBridge) -> Iterator[LocalBridge]:
    """A shared bridge whose grace and clock are short. A test that stops it makes its own."""
    with share_bridge("brisk", BRISK) as made:
        yield made


@pytest.fixture
async def salon(brisk: LocalBridge, alice: MatrixUser) -> Salon:
    """Alice's room with the bot in it, greeted already."""
    return await Salon.made_by(alice, brisk.bot_id, name="Équipe")
