from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from appservice import tables
from appservice.database import Database, DatabaseInUse, is_outage
from appservice.events import Event
from appservice.operations import SendEvent
from appservice.ownership import LeasedOwnership, LeaseTimes, NotOwner
from appservice.rooms import RoomFacts
from appservice.sharding import SHARDS, fair_share, shard_of
from appservice.unit_of_work import UnitOfWork, UnitsOfWork
from tests.support.application import (
    BOT,
    ROOM,
    App,
    Service,
    event,
    make_tables,
    membership,
    service,
)
from tests.support.databases import open_quickly
from tests.support.fake_homeserver import FakeHomeserver
from tests.support.waiting import until

ROOMS = [f"!room{n}:hs" for n in range(12)]
SHORT = LeaseTimes(lease_ms=900, renew_s=0.15)


async def answer(event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
    await work.write(SendEvent("m.room.message", {"body": event.event_id}))


class Replicas:
    """Several processes' worth of one application service on one database."""

    def __init__(self, url: str, homeserver: FakeHomeserver, stack: AsyncExitStack) -> None:
        self.app = App(answer)
        self.all: list[Service] = []
        self._url = url
        self._homeserver = homeserver
        self._stack = stack
        self._numbers = iter(range(10_000))
        self.events: dict[str, list[str]] = {room: [] for room in ROOMS}
        for room in ROOMS:
            homeserver.add_room(room, BOT)

    async def add(self) -> Service:
        made = await self._stack.enter_async_context(
            service(self._url, self._homeserver, self.app, start=False, lease=SHORT)
        )
        await made.start(wait=False)
        self.all.append(made)
        return made

    async def shared_out(self, *living: Service) -> None:
        """Wait until the living hold everything, no more than their share each."""
        share = fair_share(len(living))

        def fair() -> bool:
            held = [one.runtime.ownership.held for one in living]
            return sum(map(len, held)) == SHARDS and max(map(len, held)) <= share

        await until(fair)

    async def take(self, by: Service, rounds: int = 1) -> None:
        """One event for each room, in one transaction, taken in by one of the replicas."""
        for _ in range(rounds):
            events = [event(room) for room in ROOMS]
            for each in events:
                self.events[each["room_id"]].append(each["event_id"])
            await by.take(*events, txn_id=str(next(self._numbers)))

    async def all_done(self, by: Service) -> None:
        """Wait until everything is handled and answered; check that it was once and in order."""
        await by.idle(30)
        total = sum(map(len, self.events.values()))
        assert len(self.app.handled) == total
        assert not [each for each, count in Counter(self.app.handled).items() if count > 1]
        for room, expected in self.events.items():
            assert self._homeserver.texts(room) == expected
        assert self._homeserver.doubled() == []


@pytest.fixture
async def replicas(postgres_url: str, homeserver: FakeHomeserver) -> Any:
    async with AsyncExitStack() as stack:
        yield Replicas(postgres_url, homeserver, stack)


async def test_two_replicas_share_the_rooms_and_handle_each_event_once(replicas: Replicas) -> None:
    one, two = await replicas.add(), await replicas.add()
    await replicas.shared_out(one, two)
    assert not one.runtime.ownership.held & two.runtime.ownership.held
    await replicas.take(one, 3)
    await replicas.take(two, 3)
    await replicas.all_done(one)


async def test_a_replica_that_joins_and_one_that_leaves_cost_nothing(replicas: Replicas) -> None:
    one, two = await replicas.add(), await replicas.add()
    await replicas.shared_out(one, two)
    await replicas.take(one, 2)
    three = await replicas.add()
    await replicas.take(two, 2)
    await replicas.shared_out(one, two, three)
    await replicas.take(three, 2)
    await one.stop()
    await replicas.take(two, 2)
    await replicas.shared_out(two, three)
    await replicas.all_done(two)


async def test_a_replica_that_stops_in_order_leaves_its_rooms_at_once(replicas: Replicas) -> None:
    one, two = await replicas.add(), await replicas.add()
    await replicas.shared_out(one, two)
    await one.stop()
    async with two.database.connect() as connection:
        query = sa.select(tables.shards).where(tables.shards.c.owner.is_not(None))
        owners = {row.owner for row in await connection.execute(query)}
    assert len(owners) == 1
    await replicas.shared_out(two)


async def test_a_replica_that_crashes_is_followed_once_its_leases_have_run_out(replicas: Replicas) -> None:
    one, two = await replicas.add(), await replicas.add()
    await replicas.shared_out(one, two)
    await replicas.take(two)
    await one.crash(leases_run_out=False)
    await replicas.take(two)
    await replicas.all_done(two)


async def test_what_a_sleeper_was_doing_when_its_lease_ran_out_is_not_committed(
    postgres_url: str,
) -> None:
    database = open_quickly(postgres_url)
    await make_tables(database)
    times = LeaseTimes(lease_ms=300, renew_s=0.1)
    sleeper = LeasedOwnership(database, "sleeper", times)
    successor = LeasedOwnership(database, "successor", times)
    works = UnitsOfWork(database, sleeper, lambda: 1)
    try:
        await sleeper.start()
        async with works.begin(ROOM) as work:
            await work.write(SendEvent("m.room.message", {"body": "awake"}))
        assert sleeper._task is not None
        sleeper._task.cancel()
        await until(lambda: not sleeper.held)
        await successor.start()
        await until(lambda: shard_of(ROOM) in successor.held)
        with pytest.raises(NotOwner):
            async with works.begin(ROOM) as work:
                await work.write(SendEvent("m.room.message", {"body": "asleep"}))
        async with database.connect() as connection:
            bodies = list(await connection.execute(sa.select(tables.outbox.c.body)))
        assert len(bodies) == 1
    finally:
        await successor.stop()
        await database.close()


async def test_nobody_takes_a_room_over_in_the_middle_of_a_unit_of_work(postgres_url: str) -> None:
    database = open_quickly(postgres_url)
    await make_tables(database)
    times = LeaseTimes(lease_ms=200, renew_s=0.05)
    slow = LeasedOwnership(database, "slow", times)
    other = LeasedOwnership(database, "other", times)
    works = UnitsOfWork(database, slow, lambda: 1)
    shard = shard_of(ROOM)
    try:
        await slow.start()
        assert slow._task is not None
        async with works.begin(ROOM) as work:
            slow._task.cancel()
            await other.start()

            async def lease_ran_out() -> bool:
                # What stands still for as long as a lease is ended by the server.
                await work.connection.execute(sa.text("SELECT 1"))
                return len(other.held) == SHARDS - 1

            await until(lease_ran_out)
            assert shard not in other.held
            await work.write(SendEvent("m.room.message", {"body": "in time"}))
        await until(lambda: shard in other.held)
        async with database.connect() as connection:
            assert len(list(await connection.execute(sa.select(tables.outbox)))) == 1
    finally:
        await other.stop()
        await database.close()


async def test_a_vanished_replica_keeps_a_room_locked_no_longer_than_its_lease(postgres_url: str) -> None:
    database = open_quickly(postgres_url)
    await make_tables(database)
    owner = LeasedOwnership(database, "owner", LeaseTimes(lease_ms=300, renew_s=0.1))
    works = UnitsOfWork(database, owner, lambda: 1)

    async def vanish_and_come_back() -> None:
        async with works.begin(ROOM) as work:
            assert not await is_free(database, shard_of(ROOM))
            await until(lambda: is_free(database, shard_of(ROOM)))
            await work.write(SendEvent("m.room.message", {"body": "from beyond"}))

    try:
        await owner.start()
        assert owner._task is not None
        owner._task.cancel()
        with pytest.raises(DBAPIError) as raised:
            await vanish_and_come_back()
        assert is_outage(raised.value), "an event that is being handled then is not to blame"
        async with database.connect() as connection:
            assert not (await connection.execute(sa.select(tables.outbox))).all()
            told = await connection.execute(sa.text("SHOW idle_in_transaction_session_timeout"))
            assert told.scalar_one() == "0"
    finally:
        await owner.stop()
        await database.close()


async def is_free(database: Database, shard: int) -> bool:
    """Whether nobody holds a lock on the lease of a shard."""
    lease = sa.select(tables.shards).where(tables.shards.c.shard == shard).with_for_update(skip_locked=True)
    async with database.begin() as connection:
        return (await connection.execute(lease)).first() is not None


async def test_a_replica_whose_database_was_away_owns_its_rooms_again(replicas: Replicas) -> None:
    one = await replicas.add()
    await until(lambda: len(one.runtime.ownership.held) == SHARDS)
    ownership = one.runtime.ownership
    assert isinstance(ownership, LeasedOwnership)
    round_, ownership._round = ownership._round, _unreachable  # type: ignore[method-assign]
    await until(lambda: not ownership.held)
    await replicas.take(one)
    ownership._round = round_  # type: ignore[method-assign]
    await replicas.all_done(one)


async def _unreachable() -> None:
    raise ConnectionRefusedError


async def test_a_write_from_a_room_into_one_of_another_replica_leaves_once(
    replicas: Replicas, homeserver: FakeHomeserver
) -> None:
    one, two = await replicas.add(), await replicas.add()
    await replicas.shared_out(one, two)
    mine = next(room for room in ROOMS if one.runtime.owns(room))
    theirs = next(room for room in ROOMS if two.runtime.owns(room))
    async with one.runtime.works.begin(mine) as work:
        await work.write(SendEvent("m.room.message", {"body": "moved"}), room_id=theirs)
    await one.idle()
    assert homeserver.texts(theirs) == ["moved"]
    assert homeserver.count("send", theirs) == 1


async def test_a_direct_chat_that_one_replica_learns_of_is_known_to_all(
    replicas: Replicas, homeserver: FakeHomeserver
) -> None:
    one, two = await replicas.add(), await replicas.add()
    await replicas.shared_out(one, two)
    await asyncio.gather(one.runtime.bus.listening(), two.runtime.bus.listening())
    for room in ROOMS[:4]:
        await one.take(membership(room, "invite", is_direct=True), txn_id=room)
    expected = set(ROOMS[:4])
    await until(lambda: one.runtime.direct_rooms == two.runtime.direct_rooms == expected)
    await two.take(*(membership(room, "leave") for room in ROOMS[:2]), txn_id="left")
    expected = set(ROOMS[2:4])
    await until(lambda: one.runtime.direct_rooms == two.runtime.direct_rooms == expected)


async def test_two_processes_on_one_sqlite_file_are_refused(sqlite_url: str) -> None:
    first = Database.open(sqlite_url)
    with pytest.raises(DatabaseInUse, match="in use by another process"):
        Database.open(sqlite_url)
    looking_in = Database.open(sqlite_url, exclusive=False)
    await looking_in.ping()
    await looking_in.close()
    await first.close()
    again = Database.open(sqlite_url)
    await again.close()


def test_every_shard_is_somebodys_whatever_the_number_of_replicas() -> None:
    for replicas in range(1, 100):
        assert fair_share(replicas) * replicas >= SHARDS
    assert fair_share(1) == SHARDS


def test_a_room_keeps_its_shard_between_versions() -> None:
    # These are stored with each row.
    assert [shard_of(room) for room in ("!room:hs", "!abc", "!é:hs", "!\ud800")] == [1, 23, 27, 61]
    assert {shard_of(f"!{n}:hs") for n in range(5_000)} == set(range(SHARDS))
