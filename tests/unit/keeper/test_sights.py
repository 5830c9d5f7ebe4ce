"""As few questions to the SFU as will do, and none about meetings that are none of our business."""

from __future__ import annotations

import asyncio

from bridge.calls.model import Call, CallState
from bridge.calls.observation import UNREACHABLE
from bridge.calls.ports import Sight
from bridge.keeper.sights import Sights
from tests.support.office import T0, FakeProvider, a_call, seen


class Watcher:
    """Sights of a provider in memory."""

    def __init__(self) -> None:
        self.provider = FakeProvider()
        self.now = T0
        self.sights = Sights({"livekit": self.provider}, lambda: self.now)

    async def look(self, *calls: Call) -> list[object]:
        round_ = await self.sights.round(calls)
        return list(await asyncio.gather(*(round_.look(call) for call in calls)))


def in_room(sfu_room: str | None, call_id: str = "c1", **fields: object) -> Call:
    return a_call(id=call_id, sfu_room=sfu_room, **fields)


async def test_one_question_finds_the_rooms_that_nobody_can_be_in() -> None:
    watcher = Watcher()
    watcher.provider.inside["r2"] = (seen("ada"),)
    looks = await watcher.look(*(in_room(f"r{number}", f"c{number}") for number in range(4)))
    assert watcher.provider.done == [("occupied", "c0", "c1", "c2", "c3"), ("who", "c2")]
    assert looks == [Sight(), Sight(), Sight((seen("ada"),)), Sight()]


async def test_one_room_alone_is_asked_about_at_once_however_many_follow_it() -> None:
    watcher = Watcher()
    await watcher.look(*(in_room("r", f"c{number}") for number in range(4)))
    assert watcher.provider.done == [("who", "c0")]


async def test_each_round_asks_anew() -> None:
    watcher = Watcher()
    await watcher.look(in_room("r"))
    watcher.provider.inside["r"] = (seen("ada"),)
    assert await watcher.look(in_room("r")) == [Sight((seen("ada"),))]


async def test_what_has_no_room_or_cannot_be_seen_is_not_asked_about() -> None:
    watcher = Watcher()
    looks = await watcher.look(in_room(None), in_room("r", unseen=True))
    assert looks == [Sight(), Sight()]
    assert watcher.provider.done == []


async def test_a_silent_sfu_is_left_in_peace_for_a_moment() -> None:
    watcher = Watcher()
    watcher.provider.away = True
    calls = [in_room(f"r{number}", f"c{number}", state=CallState.ACTIVE) for number in range(10)]
    assert await watcher.look(*calls) == [UNREACHABLE] * 10
    assert len(watcher.provider.done) == 1
    watcher.provider.away = False
    assert await watcher.look(calls[0]) == [UNREACHABLE]
    watcher.now += 2_000
    assert await watcher.look(calls[0]) == [Sight()]


async def test_a_provider_that_is_not_there_any_more_cannot_be_asked() -> None:
    watcher = Watcher()
    assert await watcher.look(in_room("r", provider="gone")) == [UNREACHABLE]


async def test_calls_of_one_room_are_looked_at_together_from_then_on() -> None:
    watcher = Watcher()
    one, other, elsewhere = in_room("r", "c1"), in_room("r", "c2"), in_room("q", "c3")
    round_ = await watcher.sights.round([one, other, elsewhere])
    assert round_.together(one, 1_000) == 1_000
    assert round_.together(other, 1_007) == 1_000
    assert round_.together(elsewhere, 1_007) == 1_007
    assert round_.together(other, 500) == 500
    assert round_.together(other, None) is None
    assert round_.together(in_room(None), 2_000) == 2_000
