"""How much memory the bridge takes with many known rooms and many open calls, once it has settled.

Every call is looked at several times, and thousands of rooms say something that concerns the bridge, so that
whatever is cached is in memory by then.
"""

from __future__ import annotations

import asyncio

from bridge.demo.peers.passerelle import Passerelle
from bridge.sfu.client import Sfu
from tests.benchmarks.intake import has_handled, homeserver, port_of
from tests.benchmarks.joins import key_of
from tests.benchmarks.report import Row, Target, progress
from tests.benchmarks.resident import Resident, resident
from tests.benchmarks.restart import make_sfu_rooms
from tests.benchmarks.seeding import every_other, seed, seeded_sfu_rooms
from tests.benchmarks.traffic import BATCH
from tests.benchmarks.witness import Witness
from tests.benchmarks.world import KINDS, Kind, World
from tests.support.waiting import until

ROOMS = 5_000
CALLS = 500
TARGET = Target("≤", 120, "MiB")
_LOOKS = 3
_EVENTS = 1_000
_CLOCK = "5s"
"""Quicker than by default, so that the looks of a minute take ten seconds."""
_PATIENCE_S = 180.0


async def measure(world: World) -> list[Row]:
    """See the module."""
    rows = []
    for kind in KINDS:
        seen = await _settled(world, kind)
        rows.append(
            Row(
                f"memory with {ROOMS:,} rooms and {CALLS} open calls, {kind}",
                seen.most,
                f"{seen.now:.0f} MiB at the end",
                target=TARGET,
                unit="MiB",
            )
        )
    return rows


async def _settled(world: World, kind: Kind) -> Resident:
    livekit = await world.livekit()
    url = await world.new_database(kind, "memory")
    progress(f"{ROOMS:,} rooms into {kind}")
    await seed(url, rooms_known=ROOMS, calls_open=CALLS)
    sfu_rooms = seeded_sfu_rooms(CALLS)
    async with Sfu(livekit.api_url, key_of(livekit)) as sfu:
        await make_sfu_rooms(sfu, every_other(sfu_rooms))
    async with Witness(livekit) as witness:
        over = {"sfu": {"api_url": witness.url}, "calls": {"clock": _CLOCK}}
        bridge = await world.new_bridge(kind, url, quiet=True, over=over)
        async with bridge, resident(bridge.pid) as memory, asyncio.timeout(_PATIENCE_S):
            await _talk(world, kind, bridge)
            await witness.wait_for_looks(sfu_rooms, _LOOKS)
    return memory


async def _talk(world: World, kind: Kind, bridge: Passerelle) -> None:
    token = world.slots[f"quiet {kind}"].registration.hs_token
    async with homeserver() as sender:
        await sender.send(
            port_of(bridge), _EVENTS // BATCH, ours=BATCH, kind="power_levels", rooms=ROOMS, token=token
        )
    await until(lambda: has_handled(bridge, _EVENTS), _PATIENCE_S)
