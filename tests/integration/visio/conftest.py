"""A bridge whose meetings are Visio's, and a room with its bot."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from bridge.demo.matrix_user import MatrixUser
from bridge.demo.visio.stand_in import StandIn
from tests.conftest import ShareBridge
from tests.support.bridges import LocalBridge
from tests.support.cards import Salon


def with_visio(visio: StandIn, **over: Any) -> dict[str, Any]:
    """Settings of a bridge whose meetings are made by this Visio; ``over`` is laid over its section."""
    section = visio.settings(**{"access_level": "public", "adopt_links": "always", **over})
    return {
        "calls": {"provider": "visio", "grace": "1s", "clock": "1s"},
        "bot": {"organisation": "Testbourg"},
        "policy": {"@*-stranger*:*": "none"},
        "limits": {"answers_per_minute": 1000},
        "visio": section,
    }


async def many_salons(user: MatrixUser, bot_id: str, count: int) -> list[Salon]:
    """So many rooms with the bot in them, greeted already."""
    # One after the other: in one millisecond the same person makes the same room twice, by its id (MSC4291).
    salons = [Salon(user, await user.create_room(invite=[bot_id]), bot_id) for _ in range(count)]
    await asyncio.gather(*(salon.greeting() for salon in salons))
    return salons


@pytest.fixture(scope="session")
def visio_bridge(share_bridge: ShareBridge, visio: StandIn) -> Iterator[LocalBridge]:
    """A shared bridge with Visio, whose grace and clock are short. A test that stops it makes its own."""
    with share_bridge("visio-bridge", with_visio(visio)) as made:
        yield made


@pytest.fixture
async def salon(visio_bridge: LocalBridge, alice: MatrixUser) -> Salon:
    """Alice's room with the bot in it, greeted already."""
    return await Salon.made_by(alice, visio_bridge.bot_id, name="Équipe")
