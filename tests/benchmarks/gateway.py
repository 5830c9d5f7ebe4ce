"""The signalling gateway: what joining through it and holding a connection cost, and how fast news is."""

from __future__ import annotations

import asyncio
import secrets
import statistics
import time

import aiohttp
from livekit import rtc

from bridge.demo.peers.livekit import LiveKit
from bridge.demo.peers.ports import HOST
from bridge.rtc.passes import Pass, Passes
from bridge.sfu.client import now_ms
from bridge.sfu.tokens import JoinPass, join_token
from tests.benchmarks.gateway_crowd import QuietSfu, crowd, quiet_sfu, update_of
from tests.benchmarks.joins import key_of
from tests.benchmarks.processes import Program
from tests.benchmarks.report import MIB, Row, Target, milliseconds, progress, ratio
from tests.benchmarks.resident import Resident
from tests.benchmarks.stopwatch import PATIENCE_S, SETTLE_S, in_turn
from tests.benchmarks.world import World

PAIRS = 40
IDLE = 1_000
PEOPLE = 150
ROUNDS = 15
JOINING = Target("≤", 1.05)
MEMORY = Target("≤", 40, "KiB")
NEWS = Target("≤", 250, "ms")
_WARM_UP = 3
_FIRST = 100
"""Connections before memory is looked at first: what the first ones bring in is not each one's."""


async def measure(world: World) -> list[Row]:
    """See the module."""
    return [await _joining(world), *await _crowded(world)]


async def _joining(world: World) -> Row:
    """Until a client of LiveKit's own SDK says that it is connected: one by one, directly and through it."""
    livekit = await world.livekit()
    gateway = await world.run(_gateway(world, "gateway", livekit.url, livekit.key, livekit.secret))
    durations: dict[str, list[float]] = {"direct": [], "gateway": []}
    progress(f"{PAIRS} pairs of joins")
    for number in range(PAIRS + _WARM_UP):
        for way in in_turn(durations, number):
            seconds = await _join(livekit, gateway if way == "gateway" else None)
            if number >= _WARM_UP:
                durations[way].append(seconds)
    return Row(
        "joining through the gateway",
        ratio(durations["gateway"], durations["direct"]),
        milliseconds(durations["gateway"]),
        f"directly {milliseconds(durations['direct'])}",
        JOINING,
    )


async def _join(livekit: LiveKit, gateway: Program | None) -> float:
    room, identity = f"join-{secrets.token_hex(8)}", "@alice:x.example:PHONE"
    if gateway:
        url = gateway.url.replace("http", "ws", 1)
        granted = Pass("@alice:x.example", "PHONE", room, identity, True)
        token = Passes(livekit.secret, now_ms).sign(granted, ttl_ms=60_000)
    else:
        url = livekit.url
        token = join_token(key_of(livekit), JoinPass(room, identity, "", ttl_ms=60_000), now_ms())
    guest = rtc.Room()
    options = rtc.RoomOptions(rtc_config=rtc.RtcConfiguration(ice_servers=[]))
    begun = time.perf_counter()
    await guest.connect(url, token, options)
    seconds = time.perf_counter() - begun
    await guest.disconnect()
    await asyncio.sleep(SETTLE_S)
    return seconds


async def _crowded(world: World) -> list[Row]:
    secret = secrets.token_urlsafe(32)
    async with quiet_sfu() as sfu:
        gateway = await world.run(_gateway(world, "crowded gateway", sfu.url, "key", secret))
        url = f"http://{HOST}:{gateway.port}"
        async with crowd(url, secret) as people:
            progress(f"{IDLE:,} idle connections through the gateway")
            await people.grow(_FIRST, "idle")
            before = await _settled(gateway)
            await people.grow(IDLE, "idle")
            after = await _settled(gateway)
            idle = Row(
                f"memory per idle gateway connection, {IDLE:,} held",
                (after - before) * 1024 / IDLE,
                f"{after:.0f} MiB in all",
                target=MEMORY,
                unit="KiB",
            )
        async with crowd(url, secret) as people:
            sfu.callers.clear()
            await people.grow(PEOPLE, "large")
            progress(f"{ROUNDS} updates about {PEOPLE} people to {PEOPLE} people")
            rows = [
                await _news(sfu, people.sockets, same=False),
                await _news(sfu, people.sockets, same=True),
            ]
    return [idle, *rows]


async def _news(sfu: QuietSfu, sockets: list[aiohttp.ClientWebSocketResponse], *, same: bool) -> Row:
    """Until the last one has it.

    LiveKit writes the same update to everybody, but not always the same bytes: maps have no order. So
    the second kind is an update of which every recipient gets another spelling.
    """
    seconds = []
    for number in range(ROUNDS):
        version = 1 + number + (ROUNDS if same else 0)
        frames = [update_of(PEOPLE, version, 0 if same else each) for each in range(PEOPLE)]
        begun = time.perf_counter()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(
                *(caller.send_bytes(frame) for caller, frame in zip(sfu.callers, frames, strict=True)),
                *(socket.receive() for socket in sockets),
            )
        seconds.append(time.perf_counter() - begun)
    return Row(
        f"an update about {PEOPLE} people to all {PEOPLE}, {'the same bytes' if same else 'each spelt anew'}",
        statistics.median(seconds) * 1000,
        f"{milliseconds(seconds)}, {len(frames[0]) * PEOPLE / MIB:.0f} MiB",
        target=NEWS,
        unit="ms",
    )


async def _settled(gateway: Program) -> float:
    """MiB in use once nothing happens any more."""
    await asyncio.sleep(1)
    async with aiohttp.ClientSession() as session, session.get(f"{gateway.url}/health"):
        memory = Resident(gateway.pid)
        memory.look()
        return memory.now


def _gateway(world: World, name: str, url: str, key: str, secret: str) -> Program:
    return Program("gateway_alone", world.folder / name.replace(" ", "-"), url, key, secret, name=name)
