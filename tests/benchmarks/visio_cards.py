"""How long from ``!visio`` to the card with a Visio link: the floor, and what Visio's own API takes.

The target is on what is left after Visio's own two requests, a token and a meeting, asked for by a plain
client; once the token is kept, after the one. Visio is the stand-in, on this machine.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp

from bridge.demo.matrix_user import Event
from bridge.demo.visio.stand_in import SERVICE_EMAIL, StandIn, behind
from tests.benchmarks.bare_service import ANSWER, COMMAND
from tests.benchmarks.report import Row, Target, milliseconds, progress
from tests.benchmarks.rooms import is_card
from tests.benchmarks.stopwatch import in_turn, seconds_until
from tests.benchmarks.world import KINDS, World

PAIRS = 20
TARGET = Target("≤", 1.5)
_WARM_UP = 2
_TOKEN_S = 1
"""How long a token lives while each opening is to ask for one of its own."""

Measure = Callable[[str, int], Awaitable[float]]


class PlainClient:
    """Asks Visio as plainly as possible."""

    def __init__(self, visio: StandIn, session: aiohttp.ClientSession) -> None:
        self._visio = visio
        self._session = session
        self._token = ""

    def forget(self) -> None:
        """Ask for a token the next time."""
        self._token = ""

    async def open_meeting(self, *, with_token: bool) -> float:
        """Seconds that Visio takes to make a meeting, and a token for it if that is asked for."""
        started = time.perf_counter()
        if with_token or not self._token:
            application = self._visio.application
            request = {
                "client_id": application.client_id,
                "client_secret": application.client_secret,
                "grant_type": "client_credentials",
                "scope": SERVICE_EMAIL,
            }
            self._token = (await self._post("application/token/", request))["access_token"]
        await self._post("rooms/", {"access_level": "public"}, Authorization=f"Bearer {self._token}")
        return time.perf_counter() - started

    async def _post(self, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
        url = f"{self._visio.url}/external-api/v1.0/{path}"
        async with self._session.post(url, json=body, headers=headers) as response:
            response.raise_for_status()
            answer: dict[str, Any] = await response.json()
            return answer


async def measure(world: World) -> list[Row]:
    """See the module. Each measurement has a room of its own, and all take turns."""
    user, livekit = await world.user(), await world.livekit()
    await world.floor()
    total = 2 * (PAIRS + _WARM_UP)
    async with aiohttp.ClientSession() as session:
        with StandIn(behind(livekit)) as visio:
            plain = PlainClient(visio, session)
            settings = visio.settings(access_level="public")
            bridges = [await world.visio_bridge(kind, settings) for kind in KINDS]
            places: dict[str, list[str]] = {"floor": await world.rooms("floor", total)}
            for kind in KINDS:
                places[kind] = await world.rooms(f"visio {kind}", total)

            async def one(name: str, number: int, with_token: bool) -> float:
                if name == "API":
                    return await plain.open_meeting(with_token=with_token)
                room_id = places[name][number]
                if name == "floor":
                    return await seconds_until(user, room_id, _is_answer, lambda: user.say(room_id, COMMAND))
                return await seconds_until(user, room_id, is_card, lambda: user.say(room_id, "!visio"))

            visio.switches.application_jwt_expiration_seconds = _TOKEN_S
            fresh = await _in_turns(lambda name, number: one(name, number, True), 0, pause_s=_TOKEN_S)
            visio.switches.application_jwt_expiration_seconds = 3600
            plain.forget()
            kept = await _in_turns(lambda name, number: one(name, number, False), total // 2)
            for bridge in bridges:
                await bridge.stop()
    return [*_rows("token and meeting", fresh), *_rows("meeting, token kept", kept)]


async def _in_turns(measure: Measure, first: int, *, pause_s: float = 0) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in ("API", "floor", *KINDS)}
    progress(f"{PAIRS} pairs")
    for number in range(PAIRS + _WARM_UP):
        await asyncio.sleep(pause_s)
        for name in in_turn(seconds, number):
            duration = await measure(name, first + number)
            if number >= _WARM_UP:
                seconds[name].append(duration)
    return seconds


def _rows(what: str, seconds: dict[str, list[float]]) -> list[Row]:
    api, floor = seconds["API"], seconds["floor"]
    peer = f"Visio's API {milliseconds(api)} and push + one send {milliseconds(floor)}"
    return [
        Row(
            f"!visio → card with a Visio link ({what}), less Visio's API, {kind}",
            _beyond(seconds[kind], api, floor),
            milliseconds(seconds[kind]),
            peer,
            TARGET,
        )
        for kind in KINDS
    ]


def _beyond(ours: Sequence[float], api: Sequence[float], floor: Sequence[float]) -> float:
    """Median, within each round, of what is ours alone as a multiple of the floor."""
    return statistics.median((one - a) / f for one, a, f in zip(ours, api, floor, strict=True))


def _is_answer(event: Event) -> bool:
    return bool(event["content"].get("body") == ANSWER)
