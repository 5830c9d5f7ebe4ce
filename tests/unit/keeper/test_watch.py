from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from appservice.sharding import SHARDS, shard_of
from bridge.calls.model import CallState, EndReason
from bridge.keeper.agenda import Agenda
from bridge.keeper.watch import Watch
from tests.support.office import ROOM, T0, TIMINGS, Office, a_call
from tests.support.waiting import until

SFU_ROOM = "passerelle-c1"


class FakeOwnership:
    """Owns what the test says."""

    def __init__(self) -> None:
        self.held = frozenset(range(SHARDS))
        self._gained: list[Callable[[frozenset[int]], None]] = []

    def on_gained(self, callback: Callable[[frozenset[int]], None]) -> None:
        self._gained.append(callback)

    def gain(self, *shards: int) -> None:
        self.held |= frozenset(shards)
        for callback in self._gained:
            callback(frozenset(shards))

    async def guard(self, connection: AsyncConnection, shard: int) -> None:
        return

    async def start(self) -> None:
        return

    async def stop(self) -> None:
        return


class FakeBus:
    """Remembers what was published, and hands on what the test says another replica did."""

    def __init__(self) -> None:
        self.published: list[tuple[str, Mapping[str, Any]]] = []
        self.listeners: dict[str, Callable[[Mapping[str, Any]], None]] = {}

    def subscribe(self, topic: str, listener: Callable[[Mapping[str, Any]], None]) -> None:
        self.listeners[topic] = listener

    def publish(self, topic: str, hint: Mapping[str, Any]) -> None:
        self.published.append((topic, hint))


class Lookout:
    """A watch with everything around it."""

    def __init__(self, office: Office) -> None:
        async def never(batch: Mapping[str, frozenset[str]]) -> dict[str, int | None]:
            raise AssertionError("the agenda is not started")

        self.ownership = FakeOwnership()
        self.bus = FakeBus()
        self.agenda = Agenda(never, office.clock)
        bus: Any = self.bus
        self.watch = Watch(office.store, self.agenda, self.ownership, bus, office.clock, TIMINGS)
        office.ledger.on_stored(self.watch.stored)

    @property
    def due(self) -> dict[str, int]:
        return dict(self.agenda._due)


@pytest.fixture
def lookout(office: Office) -> Lookout:
    return Lookout(office)


async def test_a_new_call_is_looked_at_at_once(office: Office, lookout: Lookout) -> None:
    await office.begin(a_call(CallState.OPENING))
    assert lookout.due == {"c1": T0}


async def test_a_webhook_about_a_room_hints_at_its_call(office: Office, lookout: Lookout) -> None:
    await office.begin(a_call())
    lookout.agenda.drop("c1")
    assert lookout.watch.is_ours(SFU_ROOM)
    assert not lookout.watch.is_ours("passerelle-other")
    lookout.watch.hint_room("passerelle-other")
    assert lookout.due == {}
    lookout.watch.hint_room(SFU_ROOM, ["ada"])
    assert lookout.due == {"c1": T0}


async def test_somebody_with_a_token_is_expected_soon(office: Office, lookout: Lookout) -> None:
    await office.begin(a_call())
    lookout.agenda.drop("c1")
    lookout.watch.expect(await office.call())
    assert T0 < lookout.due["c1"] <= T0 + 2_000


async def test_a_call_that_is_over_is_no_longer_watched(office: Office, lookout: Lookout) -> None:
    await office.begin(a_call())
    await office.change(state=CallState.ENDED, end_reason=EndReason.COMMAND, ended_ts=T0)
    assert lookout.due == {}
    assert not lookout.watch.is_ours(SFU_ROOM)
    assert len(lookout.watch) == 0


async def test_a_call_that_can_come_back_is_still_watched(office: Office, lookout: Lookout) -> None:
    await office.begin(a_call())
    fields: dict[str, Any] = {"end_reason": EndReason.EMPTY, "ended_ts": T0, "former_url": "https://x"}
    await office.change(state=CallState.ENDED, **fields)
    assert lookout.watch.is_ours(SFU_ROOM)


async def test_a_meeting_that_goes_on_without_its_room_is_still_watched(
    office: Office, lookout: Lookout
) -> None:
    await office.begin(a_call())
    await office.change(state=CallState.ENDED, end_reason=EndReason.UNTIED, ended_ts=T0, lingers=True)
    assert lookout.watch.is_ours(SFU_ROOM)
    assert lookout.due == {"c1": T0}
    await office.change(lingers=False)
    assert not lookout.watch.is_ours(SFU_ROOM)
    assert lookout.due == {}


async def test_webhooks_about_a_followed_meeting_count_from_the_moment_it_is_found(
    office: Office, lookout: Lookout
) -> None:
    await office.begin(a_call(adopted=True, sfu_room=None))
    assert len(lookout.watch) == 1
    assert not lookout.watch.is_ours("uuid")
    await office.change(sfu_room="uuid")
    assert lookout.watch.is_ours("uuid")
    told = {"id": "c1", "sfu_room": "uuid", "room_id": ROOM}
    assert lookout.bus.published == [("call", told)], "other replicas take them, too"
    await office.change(sfu_room="moved")
    assert (lookout.watch.is_ours("uuid"), lookout.watch.is_ours("moved")) == (False, True)
    assert len(lookout.watch) == 1


async def test_one_webhook_hints_at_every_call_that_follows_the_meeting(
    office: Office, lookout: Lookout
) -> None:
    for number in range(3):
        room = {"id": f"c{number}", "room_id": f"!room{number}:hs"}
        await office.begin(a_call(adopted=True, sfu_room="uuid", **room))
        lookout.agenda.drop(f"c{number}")
    lookout.watch.hint_room("uuid")
    assert set(lookout.due) == {"c0", "c1", "c2"}


async def test_what_has_to_be_closed_is_looked_at_at_once(office: Office, lookout: Lookout) -> None:
    await office.begin(a_call())
    lookout.agenda.drop("c1")
    await office.change(state=CallState.ENDED, end_reason=EndReason.COMMAND, ended_ts=T0, closing=True)
    assert lookout.due == {"c1": T0}


async def test_what_another_replica_owns_is_for_it_to_look_at(office: Office, lookout: Lookout) -> None:
    await office.begin(a_call())
    lookout.agenda.drop("c1")
    lookout.ownership.held = frozenset()
    lookout.watch.hint_room(SFU_ROOM, ["ada"])
    lookout.watch.expect(await office.call())
    assert lookout.due == {}
    looks = [hint for topic, hint in lookout.bus.published if topic == "look"]
    shard = shard_of(ROOM)
    assert looks == [
        {"id": "c1", "shard": shard, "gone": ["ada"]},
        {"id": "c1", "shard": shard, "gone": []},
    ]


async def test_a_hint_from_another_replica_counts_for_what_is_ours(office: Office, lookout: Lookout) -> None:
    hint = {"id": "c1", "shard": shard_of(ROOM), "gone": []}
    lookout.bus.listeners["look"](hint)
    assert lookout.due == {"c1": T0}
    lookout.agenda.drop("c1")
    lookout.ownership.held = frozenset()
    lookout.bus.listeners["look"](hint)
    assert lookout.due == {}


async def test_a_call_that_another_replica_opened_is_known_before_its_first_webhook(lookout: Lookout) -> None:
    lookout.bus.listeners["call"]({"id": "c9", "sfu_room": "passerelle-c9", "room_id": "!elsewhere:hs"})
    assert lookout.watch.is_ours("passerelle-c9")


async def test_after_a_restart_every_open_call_is_watched(office: Office) -> None:
    await office.begin(a_call())
    await office.begin(a_call(CallState.OPENING, id="c2", room_id="!other:hs"))
    lookout = Lookout(office)
    await lookout.watch.start()
    assert lookout.due == {"c1": T0, "c2": T0}
    assert lookout.watch.is_ours(SFU_ROOM)
    await lookout.watch.stop()


async def test_many_calls_are_spread_after_a_restart(office: Office) -> None:
    for number in range(60):
        await office.begin(a_call(CallState.OPENING, id=f"c{number}", room_id=f"!r{number}:hs"))
    lookout = Lookout(office)
    await lookout.watch.start()
    times = set(lookout.due.values())
    assert len(lookout.due) == 60
    assert len(times) > 10
    assert max(times) <= T0 + 2_000
    await lookout.watch.stop()


async def test_rooms_that_become_ours_bring_their_calls(office: Office) -> None:
    await office.begin(a_call())
    lookout = Lookout(office)
    lookout.ownership.held = frozenset()
    await lookout.watch.start()
    assert lookout.due == {}
    lookout.ownership.gain(shard_of(ROOM))
    await until(lambda: lookout.due)
    await lookout.watch.stop()


async def test_a_call_that_follows_its_room_changes_owner(office: Office, lookout: Lookout) -> None:
    await office.begin(a_call())
    moved = (await office.call()).but(room_id="!new:hs", version=2)
    lookout.agenda.drop("c1")
    lookout.watch.stored(moved)
    lookout.ownership.held = frozenset({shard_of("!new:hs")})
    lookout.watch.hint_room(SFU_ROOM)
    assert lookout.due == {"c1": T0}
