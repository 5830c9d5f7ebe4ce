"""How many events a second are taken in, durably, against mautrix's ``AppService``, which forgets them.

The homeserver's side is one connection with one transaction of a hundred events in flight, as Synapse
sends. Two of ours are measured: the intake alone (told, filtered, committed, answered), and the whole
bridge with what it does next in the same process. mautrix answers before its handlers have run, so its time
ends when the last one has; ours of the intake ends with the last 200, when everything is on disk.

With one transaction in flight, most of our time is the way here, to the database and its disk and back, which
no computing saves: how much stands in the lines of the floor (`tests.benchmarks.intake_floor`), which is what
any durable service could reach, and what of it we reach. What computing saves is in a line of its own: the
processor time of an event.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import asdict
from functools import partial
from typing import cast

import aiohttp

from appservice import rooms
from appservice.clock import wall_clock
from appservice.database import Database
from appservice.rooms import RoomFacts
from bridge.demo.peers.passerelle import Passerelle
from bridge.store.migrate import migrate
from tests.benchmarks.intake_load import Load, Outcome
from tests.benchmarks.intake_ours import HS_TOKEN
from tests.benchmarks.processes import ROOT, Program
from tests.benchmarks.report import Row, Target, per_second, progress, ratio
from tests.benchmarks.resident import Resident
from tests.benchmarks.traffic import BATCH, Kind, Traffic
from tests.benchmarks.world import KINDS, World
from tests.benchmarks.world import Kind as DatabaseKind
from tests.support.waiting import until

ROUNDS = 9
OURS = (5, BATCH)
SHARES = {5: "5 in 100 ours", BATCH: "all ours"}
TARGET = Target("≥", 10)
OF_FLOOR = Target("≥", 0.65)
_WARM_UP = 20
_TRANSACTIONS = {5: 120, BATCH: 40}
_PEER_TRANSACTIONS = 30
_WHOLE_TRANSACTIONS = 30
_WHOLE_ROUNDS = 3
_HANDLED = 'passerelle_inbox_seconds_count{outcome="done"} '


class Computing:
    """What a server computes while it is sent to: its own process, not the database's."""

    def __init__(self, server: Program) -> None:
        self._seen = Resident(server.pid)
        self._events = 0
        self._cpu_s = 0.0

    @contextmanager
    def during(self, transactions: int) -> Iterator[None]:
        """Count the processor time of the block, in which so many transactions are sent."""
        self._seen.look()
        before = self._seen.cpu_s
        yield
        self._seen.look()
        self._cpu_s += self._seen.cpu_s - before
        self._events += transactions * BATCH

    @property
    def per_event_us(self) -> float:
        """Microseconds for each event."""
        return self._cpu_s / self._events * 1e6


class Homeserver:
    """The process that sends; see `tests.benchmarks.intake_load`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._handled: dict[int, int] = {}

    async def send(
        self,
        port: int,
        transactions: int,
        *,
        ours: int = 5,
        kind: Kind = "command",
        rooms: int = 200,
        token: str = HS_TOKEN,
    ) -> float:
        """Send, and answer how many events a second were acknowledged."""
        load = Load(port=port, token=token, transactions=transactions, ours=ours, kind=kind, rooms=rooms)
        return transactions * BATCH / (await self._send(load))["acknowledged_s"]

    async def send_to_peer(self, port: int, transactions: int) -> float:
        """Send to mautrix, and answer how many events a second were acknowledged and handled."""
        total = self._handled[port] = self._handled.get(port, 0) + transactions * BATCH
        load = Load(
            port=port, token=HS_TOKEN, transactions=transactions, handled_path=f"/handled?events={total}"
        )
        return transactions * BATCH / (await self._send(load))["handled_s"]

    async def _send(self, load: Load) -> Outcome:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(load)).encode() + b"\n")
        answer = await self._process.stdout.readline()
        assert answer, "the sending process ended"
        return cast(Outcome, json.loads(answer))


@asynccontextmanager
async def homeserver() -> AsyncIterator[Homeserver]:
    """The sending process, for the time of the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.intake_load"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Homeserver(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def measure(world: World) -> list[Row]:
    """See the module."""
    rows = await _intake_alone(world)
    return [*rows, await _whole_bridge(world)]


async def _intake_alone(world: World) -> list[Row]:
    peer = await world.run(Program("intake_mautrix", world.folder / "intake-mautrix"))
    ours = {
        kind: await world.run(
            Program(
                "intake_ours",
                world.folder / f"intake-{kind}",
                await world.new_database(kind, "intake"),
                name=f"intake on {kind}",
            )
        )
        for kind in KINDS
    }
    empty = await world.new_database("PostgreSQL")
    floor = await world.run(Program("intake_floor", world.folder / "intake-floor", empty))
    peers: list[float] = []
    floors: list[float] = []
    rates: dict[tuple[DatabaseKind, int], list[float]] = {
        (kind, share): [] for kind in KINDS for share in OURS
    }
    async with homeserver() as sender:
        await sender.send_to_peer(peer.port, _WARM_UP)
        for server in (floor, *ours.values()):
            await sender.send(server.port, _WARM_UP)
        progress(f"sending, {ROUNDS} rounds")
        computed = {server.name: Computing(server) for server in (peer, *ours.values())}
        for _ in range(ROUNDS):
            with computed[peer.name].during(_PEER_TRANSACTIONS):
                peers.append(await sender.send_to_peer(peer.port, _PEER_TRANSACTIONS))
            floors.append(await sender.send(floor.port, _TRANSACTIONS[OURS[0]]))
            for (kind, share), measured in rates.items():
                count = _TRANSACTIONS[share]
                told = computed[ours[kind].name].during(count) if share == OURS[0] else nullcontext()
                with told:
                    measured.append(await sender.send(ours[kind].port, count, ours=share))
    for server in (peer, floor, *ours.values()):
        await server.stop()
    theirs = computed.pop(peer.name).per_event_us
    return [
        *_against_peer(rates, peers),
        *_against_floor(rates["PostgreSQL", OURS[0]], floors, peers),
        *(
            Row(
                f"processor time of an event, {kind}, {SHARES[OURS[0]]}",
                theirs / computed[server.name].per_event_us,
                f"{computed[server.name].per_event_us:.1f} µs",
                f"mautrix AppService {theirs:.1f} µs",
            )
            for kind, server in ours.items()
        ),
    ]


def _against_peer(rates: Mapping[tuple[DatabaseKind, int], list[float]], peers: list[float]) -> list[Row]:
    return [
        Row(
            f"events taken in durably, {kind}, {SHARES[share]}",
            ratio(measured, peers),
            per_second(measured),
            f"mautrix AppService {per_second(peers)}",
            TARGET if (kind, share) == ("PostgreSQL", OURS[0]) else None,
        )
        for (kind, share), measured in rates.items()
    ]


def _against_floor(measured: list[float], floors: list[float], peers: list[float]) -> list[Row]:
    return [
        Row(
            f"the floor: committed without a look at the events, PostgreSQL, {SHARES[OURS[0]]}",
            ratio(floors, peers),
            per_second(floors),
            f"mautrix AppService {per_second(peers)}",
        ),
        Row(
            f"events taken in durably, PostgreSQL, {SHARES[OURS[0]]}",
            ratio(measured, floors),
            per_second(measured),
            f"the floor {per_second(floors)}",
            OF_FLOOR,
        ),
    ]


async def _whole_bridge(world: World) -> Row:
    """The same with the whole bridge, which begins to handle while it is still being told."""
    traffic = Traffic(5, "power_levels")
    url = await world.new_database("PostgreSQL", "intake-whole")
    database = Database.open(url)
    await migrate(database)
    async with database.begin() as connection:
        for room_id in traffic.room_ids():
            await rooms.store(connection, RoomFacts(room_id, "join", fetched_ts=wall_clock()))
    await database.close()
    bridge = await world.new_bridge("PostgreSQL", url, quiet=True)
    token = world.slots["quiet PostgreSQL"].registration.hs_token
    acknowledged: list[float] = []
    handled: list[float] = []
    async with bridge, homeserver() as sender:
        for number in range(_WHOLE_ROUNDS):
            ours = (number + 1) * _WHOLE_TRANSACTIONS * 5
            started = time.perf_counter()
            acknowledged.append(
                await sender.send(port_of(bridge), _WHOLE_TRANSACTIONS, kind="power_levels", token=token)
            )
            await until(partial(has_handled, bridge, ours), 60)
            handled.append(_WHOLE_TRANSACTIONS * BATCH / (time.perf_counter() - started))
    return Row(
        "events taken in and handled, PostgreSQL, 5 in 100 ours",
        statistics.median(handled),
        f"the whole bridge; taken in at {per_second(acknowledged)}",
        unit="/s",
    )


async def has_handled(bridge: Passerelle, events: int) -> bool:
    """Whether a bridge has handled so many events since its start."""
    return await _handled_by(bridge) >= events


async def _handled_by(bridge: Passerelle) -> int:
    """How many events the bridge has handled since its start, as its metrics say."""
    async with aiohttp.ClientSession() as session, session.get(f"{bridge.internal_url}/metrics") as answer:
        for line in (await answer.text()).splitlines():
            if line.startswith(_HANDLED):
                return int(float(line.removeprefix(_HANDLED)))
    return 0


def port_of(bridge: Passerelle) -> int:
    """Where the homeserver reaches a bridge."""
    return int(bridge.internal_url.rpartition(":")[2])
