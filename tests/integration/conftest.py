"""Bridges and rooms for the tests that meet the bridge as its users do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.livekit import LiveKit
from bridge.demo.peers.synapse import Synapse
from tests.conftest import wait_in_thread
from tests.support.bridges import LocalBridge, bridge_settings
from tests.support.cards import Salon
from tests.support.slots import Slots
from tests.support.webhook_relay import WebhookRelay

BRISK: dict[str, Any] = {
    "calls": {"grace": "1s", "clock": "1s"},
    "bot": {"organisation": "Testbourg"},
    "policy": {"@*-stranger*:*": "none"},
}
"""Settings under which what takes minutes in life takes seconds."""


@pytest.fixture(scope="session")
def brisk(
    tmp_path_factory: pytest.TempPathFactory,
    synapse: Synapse,
    livekit: LiveKit,
    slots: Slots,
    webhook_relay: WebhookRelay,
) -> Iterator[LocalBridge]:
    """A shared bridge whose grace and clock are short. A test that stops it makes its own."""
    with slots.lease() as slot, webhook_relay.route(f"{slot.internal_url}/livekit/webhook") as route:
        settings = bridge_settings(synapse, livekit, slot, BRISK)
        made = LocalBridge(tmp_path_factory.mktemp("brisk"), slot, route, settings)
        wait_in_thread(made.start())
        yield made
        wait_in_thread(made.stop())


@pytest.fixture
async def salon(brisk: LocalBridge, alice: MatrixUser) -> Salon:
    """Alice's room with the bot in it, greeted already."""
    return await Salon.made_by(alice, brisk.bot_id, name="Équipe")
