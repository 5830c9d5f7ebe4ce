"""How long from ``!visio`` to the card, against the floor: the homeserver's push and one send."""

from __future__ import annotations

from bridge.demo.matrix_user import Event
from tests.benchmarks.bare_service import ANSWER, COMMAND
from tests.benchmarks.report import Row, Target, milliseconds, progress, ratio
from tests.benchmarks.rooms import is_card
from tests.benchmarks.stopwatch import in_turn, seconds_until
from tests.benchmarks.world import KINDS, World

PAIRS = 30
TARGET = Target("≤", 1.5)
_WARM_UP = 3


async def measure(world: World) -> list[Row]:
    """See the module. Each measurement has a room of its own, and the three kinds take turns."""
    user = await world.user()
    for kind in KINDS:
        await world.bridge(kind)
    await world.floor()
    total = PAIRS + _WARM_UP
    places = {name: await world.rooms(name, total) for name in ("floor", *KINDS)}

    async def one(name: str, number: int) -> float:
        room_id = places[name][number]
        text, wanted = (COMMAND, _is_answer) if name == "floor" else ("!visio", is_card)
        return await seconds_until(user, room_id, wanted, lambda: user.say(room_id, text))

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
            f"!visio → card, {kind}",
            ratio(measured, floor),
            milliseconds(measured),
            f"push + one send {milliseconds(floor)}",
            TARGET,
        )
        for kind, measured in seconds.items()
    ]


def _is_answer(event: Event) -> bool:
    return bool(event["content"].get("body") == ANSWER)
