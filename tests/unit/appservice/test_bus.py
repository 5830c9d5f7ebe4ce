from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
import sqlalchemy as sa
import structlog.testing

from appservice.bus import Bus
from appservice.database import Database
from tests.support.waiting import until


class Buses:
    """Two replicas' buses on one database."""

    def __init__(self, one: Bus, two: Bus, database: Database) -> None:
        self.one = one
        self.two = two
        self.database = database
        self.heard: list[Mapping[str, Any]] = []
        two.subscribe("look", self.heard.append)


@pytest.fixture
async def buses(postgres_url: str) -> AsyncIterator[Buses]:
    async with AsyncExitStack() as stack:
        database = Database.open(postgres_url)
        stack.push_async_callback(database.close)
        made = [Bus(database, replica, retry_s=0.05) for replica in ("one", "two")]
        for bus in made:
            await bus.start()
            stack.push_async_callback(bus.stop)
        for bus in made:
            await bus.listening()
        yield Buses(made[0], made[1], database)


async def test_a_hint_reaches_the_other_replica_and_not_oneself(buses: Buses) -> None:
    own: list[Mapping[str, Any]] = []
    buses.one.subscribe("look", own.append)
    buses.one.publish("look", {"id": "é", "gone": []})
    buses.two.publish("look", {"id": "back"})
    await until(lambda: buses.heard and own)
    assert buses.heard == [{"id": "é", "gone": []}]
    assert own == [{"id": "back"}]


async def test_many_hints_arrive_in_order(buses: Buses) -> None:
    for number in range(500):
        buses.one.publish("look", {"id": number})
    await until(lambda: len(buses.heard) == 500)
    assert [hint["id"] for hint in buses.heard] == list(range(500))


async def test_a_bus_whose_connection_was_killed_listens_again(buses: Buses) -> None:
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %'"
    for _ in range(2):
        async with buses.database.begin() as connection:
            assert len((await connection.execute(sa.text(kill))).all()) == 2
        await until(lambda: not buses.two._listens.is_set())
        await buses.two.listening()
        before = len(buses.heard)
        buses.one.publish("look", {"id": "again"})
        await until(lambda: len(buses.heard) > before)  # noqa: B023


async def test_a_hint_that_cannot_be_sent_is_lost_and_the_next_one_is_not(buses: Buses) -> None:
    buses.one.publish("look", {"id": "\0"})
    buses.one.publish("look", {"id": "x" * 8_000})
    buses.one.publish("look", {"id": "next"})
    await until(lambda: {"id": "next"} in buses.heard)
    assert all(len(str(hint["id"])) < 8_000 for hint in buses.heard)


@pytest.mark.parametrize("payload", ["", "[]", "7", '{"from":"x"}', '{"from":"x","topic":"look"}'])
async def test_what_somebody_else_notifies_harms_nobody(buses: Buses, payload: str) -> None:
    buses.two.subscribe("broken", lambda hint: hint["nothing"])
    with structlog.testing.capture_logs() as logs:
        async with buses.database.begin() as connection:
            await connection.execute(sa.text("SELECT pg_notify('passerelle', :p)"), {"p": payload})
        buses.one.publish("broken", {})
        buses.one.publish("look", {"id": "fine"})
        await until(lambda: buses.heard == [{"id": "fine"}])
    assert "bus.hint_not_understood" in [entry["event"] for entry in logs]


async def test_in_one_process_there_is_nobody_to_tell(sqlite_url: str) -> None:
    database = Database.open(sqlite_url)
    bus = Bus(database, "one")
    await bus.start()
    bus.publish("look", {"id": 1})
    await bus.stop()
    await database.close()
