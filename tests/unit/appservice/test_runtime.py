from __future__ import annotations

import asyncio
import random
import time

import pytest
import structlog.testing

from appservice import tables
from appservice.events import Event
from appservice.inbox import KEEP_DONE_MS
from appservice.operations import SendEvent
from appservice.rooms import RoomFacts
from appservice.unit_of_work import UnitOfWork
from tests.support.application import BOT, HS_TOKEN, ROOM, App, event, service
from tests.support.fake_homeserver import FakeHomeserver, Hold, cut, do_and_cut, error
from tests.support.waiting import until

ROOMS = [f"!room{n}:hs" for n in range(6)]


async def answer(event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
    await work.write(SendEvent("m.room.message", {"body": event.event_id}))


async def test_it_starts_and_takes_in_without_a_homeserver(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    away = homeserver.misbehave(cut)
    async with service(database_url, homeserver, App(answer), start=False) as one:
        await one.start(wait=False)
        await until(lambda: one.runtime.ownership.held)
        await one.take(asked := event())
        await until(lambda: homeserver.count("register"))
        assert not one.runtime.gate.is_open
        assert one.app.handled == []
        away.times = 0
        await one.idle()
        assert homeserver.texts(ROOM) == [asked["event_id"]]


async def test_the_homeserver_is_pinged_at_start_and_when_it_is_back(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(sqlite_url, homeserver) as one:
        await until(lambda: homeserver.count("ping") == 1)
        away = homeserver.misbehave(cut)
        one.runtime.gate.close("for the test")
        await until(lambda: homeserver.count("whoami") >= 2)
        away.times = 0
        await until(lambda: homeserver.count("ping") == 2)


async def test_a_homeserver_that_cannot_reach_us_does_not_stop_anything(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    homeserver.misbehave(error(502, "M_CONNECTION_FAILED"), "ping")
    async with service(sqlite_url, homeserver, App(answer)) as one:
        await one.take(event())
        await one.idle()
        assert len(homeserver.texts(ROOM)) == 1


async def test_stopping_lets_what_is_under_way_finish(database_url: str, homeserver: FakeHomeserver) -> None:
    hold = Hold()
    async with service(database_url, homeserver, App(answer)) as one:
        homeserver.misbehave(hold, "send", times=1)
        await one.take(asked := event())
        await hold.holds.wait()
        stopping = asyncio.create_task(one.stop(patience_s=10))
        await until(one.runtime.sender._rooms.is_stopping)
        hold.release.set()
        await stopping
        assert homeserver.texts(ROOM) == [asked["event_id"]]
    async with service(database_url, homeserver) as again:
        assert await again.rows(tables.outbox) == []


async def test_stopping_takes_no_longer_than_its_patience_and_loses_nothing(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    hold = Hold(do=True)
    events = [event() for _ in range(5)]
    app = App(answer)
    async with service(database_url, homeserver, app) as one:
        homeserver.misbehave(hold, "send", times=1)
        await one.take(*events)
        await hold.holds.wait()
        began = time.monotonic()
        await one.runtime.stop(0.2)
        assert time.monotonic() - began < 5
    hold.release.set()
    async with service(database_url, homeserver, app) as again:
        await again.idle()
    assert app.handled == [each["event_id"] for each in events]
    assert homeserver.texts(ROOM) == app.handled
    assert homeserver.doubled() == []


async def test_any_number_of_crashes_and_cuts_handles_and_answers_everything_once(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    """The whole runtime, stopped at random instants, while the homeserver cuts connections."""
    chance = random.Random(4)
    for room in ROOMS:
        homeserver.add_room(room, BOT)
    expected: dict[str, list[str]] = {room: [] for room in ROOMS}
    app = App(answer)
    unanswered: list[dict[str, object]] = []
    for round_ in range(4):
        async with service(database_url, homeserver, app, start=False) as one:
            await one.start(wait=False)
            for behaviour in (cut, do_and_cut, error(429, retry_after_ms=5), error(500)):
                homeserver.misbehave(behaviour, "send", times=chance.randrange(4))
            events = [event(chance.choice(ROOMS)) for _ in range(20)]
            for each in events:
                expected[str(each["room_id"])].append(each["event_id"])
            await one.take(*unanswered, *events, txn_id=str(round_))
            unanswered = events
            target = len(homeserver.sent) + chance.randrange(20)
            await until(lambda: len(homeserver.sent) >= target)  # noqa: B023
            await one.crash()
            homeserver.restart()
    homeserver.rules.clear()
    async with service(database_url, homeserver, app) as last:
        await last.idle(30)
    assert {room: homeserver.texts(room) for room in ROOMS} == expected
    assert homeserver.doubled() == []


async def test_handled_events_are_forgotten_when_they_are_too_old_to_come_again(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver, App(answer)) as one:
        await one.take(event())
        await one.idle()
        assert await one.runtime.inbox.prune() == 0
        one.runtime.inbox._clock = lambda: one.runtime.clock() + KEEP_DONE_MS + 60_000
        assert await one.runtime.inbox.prune() == 1


async def test_no_secret_and_no_text_is_logged(sqlite_url: str, homeserver: FakeHomeserver) -> None:
    async def raising(event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        raise ValueError(event.content["body"])

    with structlog.testing.capture_logs() as logs:
        async with service(sqlite_url, homeserver, App(raising)) as one:
            await one.take(event(content={"body": "!visio something private"}))
            await until(lambda: len(one.app.begun) == 4)
            homeserver.misbehave(error(403, "M_FORBIDDEN"), "send")
            await one.write(SendEvent("m.room.message", {"body": "something private"}))
            await one.idle()
    assert "something private" not in str(logs)
    assert HS_TOKEN not in str(logs)
    assert "as-token" not in str(logs) + repr(one.runtime.settings)


@pytest.mark.parametrize("count", [1, 40])
async def test_one_transaction_with_many_rooms_is_worked_through(
    database_url: str, homeserver: FakeHomeserver, count: int
) -> None:
    rooms = [f"!many{n}:hs" for n in range(count)]
    for room in rooms:
        homeserver.add_room(room, BOT)
    async with service(database_url, homeserver, App(answer)) as one:
        await one.take(*(event(room) for room in rooms))
        await one.idle(60)
        assert all(len(homeserver.texts(room)) == 1 for room in rooms)
