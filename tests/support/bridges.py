"""The bridge under test as a process, in one of the places at the shared homeserver."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from bridge.demo.peers.livekit import LiveKit
from bridge.demo.peers.passerelle import Passerelle, merged
from bridge.demo.peers.process import Running
from bridge.demo.peers.synapse import Synapse
from tests.support.forking import Forking
from tests.support.slots import Slot
from tests.support.webhook_relay import Route


class LocalBridge(Passerelle):
    """A bridge between given servers.

    Attributes:
        slot: Its place at the homeserver: bot, ghosts, tokens, ports.
        route: How it gets the SFU's webhooks; a test may lose or double them there.
    """

    def __init__(
        self, folder: Path, slot: Slot, route: Route, settings: Mapping[str, Any], forking: Forking
    ) -> None:
        super().__init__(
            folder, internal_port=slot.internal_port, public_port=slot.public_port, settings=settings
        )
        self.slot = slot
        self.route = route
        self._forking = forking

    def spawn(self, command: list[str]) -> Running:
        """See ``Peer``."""
        environment = {**os.environ, **self.environment()}
        return self._forking.run(command, self.folder, self.log_file, environment)

    @property
    def bot_id(self) -> str:
        """The Matrix id to invite."""
        return self.slot.bot_id


def bridge_settings(
    synapse: Synapse, livekit: LiveKit, slot: Slot, over: Mapping[str, Any]
) -> dict[str, Any]:
    """A configuration against these servers, with ``over`` laid over it."""
    ours = {
        "homeserver": {"url": synapse.url, "server_name": synapse.server_name},
        "appservice": slot.settings(),
        "sfu": {
            "url": livekit.url,
            "api_url": livekit.api_url,
            "key": livekit.key,
            "secret": livekit.secret,
        },
        "calls": {"provider": "livekit"},
    }
    return merged(ours, over)


async def metric(bridge: Passerelle, name: str) -> float:
    """The sum of a metric's values, whatever their labels; 0 if there is none."""
    async with aiohttp.ClientSession() as session, session.get(f"{bridge.internal_url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if re.match(rf"{name}[{{ ]", line))
