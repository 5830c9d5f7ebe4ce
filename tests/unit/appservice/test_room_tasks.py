from __future__ import annotations

import asyncio
from collections.abc import Iterable

import structlog.testing

from appservice.ownership import NotOwner
from appservice.room_tasks import RoomTasks
from tests.support.waiting import until


class Rooms:
    """Rooms with work in them; ``look_every_s`` is so long that nothing happens by itself."""

    def __init__(self, at_once: int = 2) -> None:
        self.ran: list[str] = []
        self.at_work = 0
        self.most_at_work = 0
        self.waits: dict[str, list[int | Exception | None]] = {}
        self.held: dict[str, asyncio.Event] = {}
        self.waiting: list[str] = []
        self.looks = 0
        self.tasks = RoomTasks(self.drain, self.find, at_once=at_once, look_every_s=3600, name="test")

    async def drain(self, room_id: str) -> int | None:
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            self.ran.append(room_id)
            if room_id in self.held:
                await self.held[room_id].wait()
            left = self.waits.get(room_id)
            result = left.pop(0) if left else None
            if isinstance(result, Exception):
                raise result
            return result
        finally:
            self.at_work -= 1

    async def find(self) -> Iterable[str]:
        self.looks += 1
        return list(self.waiting)


async def test_a_room_is_never_worked_on_twice_at_a_time_and_no_poke_is_missed() -> None:
    rooms = Rooms(at_once=8)
    rooms.held["a"] = asyncio.Event()
    rooms.tasks.poke("a")
    await until(lambda: rooms.ran == ["a"])
    for _ in range(5):
        rooms.tasks.poke("a")
    rooms.held.pop("a").set()
    await until(lambda: rooms.tasks.busy == 0)
    assert rooms.ran == ["a", "a"]
    assert rooms.most_at_work == 1


async def test_so_many_rooms_are_worked_on_at_once_and_no_more() -> None:
    rooms = Rooms(at_once=3)
    for number in range(20):
        rooms.held[str(number)] = asyncio.Event()
        rooms.tasks.poke(str(number))
    await until(lambda: len(rooms.ran) == 3)
    assert rooms.tasks.busy == 20
    for held in rooms.held.values():
        held.set()
    await until(lambda: rooms.tasks.busy == 0)
    assert rooms.most_at_work == 3
    assert rooms.ran == [str(number) for number in range(20)]


async def test_a_room_that_has_to_wait_comes_again_by_itself_and_sooner_when_poked() -> None:
    rooms = Rooms()
    rooms.waits = {"soon": [20, None], "late": [60_000, None]}
    rooms.tasks.poke("soon")
    rooms.tasks.poke("late")
    await until(lambda: rooms.ran.count("soon") == 2)
    assert rooms.ran.count("late") == 1
    rooms.tasks.poke("late")
    await until(lambda: rooms.ran.count("late") == 2)
    await rooms.tasks.stop(1)


async def test_outages_defects_and_lost_rooms_end_the_step_and_nothing_else() -> None:
    rooms = Rooms()
    rooms.waits = {
        "away": [ConnectionRefusedError("private")],
        "bug": [KeyError("private")],
        "lost": [NotOwner()],
    }
    with structlog.testing.capture_logs() as logs:
        for room in rooms.waits:
            rooms.tasks.poke(room)
        await until(lambda: rooms.tasks.busy == 0 and len(rooms.ran) >= 3)
    assert [entry["event"] for entry in logs] == ["test.database_away", "test.failed"]
    assert "private" not in str(logs)
    assert set(rooms.tasks._timers) == {"away", "bug"}
    await until(lambda: rooms.ran.count("away") == 2)
    await rooms.tasks.stop(1)


async def test_it_looks_for_waiting_rooms_at_the_start_and_when_told() -> None:
    rooms = Rooms()
    rooms.waiting = ["a", "b"]
    rooms.tasks.start()
    await until(lambda: sorted(rooms.ran) == ["a", "b"])
    rooms.waiting = ["c"]
    rooms.tasks.look()
    await until(lambda: "c" in rooms.ran)
    assert rooms.looks == 2
    await rooms.tasks.stop(1)


async def test_a_look_that_fails_is_followed_by_others() -> None:
    rooms = Rooms()
    looks = [OSError("away"), KeyError("bug")]

    async def find() -> Iterable[str]:
        if looks:
            raise looks.pop()
        return ["a"]

    rooms.tasks._waiting = find
    rooms.tasks.start()
    await until(lambda: rooms.tasks.look() or rooms.ran == ["a"])  # type: ignore[func-returns-value]
    await rooms.tasks.stop(1)


async def test_stopping_finishes_the_step_under_way_and_begins_no_other() -> None:
    rooms = Rooms(at_once=1)
    rooms.held["a"] = asyncio.Event()
    rooms.waits = {"later": [60_000]}
    rooms.tasks.poke("later")
    await until(lambda: rooms.tasks.busy == 0)
    rooms.tasks.poke("a")
    await until(lambda: "a" in rooms.ran)
    stopping = asyncio.create_task(rooms.tasks.stop(10))
    await until(rooms.tasks.is_stopping)
    rooms.tasks.poke("b")
    rooms.held["a"].set()
    await stopping
    assert rooms.ran == ["later", "a"]
    assert rooms.tasks._timers == {}


async def test_stopping_has_patience_and_then_cancels() -> None:
    rooms = Rooms()
    rooms.held["a"] = asyncio.Event()
    rooms.tasks.poke("a")
    await until(lambda: rooms.ran)
    await rooms.tasks.stop(0.01)
    assert rooms.tasks.busy == 0
