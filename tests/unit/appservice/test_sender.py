from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
import structlog.testing

from appservice import sender, tables
from appservice.intents import DEVICE_ID
from appservice.operations import (
    Join,
    Leave,
    Operation,
    Redact,
    SendState,
)
from appservice.sender import SenderLimits
from appservice.unit_of_work import UnitOfWork
from tests.support.application import BOT, ROOM, App, event, membership, nothing, service
from tests.support.fake_homeserver import FakeHomeserver, Hold, cut, do_and_cut, error, foreign
from tests.support.waiting import until
from tests.unit.appservice.writing import OTHER, card, say, write_all


async def test_writes_of_a_room_leave_in_order_and_once(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver) as one:
        await write_all(one, *(str(n) for n in range(30)))
        await one.idle()
        assert homeserver.texts(ROOM) == [str(n) for n in range(30)]
        assert homeserver.count("send") == 30


async def test_the_bot_sends_with_its_own_device_and_ghosts_without(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver) as one:
        await one.write(say("from the bot"))
        await one.write(say("from a ghost", sender="@visio_marie:hs"))
        await one.idle()
        first, second = [a for a in homeserver.asked if a.what == "send"]
        assert (first.user_id, first.device_id) == (BOT, DEVICE_ID)
        assert (second.user_id, second.device_id) == ("@visio_marie:hs", None)
        assert [a.body["username"] for a in homeserver.asked if a.what == "register"] == [
            "visio",
            "visio_marie",
        ]


async def test_nothing_is_sent_before_the_commit(database_url: str, homeserver: FakeHomeserver) -> None:
    async with service(database_url, homeserver) as one:
        with contextlib.suppress(ValueError):
            async with one.runtime.works.begin(ROOM) as work:
                await work.write(say("never"))
                raise ValueError("changed my mind")
        await one.write(say("now"))
        await one.idle()
        assert homeserver.texts(ROOM) == ["now"]


async def test_every_kind_of_write_reaches_the_homeserver(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver) as one:
        await one.write(SendState("m.room.topic", "key/with?odd#signs", {"topic": "x"}))
        await one.write(Redact("$odd/id?", "because"))
        await one.write(Join(("a.example",)))
        await one.write(Leave("no rights"))
        await one.idle()
        state, redaction = homeserver.sent
        assert (state.state_key, state.content) == ("key/with?odd#signs", {"topic": "x"})
        assert (redaction.redacts, redaction.content) == ("$odd/id?", {"reason": "because"})
        assert homeserver.count("join", ROOM) == 1
        [leave] = [a for a in homeserver.asked if a.what == "leave"]
        assert leave.body == {"reason": "no rights"}


# Crashes


async def test_a_crash_after_the_homeserver_accepted_posts_nothing_twice(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    hold = Hold(do=True)
    async with service(database_url, homeserver) as one:
        homeserver.misbehave(hold, "send", times=1)
        await one.write(card("v1"), slot="card:1")
        await hold.holds.wait()
        await one.crash()
    hold.release.set()
    homeserver.restart()
    async with service(database_url, homeserver) as again:
        await again.write(card("v2"), slot="card:1")
        await again.idle()
        assert homeserver.texts(ROOM) == ["v1", "* v2"]
        assert homeserver.doubled() == []
        assert len({a.txn_id for a in homeserver.asked if a.what == "send"}) == 2


async def test_a_connection_cut_after_the_homeserver_accepted_posts_nothing_twice(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver) as one:
        homeserver.misbehave(do_and_cut, "send", times=2)
        await write_all(one, "a", "b", "c")
        await one.idle()
        assert homeserver.texts(ROOM) == ["a", "b", "c"]


async def test_what_was_written_down_before_a_crash_is_sent_after_it(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver) as one:
        homeserver.misbehave(cut, "send")
        await write_all(one, "a", "b", "c")
        await until(lambda: homeserver.count("send"))
        await one.crash()
    homeserver.rules.clear()
    async with service(database_url, homeserver) as again:
        await again.idle()
        assert homeserver.texts(ROOM) == ["a", "b", "c"]


# Limits, outages, refusals


async def test_a_rate_limit_holds_its_room_as_told_and_no_other(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    homeserver.misbehave(error(429, "M_LIMIT_EXCEEDED", retry_after_ms=600), "send", room=ROOM, times=1)
    outcomes: list[str] = []
    async with service(database_url, homeserver) as one:
        one.runtime.sender.on_outcome(lambda outcome, _age: outcomes.append(outcome))
        began = asyncio.get_running_loop().time()
        await write_all(one, "a", "b")
        await until(lambda: homeserver.count("send", ROOM))
        await write_all(one, "elsewhere", room_id=OTHER)
        await until(lambda: homeserver.texts(OTHER))
        assert homeserver.texts(ROOM) == []
        await write_all(one, "c")
        await one.idle()
        assert homeserver.texts(ROOM) == ["a", "b", "c"]
        assert asyncio.get_running_loop().time() - began >= 0.6
        assert homeserver.count("send", ROOM) == 4
        assert one.runtime.gate.is_open
        assert outcomes.count("limited") == 1


async def test_a_rate_limit_outlives_a_restart(database_url: str, homeserver: FakeHomeserver) -> None:
    homeserver.misbehave(error(429, "M_LIMIT_EXCEEDED", retry_after_ms=3_600_000), "send", times=1)
    async with service(database_url, homeserver) as one:
        await write_all(one, "a")
        await until(lambda: one.runtime.sender._rooms.busy == 0 and homeserver.count("send"))
    async with service(database_url, homeserver) as again:
        await again.write(say("elsewhere"), room_id=OTHER)
        await until(lambda: homeserver.texts(OTHER))
        await again.write(say("b"))
        assert homeserver.texts(ROOM) == []
        # The other room's row may not have been crossed out yet.
        [row, _] = [row for row in await again.rows(tables.outbox) if row.room_id == ROOM]
        assert row.not_before_ts - again.runtime.clock() > 3_500_000


async def test_an_outage_closes_the_gate_once_and_everything_leaves_in_order_after_it(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    rooms = [f"!room{n}:hs" for n in range(40)]
    async with service(database_url, homeserver) as one:
        everything = homeserver.misbehave(cut)
        with structlog.testing.capture_logs() as logs:
            for room in rooms:
                await write_all(one, "a", "b", "c", room_id=room)
            await until(lambda: homeserver.count("whoami") >= 2)
        assert [entry["event"] for entry in logs].count("homeserver.away") == 1
        # Rooms that were tried before the first failure came back, and then the one probe.
        assert homeserver.count("send") <= SenderLimits().rooms_at_once
        everything.times = 0
        await one.idle(60)
        assert all(homeserver.texts(room) == ["a", "b", "c"] for room in rooms)
        assert homeserver.count("ping") >= 2, "the homeserver was not asked to send again"


@pytest.mark.parametrize("failure", [foreign(502), foreign(404), error(502), cut])
async def test_one_request_that_never_works_backs_off_and_holds_its_room_only(
    sqlite_url: str, homeserver: FakeHomeserver, failure: Any
) -> None:
    homeserver.misbehave(failure, "send", room=ROOM)
    async with service(sqlite_url, homeserver, sender=SenderLimits(first_wait_ms=20)) as one:
        await write_all(one, "poison")
        for number in range(10):
            await write_all(one, str(number), room_id=OTHER)
            await until(lambda: len(homeserver.texts(OTHER)) > number)  # noqa: B023
        assert homeserver.texts(OTHER) == [str(n) for n in range(10)]
        await until(lambda: homeserver.count("send", ROOM) >= 3)
        [row] = await one.rows(tables.outbox, tables.outbox.c.room_id == ROOM)
        assert row.attempts >= 2


async def test_a_room_whose_servers_do_not_answer_costs_the_others_nothing_and_is_given_up_one_day(
    sqlite_url: str, homeserver: FakeHomeserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "_JOIN_ATTEMPTS", 2)
    homeserver.misbehave(error(502, "M_UNKNOWN"), "join")
    async with service(sqlite_url, homeserver) as one:
        asked = homeserver.count("whoami")
        await one.write(Join(("gone.example",)), room_id=OTHER)
        await one.idle()
        assert homeserver.count("join") == 3
        assert [operation for operation, _, _ in one.app.refused] == [Join(("gone.example",))]
        assert homeserver.count("whoami") == asked, "nobody doubted the homeserver"


async def test_rooms_whose_servers_keep_silent_do_not_keep_the_others_waiting(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    silent = Hold()
    homeserver.misbehave(silent, "join")
    async with service(sqlite_url, homeserver, sender=SenderLimits(rooms_at_once=4)) as one:
        for number in range(8):
            await one.write(Join(("silent.example",)), room_id=f"!silent{number}:silent.example")
        await silent.holds.wait()
        await write_all(one, "a")
        await until(lambda: homeserver.texts(ROOM) == ["a"])
        assert homeserver.count("join") == 1
        homeserver.rules.clear()
        await one.write(Join(("hs",)), room_id="!near:hs")
        await until(lambda: homeserver.count("join", "!near:hs") == 1)
        silent.release.set()


async def test_a_join_that_nobody_answers_says_nothing_of_the_homeserver(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    homeserver.misbehave(cut, "join", times=1)
    async with service(sqlite_url, homeserver) as one:
        asked = homeserver.count("whoami")
        await one.write(Join(("far.example",)), room_id=OTHER)
        await one.idle()
        assert (homeserver.count("join"), homeserver.count("whoami")) == (2, asked)


async def test_a_server_error_backs_off_with_growing_waits(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    homeserver.misbehave(error(500), "send", times=4)
    async with service(database_url, homeserver, sender=SenderLimits(first_wait_ms=20)) as one:
        began = asyncio.get_running_loop().time()
        await write_all(one, "a", "b")
        await one.idle()
        assert asyncio.get_running_loop().time() - began >= 0.02 + 0.04 + 0.08 + 0.16
        assert homeserver.texts(ROOM) == ["a", "b"]
        assert one.runtime.gate.is_open


async def test_an_unknown_token_loses_nothing(database_url: str, homeserver: FakeHomeserver) -> None:
    async with service(database_url, homeserver) as one:
        homeserver.misbehave(error(401, "M_UNKNOWN_TOKEN"))
        await write_all(one, "a", "b")
        await until(lambda: homeserver.count("whoami"))
        homeserver.rules.clear()
        await one.idle()
        assert homeserver.texts(ROOM) == ["a", "b"]


async def test_an_answer_that_is_not_the_homeservers_is_not_taken_for_success(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    homeserver.misbehave(error(200), "send", times=2)
    async with service(database_url, homeserver) as one:
        await write_all(one, "a")
        await one.idle()
        assert homeserver.texts(ROOM) == ["a"]


@pytest.mark.parametrize("status", [302, 400, 403, 404, 410])
async def test_a_proxy_that_has_lost_sight_of_the_homeserver_costs_nothing(
    sqlite_url: str, homeserver: FakeHomeserver, status: int
) -> None:
    homeserver.misbehave(foreign(status, Location="/elsewhere"), "send", times=2)
    async with service(sqlite_url, homeserver) as one:
        await write_all(one, "a", "b")
        await one.idle()
        assert homeserver.texts(ROOM) == ["a", "b"]
        assert one.app.refused == []


async def test_a_write_that_a_proxy_never_lets_through_does_not_hold_its_room_for_ever(
    sqlite_url: str, homeserver: FakeHomeserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "_FOREIGN_ATTEMPTS", 2)
    homeserver.misbehave(foreign(403), "send", times=3)
    async with service(sqlite_url, homeserver) as one:
        await write_all(one, "a", "b")
        await one.idle()
        assert homeserver.texts(ROOM) == ["b"]
        assert [error.status for _, _, error in one.app.refused] == [403]


async def test_a_refused_write_is_gone_and_the_next_rung_comes_in_its_place(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    homeserver.misbehave(error(403, "M_FORBIDDEN"), "set_state")
    state = SendState("m.room.topic", "", {"topic": "x"})
    app = App()

    async def next_rung(operation: Operation, work: UnitOfWork) -> None:
        await work.write(say("as a message then"))

    app.on_refused = next_rung
    async with service(database_url, homeserver, app) as one:
        async with one.runtime.works.begin(ROOM) as work:
            await work.write(state, slot="presence")
            await work.write(say("after"))
        await one.idle()
        [(operation, slot, refusal)] = app.refused
        assert (operation, slot, refusal.status, refusal.errcode) == (state, "presence", 403, "M_FORBIDDEN")
        assert homeserver.texts(ROOM) == ["after", "as a message then"]


async def test_a_refusal_that_cannot_be_dealt_with_is_tried_again_with_its_row(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    homeserver.misbehave(error(403, "M_FORBIDDEN"), "send", times=2)
    app, failures = App(), [ValueError("not now")]

    async def next_rung(operation: Operation, work: UnitOfWork) -> None:
        await work.write(say("half a rung"))
        if failures:
            raise failures.pop()

    app.on_refused = next_rung
    async with service(database_url, homeserver, app) as one:
        await write_all(one, "a")
        await one.idle()
        assert len(app.refused) == 1
        assert homeserver.texts(ROOM) == ["half a rung"]


async def test_a_refusal_that_can_never_be_dealt_with_does_not_hold_the_room(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    homeserver.misbehave(error(403, "M_FORBIDDEN"), "send", times=3)
    app = App()

    async def broken(operation: Operation, work: UnitOfWork) -> None:
        raise ValueError

    app.on_refused = broken
    async with service(database_url, homeserver, app) as one:
        await write_all(one, "a", "b")
        await one.idle()
        assert homeserver.texts(ROOM) == ["b"]


async def test_a_write_of_a_handler_leaves_without_waiting_for_anything(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async def act(event: Any, facts: Any, work: UnitOfWork) -> None:
        await work.write(say("answer"))

    slow = SenderLimits(look_every_s=3600)
    async with service(database_url, homeserver, App(act), sender=slow) as one:
        await one.take(event())
        await until(lambda: homeserver.texts(ROOM) == ["answer"])


async def test_a_write_to_another_room_leaves_too(database_url: str, homeserver: FakeHomeserver) -> None:
    async with service(database_url, homeserver, App(nothing)) as one:
        async with one.runtime.works.begin(ROOM) as work:
            await work.write(say("over here"), room_id=OTHER)
        await until(lambda: homeserver.texts(OTHER) == ["over here"])


async def test_the_bot_is_known_by_its_name_on_a_homeserver_that_allows_no_change_of_profile(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    homeserver.misbehave(error(403, "M_FORBIDDEN"), "profile")
    async with service(sqlite_url, homeserver) as one:
        await one.take(membership(ROOM, "join"))
        await one.idle()
