from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from appservice import tables
from appservice.clock import wall_clock
from appservice.events import Event
from appservice.operations import SendEvent
from appservice.rooms import INFINITE_POWER, RoomFacts
from appservice.unit_of_work import UnitOfWork
from appservice.worker import WorkerLimits
from tests.support.application import BOT, ROOM, App, event, membership, service
from tests.support.fake_homeserver import FakeHomeserver, Hold, cut, error, foreign
from tests.support.waiting import until

OTHER = "!other:hs"


def ids(*raws: dict[str, Any]) -> list[str]:
    return [raw["event_id"] for raw in raws]


class Script:
    """Raises for some events, as often as told; holds others until they are released."""

    def __init__(self) -> None:
        self.failures: dict[str, tuple[int, Exception]] = {}
        self.held: dict[str, asyncio.Event] = {}
        self.times: list[float] = []

    async def __call__(self, event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        await work.write(SendEvent("m.room.message", {"body": f"answer to {event.event_id}"}))
        if event.event_id in self.held:
            await self.held[event.event_id].wait()
        left, failure = self.failures.get(event.event_id, (0, ValueError()))
        if left:
            self.failures[event.event_id] = left - 1, failure
            self.times.append(asyncio.get_running_loop().time())
            raise failure


async def test_events_of_a_room_are_handled_in_order(database_url: str, homeserver: FakeHomeserver) -> None:
    events = [event() for _ in range(70)]
    async with service(database_url, homeserver) as one:
        await one.take(*events)
        await one.idle()
        assert one.app.handled == ids(*events)


async def test_a_slow_room_does_not_hold_the_others(database_url: str, homeserver: FakeHomeserver) -> None:
    homeserver.add_room(OTHER, BOT)
    script = Script()
    slow, quick = event(), event(OTHER)
    release = script.held[slow["event_id"]] = asyncio.Event()
    if database_url.startswith("sqlite"):
        # SQLite has one connection: a unit of work that stands still holds everybody. Handlers do no
        # network, so none does; rooms take turns between events.
        release.set()
    async with service(database_url, homeserver, App(script)) as one:
        await one.take(slow, event(), quick)
        await until(lambda: quick["event_id"] in one.app.handled)
        release.set()
        await one.idle()
        assert len(one.app.handled) == 3


async def test_a_busy_room_takes_turns_with_the_others(database_url: str, homeserver: FakeHomeserver) -> None:
    homeserver.add_room(OTHER, BOT)
    busy, quick = [event() for _ in range(120)], event(OTHER)
    async with service(database_url, homeserver, start=False, worker=WorkerLimits(rooms_at_once=1)) as one:
        await one.take(*busy, quick)
        await one.start()
        await one.idle(30)
        assert one.app.handled.index(quick["event_id"]) <= 60
        assert [e for e in one.app.handled if e != quick["event_id"]] == ids(*busy)


async def test_an_event_that_fails_is_tried_again_with_growing_delays(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    script, bad, after = Script(), event(), event()
    script.failures[bad["event_id"]] = 3, ValueError("!secret")
    limits = WorkerLimits(retry_delays_ms=(50, 100, 200))
    async with service(database_url, homeserver, App(script), worker=limits) as one:
        await one.take(bad)
        await until(lambda: script.times)
        # Neither what arrives nor what somebody pokes makes it come sooner.
        await one.take(after, txn_id="2")
        for _ in range(20):
            one.runtime.worker.poke(ROOM)
            await asyncio.sleep(0)
        await one.idle()
        waits = [b - a for a, b in zip(script.times, script.times[1:], strict=False)]
        assert waits[0] >= 0.05
        assert waits[1] >= 0.1
        assert one.app.handled == ids(bad, after)
        assert one.app.begun == ids(bad, bad, bad, bad, after)


async def test_an_event_that_always_fails_is_set_aside_and_what_follows_goes_on(
    database_url: str, homeserver: FakeHomeserver, caplog: pytest.LogCaptureFixture
) -> None:
    script, bad, after = Script(), event(), event()
    script.failures[bad["event_id"]] = 99, ValueError("what somebody wrote")
    async with service(database_url, homeserver, App(script)) as one:
        await one.take(bad, after)
        await until(lambda: after["event_id"] in one.app.handled)
        [row] = await one.rows(tables.inbox, tables.inbox.c.state == "quarantined")
        assert row.event_id == bad["event_id"]
        assert row.error.startswith("ValueError at test_worker.py:")
        assert "what somebody wrote" not in row.error + caplog.text
        assert row.body is not None
        assert one.app.begun.count(bad["event_id"]) == 4
        assert await one.runtime.inbox.count("quarantined") == 1
        await one.idle()
        assert homeserver.texts(ROOM) == [f"answer to {after['event_id']}"]


@pytest.mark.parametrize(
    "failure",
    [FileNotFoundError("no such catalogue"), TimeoutError(), ConnectionResetError(), KeyError("x")],
    ids=lambda failure: type(failure).__name__,
)
async def test_a_handler_that_fails_like_an_outage_is_set_aside_all_the_same(
    sqlite_url: str, homeserver: FakeHomeserver, failure: Exception
) -> None:
    script, bad, after = Script(), event(), event()
    script.failures[bad["event_id"]] = 99, failure
    async with service(sqlite_url, homeserver, App(script)) as one:
        await one.take(bad, after)
        await until(lambda: after["event_id"] in one.app.handled)
        assert one.app.begun.count(bad["event_id"]) == 4


@pytest.mark.parametrize("statement", ["SELECT nothing FROM nowhere", "SELECT CAST(:x AS bigint)"])
async def test_a_statement_that_cannot_work_is_a_defect_and_no_outage(
    database_url: str, homeserver: FakeHomeserver, statement: str
) -> None:
    bad, after = event(), event()

    async def act(event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        if event.event_id == bad["event_id"]:
            await work.connection.execute(sa.text(statement), {"x": 2**70})

    async with service(database_url, homeserver, App(act)) as one:
        await one.take(bad, after)
        await until(lambda: after["event_id"] in one.app.handled)
        assert bad["event_id"] not in one.app.handled


async def test_a_row_that_cannot_be_read_back_is_set_aside(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    bad, after = event(), event()
    async with service(database_url, homeserver, start=False) as one:
        await one.take(bad, after)
        async with one.database.begin() as connection:
            await connection.execute(
                sa.update(tables.inbox)
                .where(tables.inbox.c.event_id == bad["event_id"])
                .values(body='{"not": "an event"}')
            )
        await one.start()
        await until(lambda: after["event_id"] in one.app.handled)
        assert await one.runtime.inbox.count("quarantined") == 1


async def test_a_handler_that_raises_leaves_nothing_behind(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    script, bad = Script(), event()
    script.failures[bad["event_id"]] = 99, ValueError()
    async with service(database_url, homeserver, App(script)) as one:
        await one.take(bad)
        await until(lambda: one.runtime.worker._rooms.busy == 0 and one.app.begun.count(bad["event_id"]) == 4)
        assert await one.rows(tables.outbox) == []
        assert homeserver.sent == []
        assert one.app.handled == []


async def test_what_was_kept_of_an_event_is_erased_once_it_is_handled(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver) as one:
        await one.take(event())
        await one.idle()
        [row] = await one.rows(tables.inbox)
        assert (row.state, row.body, row.error) == ("done", None, None)


async def test_what_was_committed_before_a_crash_is_handled_once_after_it(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    events = [event() for _ in range(20)]
    app = App()
    async with service(database_url, homeserver, app, start=False) as one:
        await one.take(*events)
        await one.crash()
    async with service(database_url, homeserver, app) as again:
        await again.take(*events, txn_id="the same again")
        await again.idle()
        assert app.handled == ids(*events)


async def test_a_crash_in_the_middle_of_handling_handles_each_event_once(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    script, events = Script(), [event() for _ in range(10)]
    script.held[events[4]["event_id"]] = asyncio.Event()
    app = App(script)
    async with service(database_url, homeserver, app) as one:
        await one.take(*events)
        await until(lambda: events[4]["event_id"] in app.begun)
        await one.crash()
    script.held.clear()
    async with service(database_url, homeserver, app) as again:
        await again.idle()
    assert app.handled == ids(*events)
    assert homeserver.texts(ROOM) == [f"answer to {each}" for each in ids(*events)]
    assert homeserver.doubled() == []


async def test_an_event_that_waits_for_its_next_attempt_is_not_forgotten_by_a_restart(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    script, bad = Script(), event()
    script.failures[bad["event_id"]] = 1, ValueError()
    app = App(script)
    slow = WorkerLimits(retry_delays_ms=(60_000,))
    async with service(database_url, homeserver, app, worker=slow) as one:
        await one.take(bad)
        await until(lambda: script.times and one.runtime.worker._rooms.busy == 0)
        await one.crash()
    async with service(database_url, homeserver, app, worker=slow) as again:
        await again.idle()
        assert app.handled == ids(bad)


async def test_a_callback_that_fails_after_the_commit_does_not_undo_it(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    first, second = event(), event()

    def broken() -> None:
        raise ValueError

    async def act(event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        work.after_commit(broken)

    async with service(database_url, homeserver, App(act)) as one:
        await one.take(first, second)
        await one.idle()
        assert one.app.begun == one.app.handled == ids(first, second)


# What is known of rooms


async def test_facts_are_read_once_and_then_follow_the_events(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    homeserver.state[ROOM]["m.room.power_levels", ""] = {"users": {"@alice:hs": 50}}
    before, after = event(), event()
    encrypted = event(type="m.room.encryption", state_key="", content={"algorithm": "m.megolm.v1.aes-sha2"})
    levels = event(
        type="m.room.power_levels", state_key="", content={"users": {"@alice:hs": "75"}, "events_default": 10}
    )
    async with service(database_url, homeserver) as one:
        await one.take(before)
        await one.idle()
        asked = homeserver.count("state")
        await one.take(encrypted, levels, after, txn_id="2")
        await one.idle()
        then, now = one.app.facts[before["event_id"]], one.app.facts[after["event_id"]]
        assert (then.power_of("@alice:hs"), then.is_encrypted) == (50, False)
        assert (now.power_of("@alice:hs"), now.is_encrypted) == (75, True)
        assert now.power_to_send("m.room.message", is_state=False) == 10
        assert homeserver.count("state") == asked
    async with service(database_url, homeserver) as again:
        await again.take(last := event(), txn_id="3")
        await again.idle()
        assert again.app.facts[last["event_id"]].power_of("@alice:hs") == 75
        assert homeserver.count("state") == asked, "the state was fetched again at start"


async def test_the_creator_of_a_version_12_room_has_infinite_power(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    homeserver.add_room(
        "!v12", BOT, m_room_create={"room_version": "12", "additional_creators": ["@second:hs", 5]}
    )
    async with service(database_url, homeserver) as one:
        await one.take(asked := event("!v12"))
        await one.idle()
        facts = one.app.facts[asked["event_id"]]
        assert facts.creators == {"@creator:hs", "@second:hs"}
        assert facts.power_of("@second:hs") == INFINITE_POWER
        assert facts.power_of("@alice:hs") == 0


async def test_a_direct_chat_is_known_from_its_invitation_until_a_third_person_comes(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver) as one:
        await one.take(membership(ROOM, "invite", is_direct=True), membership(ROOM, "join"))
        await one.idle()
        assert one.runtime.direct_rooms == {ROOM}
        assert one.app.events[-1].content["membership"] == "join"
        assert one.app.facts[one.app.handled[-1]].partner == "@alice:hs"
        await one.take(membership(ROOM, "join", "@third:hs"), txn_id="2")
        await one.idle()
        assert one.runtime.direct_rooms == set()
    async with service(database_url, homeserver) as again:
        assert again.runtime.direct_rooms == set()


async def test_a_room_that_the_bot_was_put_out_of_is_read_anew_when_it_is_back(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver) as one:
        await one.take(membership(ROOM, "join"))
        await one.idle()
        await one.take(membership(ROOM, "leave"), txn_id="2")
        await one.idle()
        left = one.app.facts[one.app.handled[-1]]
        assert (left.membership, left.state) == ("leave", {})
        homeserver.state[ROOM]["m.room.encryption", ""] = {"algorithm": "m.megolm.v1.aes-sha2"}
        await one.take(membership(ROOM, "invite"), membership(ROOM, "join"), txn_id="3")
        await one.idle()
        back = one.app.facts[one.app.handled[-1]]
        assert (back.membership, back.is_encrypted) == ("join", True)


async def test_a_room_that_does_not_show_itself_is_one_that_the_bot_is_not_in(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver) as one:
        await one.take(stray := event("!unknown:hs"))
        await one.idle()
        assert one.app.facts[stray["event_id"]].membership == "leave"


@pytest.mark.parametrize(
    "failure",
    [
        *(cut, error(503), error(500), error(429, "M_LIMIT_EXCEEDED", retry_after_ms=20)),
        *(foreign(404), foreign(403)),
    ],
)
async def test_facts_that_cannot_be_read_now_are_read_later(
    sqlite_url: str, homeserver: FakeHomeserver, failure: Any
) -> None:
    async with service(sqlite_url, homeserver) as one:
        homeserver.misbehave(failure, "state", times=3)
        await one.take(event(), event())
        await one.idle()
        assert [facts.membership for facts in one.app.facts.values()] == ["join", "join"]


async def test_facts_follow_the_events_though_the_clock_was_set_back(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    ahead = [3_600_000]
    levels = event(type="m.room.power_levels", state_key="", content={"users": {"@alice:hs": 50}})
    async with service(sqlite_url, homeserver, clock=lambda: wall_clock() + ahead[0]) as one:
        await one.take(event())
        await one.idle()
        ahead[0] = 0
        await one.take(levels, last := event(), txn_id="2")
        await one.idle()
        assert one.app.facts[last["event_id"]].power_of("@alice:hs") == 50


async def test_an_event_arriving_while_facts_are_read_is_not_lost_from_them(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    hold = Hold(do=True)
    async with service(sqlite_url, homeserver) as one:
        homeserver.misbehave(hold, "state", times=1)
        await one.take(event())
        await hold.holds.wait()
        tombstone = event(type="m.room.tombstone", state_key="", content={"replacement_room": "!new:hs"})
        await one.take(tombstone, last := event(), txn_id="2")
        hold.release.set()
        await one.idle()
        assert one.app.facts[last["event_id"]].replacement == "!new:hs"
