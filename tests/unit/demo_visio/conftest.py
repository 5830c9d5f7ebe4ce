"""A Visio without an SFU, and a program that asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bridge.demo.visio.stand_in import StandIn
from tests.conftest import MakeVisio
from tests.unit.demo_visio.caller import Caller, calling


@pytest.fixture
def lone(make_visio: MakeVisio) -> StandIn:
    """A Visio without an SFU behind it."""
    return make_visio()


@pytest.fixture
async def caller(lone: StandIn) -> AsyncIterator[Caller]:
    """A program that asks it."""
    async with calling(lone) as made:
        yield made
