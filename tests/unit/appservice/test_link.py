from __future__ import annotations

import asyncio

import pytest

from appservice import link as module
from appservice.sharding import SHARDS
from tests.support.application import App, event, service
from tests.support.fake_homeserver import FakeHomeserver, Hold, cut, error
from tests.support.waiting import until
from tests.unit.appservice.test_catch_up import joined, outage, went_away, written


async def test_an_outage_is_noticed_even_when_nothing_is_written(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(sqlite_url, homeserver, watch_every_s=0.05) as one:
        away = homeserver.misbehave(cut)
        await until(lambda: not one.runtime.gate.is_open)
        away.times = 0
        await until(lambda: one.runtime.gate.is_open)


async def test_at_the_start_what_was_lost_lately_is_looked_for(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver) as one:
        await joined(one, homeserver)
    homeserver.timelines["!room:hs"] = [lost := written()]
    async with service(database_url, homeserver, app := App()):
        await until(lambda: app.handled == [lost["event_id"]])


async def test_at_the_start_what_was_lost_comes_before_what_is_pushed(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(sqlite_url, homeserver) as one:
        await joined(one, homeserver)
    lost, pushed = written(), written()
    homeserver.timelines["!room:hs"] = [lost]
    hold = Hold()
    homeserver.misbehave(hold, "messages")
    async with service(sqlite_url, homeserver, app := App()) as again:
        await hold.holds.wait()
        taking = asyncio.create_task(again.take(pushed))
        hold.release.set()
        await taking
        await again.idle()
        assert app.handled == [lost["event_id"], pushed["event_id"]]


async def test_one_request_that_fails_by_itself_has_nothing_read(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(sqlite_url, homeserver) as one:
        await joined(one, homeserver)
        before = homeserver.count("messages")
        one.runtime.gate.close("one request of its own")
        await until(lambda: homeserver.count("ping") == 2)
        assert homeserver.count("messages") == before
        await outage(one, homeserver)
        assert homeserver.count("messages") > before


async def test_a_homeserver_that_reaches_us_and_we_not_it_is_held_up_once(
    sqlite_url: str, homeserver: FakeHomeserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(sqlite_url, homeserver) as one:
        await joined(one, homeserver)
        monkeypatch.setattr(module, "_HOLD_S", 0.2)
        away = await went_away(one, homeserver)
        await one.take(event())
        monkeypatch.setattr(module, "_HOLD_S", 3600)
        await one.take(event())
        assert not one.runtime.gate.is_open
        away.times = 0
        await one.idle()
        assert len(one.app.handled) == 3


async def test_what_could_not_be_read_because_our_database_was_away_is_read_when_it_is_back(
    sqlite_url: str, homeserver: FakeHomeserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(sqlite_url, homeserver) as one:
        await joined(one, homeserver)
        homeserver.timelines["!room:hs"] = [lost := written()]

        async def is_away(*_: object) -> int:
            raise ConnectionRefusedError

        with monkeypatch.context() as patch:
            patch.setattr(one.runtime.link._catch_up, "_take", is_away)
            await outage(one, homeserver)
        one.runtime._database_gate.close("for the test")
        await until(lambda: one.app.handled[1:] == [lost["event_id"]])


async def test_a_defect_in_reading_is_not_repeated(
    sqlite_url: str, homeserver: FakeHomeserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(sqlite_url, homeserver) as one:
        await joined(one, homeserver)

        async def fails(*_: object) -> None:
            raise KeyError

        monkeypatch.setattr(one.runtime.link._catch_up, "run", fails)
        await outage(one, homeserver)
        assert one.runtime.link._missed is None
        assert one.runtime.gate.is_open


async def test_what_stood_in_a_transaction_that_was_passed_over_comes_before_the_next_one(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver) as one:
        await joined(one, homeserver)
        left_behind, pushed = written(), written()
        homeserver.timelines["!room:hs"] = [left_behind]
        await one.take(pushed, txn_id="3")
        await one.idle()
        assert one.app.handled[1:] == [left_behind["event_id"], pushed["event_id"]]


async def test_what_stood_in_the_next_one_that_was_passed_over_comes_before_what_follows_as_well(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver) as one:
        await joined(one, homeserver)
        pings = homeserver.count("ping")
        expected = []
        for txn_id in ("3", "5", "7"):
            left_behind, pushed = written(), written()
            homeserver.timelines["!room:hs"] = [left_behind]
            await one.take(pushed, txn_id=txn_id)
            expected += [left_behind["event_id"], pushed["event_id"]]
        await one.idle()
        assert one.app.handled[1:] == expected
        # Being asked is what makes it leave transactions behind.
        assert homeserver.count("ping") == pings + 1


async def test_among_replicas_a_gap_says_nothing(postgres_url: str, homeserver: FakeHomeserver) -> None:
    async with service(postgres_url, homeserver) as one:
        await joined(one, homeserver)
        async with service(postgres_url, homeserver, start=False) as other:
            await other.start(wait=False)
            await until(lambda: len(other.runtime.ownership.held) > 0)
            await until(lambda: len(one.runtime.ownership.held) < SHARDS)
            before = homeserver.count("messages")
            await one.take(event(), txn_id="3")
            assert one.runtime.link._caught_up.is_set()
            assert homeserver.count("messages") == before


async def test_a_little_after_a_back_off_the_rooms_are_read_once_more(
    sqlite_url: str, homeserver: FakeHomeserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(sqlite_url, homeserver) as one:
        await joined(one, homeserver)
        monkeypatch.setattr(module, "_AGAIN_S", 0.05)
        homeserver.timelines["!room:hs"] = [left_behind := written()]
        homeserver.misbehave(error(403), "messages", times=1)
        await outage(one, homeserver)
        await until(lambda: one.app.handled[1:] == [left_behind["event_id"]])


async def test_of_many_gaps_in_a_row_a_few_are_looked_into(
    sqlite_url: str, homeserver: FakeHomeserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(sqlite_url, homeserver) as one:
        await joined(one, homeserver)
        before = homeserver.count("messages")
        monkeypatch.setattr(module, "_AGAIN_S", 0.5)
        for number in range(3, 30, 2):
            await one.take(event(), txn_id=str(number))
        assert homeserver.count("messages") == before + module._GAPS
        await until(lambda: homeserver.count("messages") == before + module._GAPS + 1)
