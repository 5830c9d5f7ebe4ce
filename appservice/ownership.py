"""Which rooms this process works on, so that replicas share the work and never double it.

A process owns shards of rooms (`appservice.sharding`). With SQLite it is alone and owns them all. With
PostgreSQL a shard is a lease row: owner, expiry, and a fence that grows with each change of owner.
Every unit of work checks the fence inside its own transaction, so a process that was asleep while its
lease ran out cannot commit anything. Rows, not session locks: connection poolers keep them apart from
connections.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from appservice.database import Database, is_outage
from appservice.sharding import SHARDS, fair_share
from appservice.tables import replicas, shards

log = structlog.get_logger()

_FORGET_REPLICA_MS = 3_600_000

Gained = Callable[[frozenset[int]], None]
"""Told which shards this process has just become the owner of."""


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """How long a lease holds, milliseconds, and how often it is renewed, seconds."""

    lease_ms: int = 6_000
    renew_s: float = 2.0


class NotOwner(Exception):
    """This process does not own the room any more; whatever it was doing belongs to another one now."""


class Ownership(Protocol):
    """What the runtime asks of either way of owning rooms."""

    @property
    def held(self) -> frozenset[int]:
        """The shards that are ours right now."""

    def on_gained(self, callback: Gained) -> None:
        """Call back with shards as they become ours."""

    async def guard(self, connection: AsyncConnection, shard: int) -> None:
        """Check inside a transaction that a shard is still ours, and keep it so until the commit.

        Raises:
            NotOwner: it is not.
        """

    async def start(self) -> None:
        """Take what is free."""

    async def stop(self) -> None:
        """Give everything back, so that another process need not wait for the leases to run out."""


class SoleOwner:
    """Owns everything: the SQLite file's lock already keeps other processes away."""

    def __init__(self) -> None:
        self._held: frozenset[int] = frozenset()
        self._callbacks: list[Gained] = []

    @property
    def held(self) -> frozenset[int]:
        """All shards once started."""
        return self._held

    def on_gained(self, callback: Gained) -> None:
        """Called once, at the start."""
        self._callbacks.append(callback)

    async def guard(self, connection: AsyncConnection, shard: int) -> None:
        """Nobody else can be the owner; only a process that is stopping is not."""
        if shard not in self._held:
            raise NotOwner(f"shard {shard}")

    async def start(self) -> None:
        """Own everything."""
        self._held = frozenset(range(SHARDS))
        for callback in self._callbacks:
            callback(self._held)

    async def stop(self) -> None:
        """Own nothing."""
        self._held = frozenset()


class LeasedOwnership:
    """Shares the shards with the other replicas on one PostgreSQL."""

    def __init__(self, database: Database, replica: str, times: LeaseTimes | None = None) -> None:
        self._database = database
        self._replica = replica
        self._times = times or LeaseTimes()
        # How long a transaction of ours may stand still. A machine that vanishes in the middle of one would
        # keep its rooms' lease rows locked until the server notices, which takes TCP two hours. One that
        # comes back after its lease has lost the rooms anyway.
        self._idle_ms = str(self._times.lease_ms)
        self._fences: dict[int, int] = {}
        self._good_until = 0.0
        self._callbacks: list[Gained] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def held(self) -> frozenset[int]:
        """Shards whose lease, by this process's own clock, has not run out."""
        return frozenset(self._fences) if time.monotonic() < self._good_until else frozenset()

    def on_gained(self, callback: Gained) -> None:
        """Called after each round that brought shards."""
        self._callbacks.append(callback)

    async def guard(self, connection: AsyncConnection, shard: int) -> None:
        """Lock the lease row in share mode: a change of owner has to wait for our commit."""
        fence = self._fences.get(shard)
        row = (
            await connection.execute(
                sa.select(
                    shards.c.owner,
                    shards.c.fence,
                    sa.func.set_config("idle_in_transaction_session_timeout", self._idle_ms, True),
                )
                .where(shards.c.shard == shard)
                .with_for_update(read=True)
            )
        ).first()
        if fence is None or row is None or row.owner != self._replica or row.fence != fence:
            raise NotOwner(f"shard {shard}")

    async def start(self) -> None:
        """Make the lease rows if this is the first replica ever, take a first round, go on renewing."""
        async with self._database.begin() as connection:
            await connection.execute(
                pg_insert(shards).values([{"shard": n} for n in range(SHARDS)]).on_conflict_do_nothing()
            )
        await self._round()
        self._task = asyncio.create_task(self._renew(), name="ownership")

    async def stop(self) -> None:
        """Stop renewing and free the leases."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._fences = {}
        try:
            async with self._database.begin() as connection:
                await connection.execute(
                    sa.update(shards)
                    .where(shards.c.owner == self._replica)
                    .values(owner=None, until_ts=0, fence=shards.c.fence + 1)
                )
                await connection.execute(sa.delete(replicas).where(replicas.c.replica == self._replica))
        except Exception as error:
            # The leases run out by themselves.
            log.warning("ownership.release_failed", error=type(error).__name__)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._times.renew_s)
            try:
                await self._round()
            except Exception as error:
                log.warning("ownership.renewal_failed", error=type(error).__name__, outage=is_outage(error))

    async def _round(self) -> None:
        asked_at = time.monotonic()
        async with self._database.begin() as connection:
            # A lease that is lost with the server's memory has run out by the time the server is back.
            await connection.execute(sa.text("SET LOCAL synchronous_commit = off"))
            now = await self._database_time(connection)
            peers = await self._report(connection, now)
            kept = await connection.execute(
                sa.update(shards)
                .where(shards.c.owner == self._replica, shards.c.until_ts > now)
                .values(until_ts=now + self._times.lease_ms)
                .returning(shards.c.shard, shards.c.fence)
            )
            fences = {row.shard: row.fence for row in kept}
            share = fair_share(peers)
            if len(fences) > share:
                fences = await self._give_back(connection, fences, share)
            taken = await self._take(connection, now, share - len(fences)) if len(fences) < share else {}
        gained = frozenset(taken) | (frozenset(fences) - frozenset(self._fences))
        self._fences = {**fences, **taken}
        # Counted from before the question was asked, so that our clock runs out before the database's.
        self._good_until = asked_at + self._times.lease_ms / 1000
        if gained:
            log.info("ownership.gained", shards=len(gained), held=len(self._fences), replicas=peers)
            for callback in self._callbacks:
                callback(gained)

    async def _database_time(self, connection: AsyncConnection) -> int:
        # One clock for all replicas, whatever their machines say.
        return int(
            (
                await connection.execute(
                    sa.text("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
                )
            ).scalar_one()
        )

    async def _report(self, connection: AsyncConnection, now: int) -> int:
        """Say that we live; answer how many do."""
        await connection.execute(
            pg_insert(replicas)
            .values(replica=self._replica, seen_ts=now)
            .on_conflict_do_update(index_elements=["replica"], set_={"seen_ts": now})
        )
        await connection.execute(sa.delete(replicas).where(replicas.c.seen_ts < now - _FORGET_REPLICA_MS))
        alive = sa.select(sa.func.count()).where(replicas.c.seen_ts > now - self._times.lease_ms)
        return int((await connection.execute(alive)).scalar_one())

    async def _give_back(
        self, connection: AsyncConnection, fences: dict[int, int], share: int
    ) -> dict[int, int]:
        extra = sorted(fences)[share:]
        await connection.execute(
            sa.update(shards).where(shards.c.shard.in_(extra)).values(owner=None, until_ts=0)
        )
        return {shard: fence for shard, fence in fences.items() if shard not in extra}

    async def _take(self, connection: AsyncConnection, now: int, count: int) -> dict[int, int]:
        free = (
            sa.select(shards.c.shard)
            .where(shards.c.until_ts <= now)
            .order_by(shards.c.shard)
            .limit(count)
            .with_for_update(skip_locked=True)
        )
        taken = await connection.execute(
            sa.update(shards)
            .where(shards.c.shard.in_(free))
            .values(owner=self._replica, until_ts=now + self._times.lease_ms, fence=shards.c.fence + 1)
            .returning(shards.c.shard, shards.c.fence)
        )
        return {row.shard: row.fence for row in taken}
