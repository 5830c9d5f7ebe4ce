from __future__ import annotations

import time
from typing import Any

import pytest

from appservice import catch_up as module
from appservice.clock import wall_clock
from tests.support.application import BOT, ROOM, Service, event, membership, service
from tests.support.fake_homeserver import FakeHomeserver, Hold, Rule, cut, error, foreign
from tests.support.waiting import until

MINUTE_MS = 60_000


def written(age_ms: int = -10, *, room_id: str = ROOM, **fields: Any) -> dict[str, Any]:
    """A message that was written so long ago, or just after now."""
    return event(room_id, origin_server_ts=time.time_ns() // 1_000_000 - age_ms, **fields)


async def joined(one: Service, homeserver: FakeHomeserver, room_id: str = ROOM, **state: Any) -> None:
    """The bot comes into a room; messages after this are for it."""
    homeserver.add_room(room_id, BOT, **state)
    await one.take(membership(room_id, "join"))
    await one.idle()


async def went_away(one: Service, homeserver: FakeHomeserver) -> Rule:
    """The homeserver goes away, until ``times`` of the answer is set to 0."""
    away = homeserver.misbehave(cut)
    one.runtime.gate.close("for the test")
    await until(lambda: not one.runtime.link._caught_up.is_set())
    return away


async def outage(one: Service, homeserver: FakeHomeserver) -> None:
    """The homeserver goes away and comes back; everything that comes of it is done."""
    (await went_away(one, homeserver)).times = 0
    await until(lambda: one.runtime.gate.is_open and one.runtime.link._caught_up.is_set())
    await one.idle()


async def test_what_the_homeserver_never_pushed_is_handled_after_its_outage(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver) as one:
        await joined(one, homeserver)
        lost = [written(), written()]
        homeserver.timelines[ROOM] = lost
        await outage(one, homeserver)
        assert one.app.handled[1:] == [each["event_id"] for each in lost], "in the order of the room"


async def test_an_application_may_want_to_hear_of_more_than_every_one_does(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    kinds = ("m.room.message", "org.example.wanted", "org.example.other")
    async with service(sqlite_url, homeserver, lost_types=("org.example.wanted",)) as one:
        await joined(one, homeserver)
        homeserver.timelines[ROOM] = [written(type=kind) for kind in kinds]
        await outage(one, homeserver)
        assert [each.type for each in one.app.events[1:]] == ["m.room.message", "org.example.wanted"]


async def test_what_was_pushed_is_not_handled_again(database_url: str, homeserver: FakeHomeserver) -> None:
    async with service(database_url, homeserver) as one:
        await joined(one, homeserver)
        known = written()
        await one.take(known)
        homeserver.timelines[ROOM] = [known]
        await outage(one, homeserver)
        await one.take(known)
        await one.idle()
        assert one.app.handled[1:] == [known["event_id"]]


async def test_what_is_old_from_before_we_came_or_from_the_future_is_left(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(sqlite_url, homeserver) as one:
        await joined(one, homeserver)
        homeserver.timelines[ROOM] = [
            written(20 * MINUTE_MS),
            written(MINUTE_MS),
            written(-2 * MINUTE_MS),
            event(origin_server_ts="yesterday"),
        ]
        await outage(one, homeserver)
        assert homeserver.count("messages", ROOM) == 1
        assert len(one.app.handled) == 1


async def test_what_was_lost_is_read_though_the_clock_was_set_back(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    ahead = [60 * MINUTE_MS]
    async with service(sqlite_url, homeserver, clock=lambda: wall_clock() + ahead[0]) as one:
        await joined(one, homeserver)
        ahead[0] = 0
        homeserver.timelines[ROOM] = [lost := written()]
        await outage(one, homeserver)
        assert one.app.handled[1:] == [lost["event_id"]]


async def test_a_room_that_refuses_or_hangs_does_not_keep_the_others_from_being_read(
    sqlite_url: str, homeserver: FakeHomeserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ROOM_S", 0.1)
    rooms = [f"!room{number}:hs" for number in range(7)]
    hold = Hold()
    async with service(sqlite_url, homeserver) as one:
        for room_id in rooms:
            await joined(one, homeserver, room_id)
            homeserver.timelines[room_id] = [written(room_id=room_id)]
        homeserver.misbehave(error(403, "M_FORBIDDEN"), "messages", room=rooms[0])
        homeserver.misbehave(hold, "messages", room=rooms[1])
        await outage(one, homeserver)
        hold.release.set()
        assert {e.room_id for e in one.app.events if e.type == "m.room.message"} == set(rooms[2:])


async def test_rooms_that_are_not_ours_or_encrypted_are_not_asked_about(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(sqlite_url, homeserver) as one:
        await joined(one, homeserver)
        await joined(one, homeserver, "!secret:hs", m_room_encryption={"algorithm": "m.megolm"})
        await joined(one, homeserver, "!left:hs")
        await one.take(membership("!left:hs", "leave"))
        await one.idle()
        await outage(one, homeserver)
        assert {asked.room_id for asked in homeserver.asked if asked.what == "messages"} == {ROOM}


async def test_the_liveliest_rooms_are_asked_about_and_no_more_than_so_many(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    rooms = [f"!room{number}:hs" for number in range(5)]
    async with service(database_url, homeserver) as one:
        for room_id in rooms:
            await joined(one, homeserver, room_id)
        for room_id in rooms[3:]:
            await until(lambda: int(time.time() * 1000) > newest(one))
            await one.take(written(room_id=room_id))
            await one.idle()
        await one.runtime.link._catch_up.run(0, 2)
        assert {asked.room_id for asked in homeserver.asked if asked.what == "messages"} == set(rooms[3:])


def newest(one: Service) -> int:
    return max(each.received_ts for each in one.app.events)


async def test_a_lost_change_of_state_has_the_rooms_state_read_anew(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver) as one:
        await joined(one, homeserver)
        levels = written(type="m.room.power_levels", state_key="", content={"users_default": 50})
        homeserver.timelines[ROOM] = [levels]
        # Meanwhile there was another change, of which we have been told already.
        homeserver.state[ROOM]["m.room.power_levels", ""] = {"users_default": 100}
        await outage(one, homeserver)
        await one.take(said := written())
        await one.idle()
        assert one.app.facts[said["event_id"]].power_of("@ada:hs") == 100


async def test_what_is_pushed_after_an_outage_comes_after_what_was_lost_in_it(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(sqlite_url, homeserver) as one:
        await joined(one, homeserver)
        lost, pushed = written(), written()
        homeserver.timelines[ROOM] = [lost, pushed]
        (await went_away(one, homeserver)).times = 0
        await one.take(pushed)
        await one.idle()
        assert one.app.handled[1:] == [lost["event_id"], pushed["event_id"]]


async def test_a_homeserver_that_goes_away_while_it_is_read_is_read_when_it_is_back(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(sqlite_url, homeserver) as one:
        await joined(one, homeserver)
        homeserver.timelines[ROOM] = [lost := written()]
        homeserver.misbehave(cut, "messages", times=1)
        homeserver.misbehave(foreign(502), "messages", times=1)
        await outage(one, homeserver)
        assert one.app.handled[1:] == [lost["event_id"]]
        assert homeserver.count("messages") == 3
