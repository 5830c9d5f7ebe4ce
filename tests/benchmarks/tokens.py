"""What a token for a native call costs: ``/sfu/get`` against the OpenID look-up that any such service makes.

The peer is that look-up alone, asked of the same homeserver with the same token. The room has the bot in it,
so that the token is the gateway's, or is one that the bridge knows nothing of, as all are for
lk-jwt-service. (That one is not measured beside it: it cannot be had as a Go module.)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.passerelle import Passerelle
from bridge.demo.peers.synapse import Synapse
from tests.benchmarks.report import Row, Target, milliseconds, per_second, progress, ratio
from tests.benchmarks.resident import Resident
from tests.benchmarks.stopwatch import in_turn
from tests.benchmarks.world import KINDS, Kind, World

PAIRS = 100
ROUNDS = 7
AT_ONCE = 16
REQUESTS = 160
"""In a round."""
LATENCY = Target("≤", 1.75)
RATE = Target("≥", 0.5)
_WARM_UP = 10
_DEVICE = "PHONE"

Ask = Callable[[], Awaitable[None]]


async def measure(world: World) -> list[Row]:
    """See the module."""
    return [row for kind in KINDS for row in await _of_bridge(world, kind)]


async def _of_bridge(world: World, kind: Kind) -> list[Row]:
    user, synapse, bridge = await world.user(), await world.synapse(), await world.native_bridge(kind)
    (with_bot,) = await world.rooms(f"native {kind}", 1)
    places = {"room with the bot": with_bot, "room without": await user.create_room()}
    async with _asking(user, synapse, bridge, places) as asks:
        progress(f"{PAIRS} pairs of tokens and look-ups, {kind}")
        seconds = await _one_by_one(asks)
        progress(f"{ROUNDS} rounds of {REQUESTS}, {AT_ONCE} at once, {kind}")
        process = Resident(bridge.pid)
        process.look()
        before = process.cpu_s
        rates = await _at_once(asks)
        process.look()
    cost = Row(
        f"/sfu/get, processor time of the bridge, {kind}",
        (process.cpu_s - before) * 1000 / (ROUNDS * REQUESTS * len(places)),
        "what the machine's other work changes least",
        unit="ms",
    )
    return [*_latencies(kind, seconds), *_rates(kind, rates), cost]


def _latencies(kind: str, seconds: dict[str, list[float]]) -> list[Row]:
    bare = seconds.pop("look-up")
    return [
        Row(
            f"/sfu/get, {place}, {kind}",
            ratio(measured, bare),
            milliseconds(measured),
            f"OpenID look-up {milliseconds(bare)}",
            LATENCY,
        )
        for place, measured in seconds.items()
    ]


def _rates(kind: str, rates: dict[str, list[float]]) -> list[Row]:
    bare = rates.pop("look-up")
    return [
        Row(
            f"/sfu/get, {AT_ONCE} at once, {place}, {kind}",
            ratio(measured, bare),
            per_second(measured),
            f"OpenID look-up {per_second(bare)}",
            RATE,
        )
        for place, measured in rates.items()
    ]


async def _one_by_one(asks: Mapping[str, Ask]) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in asks}
    for number in range(PAIRS + _WARM_UP):
        for name in in_turn(asks, number):
            begun = time.perf_counter()
            await asks[name]()
            if number >= _WARM_UP:
                seconds[name].append(time.perf_counter() - begun)
    return seconds


async def _at_once(asks: Mapping[str, Ask]) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {name: [] for name in asks}
    for number in range(ROUNDS):
        for name in in_turn(asks, number):
            begun = time.perf_counter()
            await asyncio.gather(*(_repeat(asks[name], REQUESTS // AT_ONCE) for _ in range(AT_ONCE)))
            rates[name].append(REQUESTS / (time.perf_counter() - begun))
    return rates


async def _repeat(ask: Ask, times: int) -> None:
    for _ in range(times):
        await ask()


@asynccontextmanager
async def _asking(
    user: MatrixUser, synapse: Synapse, bridge: Passerelle, places: Mapping[str, str]
) -> AsyncIterator[dict[str, Ask]]:
    """The look-up, and ``/sfu/get`` for each of the rooms; connections are kept, as clients keep them."""
    openid = await user.request("POST", f"/v3/user/{user.user_id}/openid/request_token", {})
    async with aiohttp.ClientSession() as session:

        async def look_up() -> None:
            url = f"{synapse.url}/_matrix/federation/v1/openid/userinfo"
            async with session.get(url, params={"access_token": openid["access_token"]}) as answer:
                assert (await answer.json())["sub"] == user.user_id

        def token_for(room_id: str) -> Ask:
            body = {"room": room_id, "openid_token": openid, "device_id": _DEVICE}
            return lambda: _token(session, bridge, body)

        yield {"look-up": look_up, **{name: token_for(room_id) for name, room_id in places.items()}}


async def _token(session: aiohttp.ClientSession, bridge: Passerelle, body: Mapping[str, Any]) -> None:
    async with session.post(f"{bridge.public_url}/livekit/sfu/get", json=body) as answer:
        assert answer.status == 200, await answer.text()
        assert (await answer.json())["jwt"]
