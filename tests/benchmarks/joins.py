"""How long from joining in the SFU to the name on the card, against a webhook's arrival and one edit."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import aiohttp
from livekit import rtc

from bridge.demo.matrix_user import Event, MatrixUser
from bridge.demo.peers.livekit import LiveKit
from bridge.sfu.client import Sfu, now_ms
from bridge.sfu.tokens import ApiKey, JoinPass, join_token
from tests.benchmarks.report import Row, Target, milliseconds, progress, ratio
from tests.benchmarks.rooms import names_on, open_call
from tests.benchmarks.stopwatch import PATIENCE_S, SETTLE_S, in_turn, sight
from tests.benchmarks.world import KINDS, World

PAIRS = 30
TARGET = Target("≤", 1.5)
_WARM_UP = 2


@dataclass(frozen=True, slots=True)
class Duration:
    """Seconds until the name was seen on the card.

    Attributes:
        since_join: Since the SFU took the participant in, by its own clock, which is also ours.
        since_connected: Since the participant's SDK said that it is connected. The SFU's webhook leaves at
            about the same time, so the connecting, which is the same for all, is not in it; but who of the
            two is first is chance, so it may be negative.
    """

    since_join: float
    since_connected: float


async def measure(world: World) -> list[Row]:
    """See the module.

    Each measurement is the first join of a call of its own, so that no card has to spare its edits.
    """
    user, livekit = await world.user(), await world.livekit()
    total = PAIRS + _WARM_UP
    for kind in KINDS:
        await world.bridge(kind)
    places = await _places(world, total)
    durations: dict[str, list[Duration]] = {name: [] for name in places}
    progress(f"{PAIRS} pairs")
    async with Sfu(livekit.api_url, key_of(livekit)) as sfu:
        for number in range(total):
            for name in in_turn(durations, number):
                room_id, sfu_room = places[name][number]
                duration = await _one(user, livekit, sfu, room_id, sfu_room, f"Marie {number}")
                if number >= _WARM_UP:
                    durations[name].append(duration)
    floor = durations.pop("floor")
    return [row for kind, measured in durations.items() for row in _rows(kind, measured, floor)]


def _rows(kind: str, ours: Sequence[Duration], floor: Sequence[Duration]) -> Iterator[Row]:
    since_join = [d.since_join for d in ours], [d.since_join for d in floor]
    yield Row(
        f"join in the SFU → name on the card, {kind}",
        ratio(*since_join),
        milliseconds(since_join[0]),
        f"webhook + one edit {milliseconds(since_join[1])}",
        TARGET,
    )
    connected = [d.since_connected for d in ours], [d.since_connected for d in floor]
    yield Row(
        "the same without the time of connecting",
        statistics.median(connected[0]) / statistics.median(connected[1]),
        milliseconds(connected[0]),
        f"webhook + one edit {milliseconds(connected[1])}",
    )


async def _one(
    user: MatrixUser, livekit: LiveKit, sfu: Sfu, room_id: str, sfu_room: str, name: str
) -> Duration:
    def shown(event: Event) -> bool:
        # The floor's edit has nothing but the name.
        return name in names_on(event) or event["content"].get("m.new_content", {}).get("body") == name

    with sight(user, room_id, shown) as seen:
        guest = await join(livekit, sfu_room, name)
        connected = time.perf_counter()
        async with asyncio.timeout(PATIENCE_S):
            at = await seen
    # From one clock to the other: the SFU tells the time of day.
    at_ms = now_ms() - (time.perf_counter() - at) * 1000
    joined_ms = (await sfu.participants(sfu_room))[0].joined_ts
    await guest.disconnect()
    await asyncio.sleep(SETTLE_S)
    return Duration((at_ms - joined_ms) / 1000, at - connected)


async def join(livekit: LiveKit, sfu_room: str, name: str) -> rtc.Room:
    """Somebody who connects to an SFU room, without camera and microphone."""
    ticket = JoinPass(sfu_room, f"guest-{name.replace(' ', '-')}", name, ttl_ms=60_000)
    guest = rtc.Room()
    options = rtc.RoomOptions(rtc_config=rtc.RtcConfiguration(ice_servers=[]))
    await guest.connect(livekit.url, join_token(key_of(livekit), ticket, now_ms()), options)
    return guest


def key_of(livekit: LiveKit) -> ApiKey:
    """The key pair of the SFU."""
    return ApiKey(livekit.key, livekit.secret)


async def _places(world: World, count: int) -> dict[str, list[tuple[str, str]]]:
    """For each who is measured: Matrix rooms, each with an SFU room that somebody may join."""
    user, livekit, floor = await world.user(), await world.livekit(), await world.floor()
    places: dict[str, list[tuple[str, str]]] = {"floor": []}
    async with Sfu(livekit.api_url, key_of(livekit)) as sfu, aiohttp.ClientSession() as session:
        for number, room_id in enumerate(await world.rooms("floor", count)):
            sfu_room = f"floor-{number}"
            await sfu.create_room(
                sfu_room, empty_timeout_ms=600_000, departure_timeout_ms=600_000, max_participants=150
            )
            body = {"room_id": room_id, "sfu_room": sfu_room}
            async with session.post(f"{floor.url}/card", json=body) as answer:
                answer.raise_for_status()
            places["floor"].append((room_id, sfu_room))
    for kind in KINDS:
        room_ids = await world.rooms(kind, count)
        places[kind] = [(room_id, await open_call(user, room_id)) for room_id in room_ids]
    return places
