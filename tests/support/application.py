"""An application service on the runtime, in the test's own process, to be stopped, crashed and doubled."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import sqlalchemy as sa
from aiohttp import web
from aiohttp.test_utils import TestServer

from appservice import tables
from appservice.clock import Clock, wall_clock
from appservice.database import Database
from appservice.errors import MatrixError
from appservice.events import Event
from appservice.namespace import Namespace
from appservice.operations import Operation
from appservice.ownership import LeaseTimes
from appservice.rooms import RoomFacts
from appservice.runtime import Runtime, RuntimeSettings
from appservice.sender import SenderLimits
from appservice.sharding import SHARDS
from appservice.transaction import Interest
from appservice.unit_of_work import UnitOfWork
from appservice.worker import WorkerLimits
from bridge.demo.peers.synapse import Synapse
from tests.support.databases import open_with_tables
from tests.support.fake_homeserver import FakeHomeserver
from tests.support.waiting import until

BOT = "@visio:hs"
NAMESPACE = Namespace("hs", "visio", "visio_")
HS_TOKEN = "hs-token"
ROOM = "!room:hs"

_numbers = itertools.count(1)


def event(room_id: str = ROOM, event_id: str | None = None, **fields: Any) -> dict[str, Any]:
    """A raw event as a homeserver pushes it: a message that is for us, unless told otherwise."""
    number = next(_numbers)
    return {
        "event_id": event_id or f"$event{number}",
        "room_id": room_id,
        "type": "m.room.message",
        "sender": "@alice:hs",
        "origin_server_ts": 1_700_000_000_000 + number,
        "content": {"msgtype": "m.text", "body": f"!{number}"},
        **fields,
    }


def membership(room_id: str, value: str, user_id: str = BOT, **content: Any) -> dict[str, Any]:
    """A raw membership event."""
    return event(room_id, type="m.room.member", state_key=user_id, content={"membership": value, **content})


def transaction(*events: object) -> bytes:
    """The body of a transaction."""
    return orjson.dumps({"events": list(events)})


def everything(raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """An interest in every event that has content."""
    content = raw.get("content")
    return content if isinstance(content, dict) else {}


Act = Callable[[Event, RoomFacts, UnitOfWork], Awaitable[None]]


async def nothing(event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
    """Do nothing about an event."""


class App:
    """The application: remembers what it was handed, and does with it what the test says.

    Attributes:
        begun: Ids of events in the order in which handling began, repeats included.
        handled: Ids of events whose handling was committed.
        facts: What the room's facts were for each handled event.
        refused: Operations that the homeserver refused, with slot and error.
    """

    def __init__(self, act: Act = nothing) -> None:
        self.act = act
        self.begun: list[str] = []
        self.handled: list[str] = []
        self.events: list[Event] = []
        self.facts: dict[str, RoomFacts] = {}
        self.refused: list[tuple[Operation, str | None, MatrixError]] = []
        self.on_refused: Callable[[Operation, UnitOfWork], Awaitable[None]] | None = None

    async def handle(self, event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        self.begun.append(event.event_id)
        await self.act(event, facts, work)

        def done() -> None:
            self.handled.append(event.event_id)
            self.events.append(event)
            self.facts[event.event_id] = facts

        work.after_commit(done)

    async def refused_by(
        self, operation: Operation, slot: str | None, error: MatrixError, work: UnitOfWork
    ) -> None:
        if self.on_refused is not None:
            await self.on_refused(operation, work)
        work.after_commit(lambda: self.refused.append((operation, slot, error)))


class _Refusals:
    def __init__(self, app: App) -> None:
        self._app = app

    async def refused(
        self, operation: Operation, slot: str | None, error: MatrixError, work: UnitOfWork
    ) -> None:
        await self._app.refused_by(operation, slot, error, work)


QUICK = RuntimeSettings(
    homeserver_url="",
    appservice_id="passerelle",
    as_token="as-token",
    hs_token=HS_TOKEN,
    namespace=NAMESPACE,
    display_name="Visio",
    worker=WorkerLimits(retry_delays_ms=(10, 20, 40), facts_wait_ms=20, look_every_s=0.2),
    sender=SenderLimits(first_wait_ms=10, look_every_s=0.2),
    lease=LeaseTimes(lease_ms=LeaseTimes().lease_ms, renew_s=0.15),
)


class Service:
    """One process' worth of an application service.

    Attributes:
        address: Where the homeserver sends transactions.
    """

    def __init__(self, runtime: Runtime, app: App, session: aiohttp.ClientSession) -> None:
        self.runtime = runtime
        self.app = app
        self.address = ""
        self._session = session
        self._server: TestServer | None = None
        self._running = False

    @property
    def database(self) -> Database:
        return self.runtime.database

    async def start(self, *, wait: bool = True) -> None:
        """Start, and by default wait until the homeserver has answered and every room is ours."""
        await self.runtime.start()
        self._running = True
        if wait:
            await until(lambda: self.runtime.gate.is_open and len(self.runtime.ownership.held) == SHARDS)

    async def listen(self, port: int | None = None) -> None:
        """Open the HTTP face, on a free port if none is given."""
        application = web.Application()
        application.add_routes(self.runtime.face.routes())
        self._server = TestServer(application, port=port)
        await self._server.start_server()
        self.address = str(self._server.make_url("")).rstrip("/")

    async def deaf(self) -> None:
        """Close the HTTP face."""
        if self._server is not None:
            await self._server.close()
            self._server = None

    async def stop(self, patience_s: float = 5.0) -> None:
        """Stop in order."""
        await self.deaf()
        if self._running:
            self._running = False
            await self.runtime.stop(patience_s)
        await self.runtime.database.close()

    async def crash(self, *, leases_run_out: bool = True) -> None:
        """Stop wherever it is: nothing is finished, no lease is given back.

        A lease is soon over; with ``leases_run_out`` no time need pass for it.
        """
        self._running = False
        runtime = self.runtime
        tasks: list[asyncio.Task[None] | None] = [*runtime._tasks, *runtime.bus._tasks, *runtime.link._tasks]
        tasks += [runtime.gate._task, runtime._database_gate._task]
        tasks.append(getattr(runtime.ownership, "_task", None))
        runtime.link._not_again()
        for rooms in (runtime.worker._rooms, runtime.sender._rooms):
            rooms._stopping = True
            tasks += [rooms._looking, *rooms._running.values()]
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)
        if leases_run_out:
            async with self.database.begin() as connection:
                await connection.execute(sa.update(tables.shards).values(until_ts=0))
                await connection.execute(sa.update(tables.replicas).values(seen_ts=0))
        await self.stop()

    async def take(self, *events: object, txn_id: str = "1") -> None:
        """Take a transaction in, without HTTP."""
        await self.runtime.intake.take(txn_id, transaction(*events))

    async def push(self, txn_id: str, body: bytes, token: str | None = HS_TOKEN) -> aiohttp.ClientResponse:
        """Push a transaction over HTTP."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        response = await self._session.put(
            f"{self.address}/_matrix/app/v1/transactions/{txn_id}", data=io.BytesIO(body), headers=headers
        )
        await response.read()
        return response

    async def write(self, operation: Operation, *, slot: str | None = None, room_id: str = ROOM) -> None:
        """Put an operation into a room's outbox, in a unit of work of its own."""
        async with self.runtime.works.begin(room_id) as work:
            await work.write(operation, slot=slot)

    async def rows(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> list[sa.Row[Any]]:
        """The rows of a table, in order."""
        query = sa.select(table).where(*where).order_by(*table.primary_key.columns)
        async with self.database.connect() as connection:
            return list((await connection.execute(query)).all())

    async def is_idle(self) -> bool:
        """Whether nothing waits, in or out."""
        waiting = await self.rows(tables.inbox, tables.inbox.c.state == "waiting")
        return not waiting and not await self.rows(tables.outbox)

    async def idle(self, timeout: float = 30) -> None:
        """Wait until nothing waits."""
        await until(self.is_idle, timeout)


async def make_tables(database: Database) -> None:
    """Make the runtime's tables."""
    async with database.begin() as connection:
        await connection.run_sync(tables.metadata.create_all)


@asynccontextmanager
async def service(
    url: str,
    homeserver: FakeHomeserver | Synapse,
    app: App | None = None,
    *,
    interest: Interest = everything,
    clock: Clock = wall_clock,
    start: bool = True,
    **settings: Any,
) -> AsyncIterator[Service]:
    """A service on a database, whose tables are made if they are not there."""
    database = await open_with_tables(url, make_tables)
    session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
    given = dataclasses.replace(QUICK, homeserver_url=homeserver.url, **settings)
    app = app or App()
    runtime = Runtime(given, database, session, clock)
    runtime.build(app, interest, _Refusals(app))
    made = Service(runtime, app, session)
    try:
        if start:
            await made.start()
        yield made
    finally:
        await made.stop()
        await session.close()
