"""Looking into a bridge from outside: what its health check tells, and what its database still holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import aiohttp
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from appservice.tables import inbox, outbox
from tests.support.bridges import LocalBridge
from tests.support.chaos_scene import CLOCK_S, Talk
from tests.support.waiting import until


def settings(database_url: str) -> dict[str, Any]:
    """A bridge on this database, with the chaos tests' short clock."""
    return {
        "database": {"url": database_url},
        "calls": {"clock": f"{CLOCK_S}s"},
        "limits": {"answers_per_minute": 0},
    }


async def health(bridge: LocalBridge) -> tuple[int, dict[str, Any]]:
    """Status and body of ``/health/ready``."""
    timeout = aiohttp.ClientTimeout(total=8)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(f"{bridge.internal_url}/health/ready") as response,
    ):
        return response.status, await response.json()


async def health_becomes(bridge: LocalBridge, status: int, timeout: float = 15, **states: str) -> None:
    """Wait until the health check answers so.

    Raises:
        AssertionError: It did not; the message says what it answers.
    """

    async def so() -> bool:
        found, body = await health(bridge)
        return found == status and body.items() >= states.items()

    try:
        await until(so, timeout, poll=0.1)
    except TimeoutError:
        raise AssertionError(
            f"/health/ready answers {await health(bridge)} instead of {status} {states}"
        ) from None


async def left_over(database_url: str) -> dict[str, int]:
    """How much of its inbox and outbox a bridge has not worked off, quarantine included."""
    counts = {
        "inbox": sa.select(sa.func.count()).select_from(inbox).where(inbox.c.state != "done"),
        "outbox": sa.select(sa.func.count()).select_from(outbox),
    }
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        found = {name: (await connection.execute(query)).scalar_one() for name, query in counts.items()}
    await engine.dispose()
    return found


async def worked_off(database_url: str, timeout: float = 15) -> None:
    """Wait until a running bridge has nothing left to do.

    Raises:
        AssertionError: It has; the message says what.
    """

    async def done() -> bool:
        return not any((await left_over(database_url)).values())

    try:
        await until(done, timeout, poll=0.1)
    except TimeoutError:
        raise AssertionError(f"still to do: {await left_over(database_url)}") from None


async def nothing_is_left(bridge: LocalBridge, database_url: str, talks: Iterable[Talk]) -> None:
    """Assert that nothing waits in a bridge; start it anew and assert that nothing comes late.

    A room is written to in order, so nothing comes after the answer to a last question.
    """
    await worked_off(database_url)
    code = await bridge.stop()
    assert code == 0, f"the bridge ended with {code}"
    await bridge.start()
    for talk in talks:
        await talk.ask("!visio ping")
    for talk in talks:
        await talk.settle(15)
