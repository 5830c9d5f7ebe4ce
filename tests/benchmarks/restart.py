"""How long a restart takes in which thousands of calls have to be looked at, and how much memory.

The bridge was down. Most calls are as they were: for half of them the SFU still has an empty room, for the
others none. In some somebody has come in whom their card does not show. All is right again once the bridge
has asked about every call, and every card that differs says in the room what it should.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass

from bridge.demo.matrix_user import Event
from bridge.demo.peers.passerelle import Passerelle
from bridge.sfu.client import Sfu
from tests.benchmarks.joins import join, key_of
from tests.benchmarks.report import Row, Target, progress
from tests.benchmarks.resident import resident
from tests.benchmarks.rooms import names_on, open_call
from tests.benchmarks.seeding import MOST, every_other, seed, seeded_sfu_rooms
from tests.benchmarks.stopwatch import sight
from tests.benchmarks.witness import Witness
from tests.benchmarks.world import KINDS, Kind, World

CALLS = 2_000
DIFFERENT = 20
RUNS = 3
SECONDS = Target("≤", 10, "s")
MEMORY = Target("≤", 150, "MiB")
_PATIENCE_S = 120.0
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Outcome:
    """One restart: seconds until all is right, of the clock and of the processor, and MiB at most."""

    seconds: float
    cpu_s: float
    memory: float


async def measure(world: World) -> list[Row]:
    """See the module."""
    rows: list[Row] = []
    for kind in KINDS:
        outcomes = await _restarts(world, kind)
        seconds = [outcome.seconds for outcome in outcomes]
        memory = [outcome.memory for outcome in outcomes]
        what = f"restart with {CALLS:,} open calls, {kind}"
        each = ", ".join(f"{outcome.seconds:.1f} s (CPU {outcome.cpu_s:.1f} s)" for outcome in outcomes)
        rows.append(
            Row(f"{what}: all right again", statistics.median(seconds), each, target=SECONDS, unit="s")
        )
        most = ", ".join(f"{size:.0f} MiB" for size in memory)
        rows.append(Row(f"{what}: memory at most", max(memory), most, target=MEMORY, unit="MiB"))
    return rows


async def _restarts(world: World, kind: Kind) -> list[Outcome]:
    user, livekit = await world.user(), await world.livekit()
    url = await world.new_database(kind, "restart")
    async with Witness(livekit) as witness, AsyncExitStack() as inside:
        over = {"sfu": {"api_url": witness.url}}
        bridge = await world.new_bridge(kind, url, quiet=True, over=over)
        async with bridge:
            room_ids = await world.rooms(f"quiet {kind}", DIFFERENT)
            occupied = {room_id: await open_call(user, room_id) for room_id in room_ids}
        progress(f"{CALLS:,} calls into {kind}")
        await seed(url, rooms_known=CALLS - DIFFERENT, calls_open=CALLS - DIFFERENT)
        seeded = seeded_sfu_rooms(CALLS - DIFFERENT)
        async with Sfu(livekit.api_url, key_of(livekit)) as sfu:
            await make_sfu_rooms(sfu, every_other(seeded))
        for number, sfu_room in enumerate(occupied.values()):
            guest = await join(livekit, sfu_room, _name(number))
            inside.push_async_callback(guest.disconnect)
        rooms = [*seeded, *occupied.values()]
        outcomes = []
        for run in range(RUNS):
            copy = await world.copy_of_database(kind, url, f"restart-{run}")
            bridge.settings["database"] = {"url": copy}
            witness.forget()
            outcomes.append(await _restart(world, bridge, witness, room_ids, rooms))
        return outcomes


async def _restart(
    world: World, bridge: Passerelle, witness: Witness, room_ids: list[str], rooms: list[str]
) -> Outcome:
    user = await world.user()
    with ExitStack() as stack:
        sights = [
            stack.enter_context(sight(user, room_id, _naming(_name(number))))
            for number, room_id in enumerate(room_ids)
        ]
        started = time.perf_counter()
        bridge.launch()
        stack.callback(bridge.kill)
        async with resident(bridge.pid) as memory, asyncio.timeout(_PATIENCE_S):
            await witness.wait_for_looks(rooms, 1)
            looked = time.perf_counter()
            written = max(await asyncio.gather(*sights))
    return Outcome(max(looked, written) - started, memory.cpu_s, memory.most)


def _name(number: int) -> str:
    return f"Marie {number}"


def _naming(name: str) -> Callable[[Event], bool]:
    return lambda event: name in names_on(event)


async def make_sfu_rooms(sfu: Sfu, names: Sequence[str]) -> None:
    """Make empty SFU rooms that last."""
    for start in range(0, len(names), _AT_ONCE):
        await asyncio.gather(
            *(
                sfu.create_room(
                    name, empty_timeout_ms=3_600_000, departure_timeout_ms=3_600_000, max_participants=MOST
                )
                for name in names[start : start + _AT_ONCE]
            )
        )
