"""How long from joining in the SFU to the name on the card, against a webhook's arrival and one edit."""

from __future__ import annotations

import asyncio
import time

import aiohttp
from livekit import rtc

from bridge.demo.matrix_user import Event
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


async def measure(world: World) -> list[Row]:
    """See the module.

    Each measurement is the first join of a call of its own, so that no card has to spare its edits. Time
    runs from when the participant's SDK says that it is connected, so that the connecting, which is most of
    it and the same for both, does not hide the difference.
    """
    user, livekit = await world.user(), await world.livekit()
    total = PAIRS + _WARM_UP
    for kind in KINDS:
        await world.bridge(kind)
    places = await _places(world, total)

    async def one(name: str, number: int) -> float:
        room_id, sfu_room = places[name][number]
        person = f"Marie {number}"

        def shown(event: Event) -> bool:
            if name == "floor":
                return bool(event["content"].get("m.new_content", {}).get("body") == person)
            return person in names_on(event)

        with sight(user, room_id, shown) as seen:
            guest = await join(livekit, sfu_room, person)
            joined = time.perf_counter()
            async with asyncio.timeout(PATIENCE_S):
                duration = await seen - joined
        await guest.disconnect()
        await asyncio.sleep(SETTLE_S)
        return duration

    seconds: dict[str, list[float]] = {name: [] for name in places}
    progress(f"{PAIRS} pairs")
    for number in range(total):
        for name in in_turn(seconds, number):
            duration = await one(name, number)
            if number >= _WARM_UP:
                seconds[name].append(duration)
    floor = seconds.pop("floor")
    return [
        Row(
            f"join in the SFU → name on the card, {kind}",
            ratio(measured, floor),
            milliseconds(measured),
            f"webhook + one edit {milliseconds(floor)}",
            TARGET,
        )
        for kind, measured in seconds.items()
    ]


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
