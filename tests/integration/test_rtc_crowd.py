"""The gateway with many people in it: the measurements' figures in small, so that no change loses them."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import aiohttp

from tests.benchmarks.gateway_crowd import crowd, quiet_sfu, update_of
from tests.benchmarks.processes import Program
from tests.benchmarks.report import MIB
from tests.benchmarks.resident import Resident

FIRST, IDLE = 40, 150
MOST_KIB = 50
"""For each connection; the measurement has a thousand, among which what is the process's own counts less."""

PEOPLE, UPDATES = 150, 2
MOST_CPU_S = 0.25
"""For one update to all, in a process that does nothing else: as long as people may wait for it."""


async def settled(gateway: Program) -> Resident:
    """What the process has in use, without its garbage."""
    async with aiohttp.ClientSession() as session, session.get(f"{gateway.url}/health"):
        seen = Resident(gateway.pid)
        seen.look()
        return seen


async def test_many_connections_are_light_and_news_of_a_large_room_cost_little(tmp_path: Path) -> None:
    secret = secrets.token_urlsafe(32)
    async with (
        quiet_sfu() as sfu,
        Program("gateway_alone", tmp_path, sfu.url, "key", secret) as gateway,
        crowd(gateway.url, secret) as idle,
    ):
        await idle.grow(FIRST, "idle")
        before = await settled(gateway)
        await idle.grow(IDLE, "idle")
        after = await settled(gateway)
        assert (after.now - before.now) * MIB / 1024 / IDLE < MOST_KIB

        sfu.callers.clear()
        async with crowd(gateway.url, secret) as people:
            await people.grow(PEOPLE, "large")
            before = await settled(gateway)
            for version in range(1, UPDATES + 1):
                frames = [update_of(PEOPLE, version, number) for number in range(PEOPLE)]
                received = asyncio.gather(*(socket.receive() for socket in people.sockets))
                for caller, frame in zip(sfu.callers, frames, strict=True):
                    await caller.send_bytes(frame)
                messages = await received
                # Everybody else is shown as a ghost by now.
                assert all(
                    b"@visio_" in message.data and b"visio-0" not in message.data for message in messages
                )
            after = await settled(gateway)
        assert (after.cpu_s - before.cpu_s) / UPDATES < MOST_CPU_S
