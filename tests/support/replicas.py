"""Two bridges in one place at the homeserver, on one PostgreSQL, behind a load balancer."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from appservice.sharding import SHARDS, fair_share
from appservice.tables import shards
from bridge.demo.peers.passerelle import merged
from bridge.demo.peers.ports import HOST, reserve_port
from tests.conftest import MakeBridge
from tests.support.bridges import LocalBridge
from tests.support.chaos_balancer import Backend, Balancer
from tests.support.slots import Slot
from tests.support.waiting import until

Replicas = tuple[LocalBridge, LocalBridge]


@asynccontextmanager
async def two_replicas(
    make_bridge: MakeBridge, slot: Slot, database_url: str, settings: Mapping[str, Any]
) -> AsyncIterator[Replicas]:
    """Two running bridges that share the work evenly; the balancer listens where one would."""
    public = {"database": {"url": database_url}, "web": {"public_url": f"http://{HOST}:{slot.public_port}"}}
    first, second = (
        make_bridge(
            merged(settings, public),
            slot=dataclasses.replace(slot, internal_port=reserve_port(), public_port=reserve_port()),
        )
        for _ in range(2)
    )
    inside = [_backend(each, each.internal_url) for each in (first, second)]
    outside = [_backend(each, f"http://{each.settings['web']['listen']}") for each in (first, second)]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(Balancer(slot.internal_port, inside))
        await stack.enter_async_context(Balancer(slot.public_port, outside))
        await asyncio.gather(first.start(), second.start())
        await until(lambda: all(backend.ready for backend in inside + outside), 20)
        await until(lambda: _is_even(database_url), 20, poll=0.1)
        yield first, second


async def owners(database_url: str) -> Mapping[int, str]:
    """Which replica each shard of rooms belongs to; see `appservice.ownership`."""
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        rows = await connection.execute(sa.select(shards).where(shards.c.owner.is_not(None)))
        found = {int(row.shard): str(row.owner) for row in rows}
    await engine.dispose()
    return found


async def _is_even(database_url: str) -> bool:
    shares = Counter((await owners(database_url)).values()).values()
    return sum(shares) == SHARDS and max(shares) == fair_share(2)


def _backend(bridge: LocalBridge, url: str) -> Backend:
    return Backend(url, f"{bridge.internal_url}/health/ready")
