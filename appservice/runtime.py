"""The runtime in one piece: what an application builds, hands a handler, starts and stops."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field

import aiohttp
import structlog

from appservice import rooms
from appservice.bus import Bus
from appservice.catch_up import CatchUp
from appservice.client import Client
from appservice.clock import Clock, wall_clock
from appservice.database import Database, is_outage
from appservice.gate import Gate
from appservice.inbox import Inbox
from appservice.intents import Actors
from appservice.link import Link
from appservice.namespace import Namespace
from appservice.ownership import LeasedOwnership, LeaseTimes, Ownership, SoleOwner
from appservice.sender import Refusals, Sender, SenderLimits
from appservice.sharding import SHARDS, shard_of
from appservice.transaction import Interest
from appservice.unit_of_work import UnitsOfWork
from appservice.web import HomeserverFace, Intake, IntakeLimits
from appservice.worker import Handler, Worker, WorkerLimits

log = structlog.get_logger()

_PRUNE_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class RuntimeSettings:
    """What the runtime has to know.

    Attributes:
        homeserver_url: Base URL of the client-server API.
        appservice_id: Id in the registration.
        as_token: Our token towards the homeserver.
        hs_token: The homeserver's token towards us.
        namespace: Who is ours.
        display_name: The bot's name.
        avatar: The bot's picture, an ``mxc`` URI.
        intake: Limits of the intake.
        worker: Limits of the worker.
        sender: Limits of the sender.
        lease: How long a replica owns rooms without renewing it.
        watch_every_s: How often the homeserver is asked whether it is there, seconds: less than its restart
            takes, or what it lost then is not looked for.
        lost_types: Types of events that are read after an outage beside those that every application needs.
    """

    homeserver_url: str
    appservice_id: str
    as_token: str = field(repr=False)
    hs_token: str = field(repr=False)
    namespace: Namespace
    display_name: str
    avatar: str | None = None
    intake: IntakeLimits = field(default_factory=IntakeLimits)
    worker: WorkerLimits = field(default_factory=WorkerLimits)
    sender: SenderLimits = field(default_factory=SenderLimits)
    lease: LeaseTimes = field(default_factory=LeaseTimes)
    watch_every_s: float = 2.0
    lost_types: tuple[str, ...] = ()


class Runtime:
    """Inbox, outbox and everything between, for one process."""

    def __init__(
        self,
        settings: RuntimeSettings,
        database: Database,
        session: aiohttp.ClientSession,
        clock: Clock = wall_clock,
    ) -> None:
        self.settings = settings
        self.database = database
        self.clock = clock
        self.client = Client(settings.homeserver_url, settings.as_token, session)
        self.actors = Actors(self.client, settings.namespace)
        self._database_gate = Gate(database.ping, name="database", is_open=True)
        replica = uuid.uuid4().hex
        self.bus = Bus(database, replica)
        self.ownership: Ownership = (
            LeasedOwnership(database, replica, settings.lease) if database.is_postgres else SoleOwner()
        )
        self.works = UnitsOfWork(database, self.ownership, clock)
        self.inbox = Inbox(database, clock)
        catch_up = CatchUp(
            database,
            self.ownership,
            self.works,
            self.actors,
            self._take_lost,
            clock,
            settings.lost_types,
        )
        self.link = Link(
            self.actors,
            catch_up,
            clock,
            appservice_id=settings.appservice_id,
            display_name=settings.display_name,
            avatar=settings.avatar,
            watch_every_s=settings.watch_every_s,
            is_alone=lambda: len(self.ownership.held) == SHARDS,
        )
        self.gate = self.link.gate
        self.direct_rooms: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []

    def build(self, handler: Handler, interest: Interest, refusals: Refusals) -> None:
        """Put the application's own parts in. Call once, before `start`."""
        self.worker = Worker(
            self.database,
            self.ownership,
            self.works,
            self.actors,
            self.gate,
            handler,
            self.clock,
            self.settings.worker,
        )
        self.sender = Sender(
            self.database,
            self.ownership,
            self.works,
            self.actors,
            self.gate,
            refusals,
            self.clock,
            self.settings.sender,
        )
        self.intake = Intake(
            self.inbox, interest, self._arrived, self.clock, self.settings.intake, self.link.caught_up
        )
        self.face = HomeserverFace(
            self.intake, self.settings.hs_token, self.settings.namespace, self._database_gate.close
        )
        self.works.on_direct(self._direct_changed)
        self.bus.subscribe("inbox", lambda hint: self.worker.poke(str(hint["room_id"])))
        self.bus.subscribe(
            "direct", lambda hint: self._note_direct(str(hint["room_id"]), bool(hint["direct"]))
        )
        # We told the homeserver to send again later; "later" may be ten minutes for it.
        self._database_gate.on_reopened(self.link.make_good_soon)

    async def start(self) -> None:
        """Own rooms, start working, ask the homeserver to send what it holds. Does not need it to answer."""
        async with self.database.connect() as connection:
            self.direct_rooms |= await rooms.direct_rooms(connection)
        await self.bus.start()
        await self.ownership.start()
        self.worker.start()
        self.sender.start()
        self._tasks.append(asyncio.create_task(self._pruning(), name="inbox-prune"))
        self._tasks.append(asyncio.create_task(self._measuring(), name="inbox-measure"))
        await self._database_gate.wait()  # or the homeserver would be pinged for both
        self.link.start()

    async def stop(self, patience_s: float = 5.0) -> None:
        """Finish what is under way, give the rooms back. The HTTP face must have stopped taking in."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(self.worker.stop(patience_s), self.sender.stop(patience_s))
        await self.link.stop()
        await self._database_gate.stop()
        await self.bus.stop()
        await self.ownership.stop()

    def owns(self, room_id: str) -> bool:
        """Whether this process works on a room right now."""
        return shard_of(room_id) in self.ownership.held

    async def _take_lost(self, events: list[object]) -> int:
        return await self.intake.take_events(events)

    def _arrived(self, room_id: str) -> None:
        if self.owns(room_id):
            self.worker.poke(room_id)
        else:
            self.bus.publish("inbox", {"room_id": room_id})

    def _direct_changed(self, room_id: str, direct: bool) -> None:
        if (room_id in self.direct_rooms) != direct:
            self._note_direct(room_id, direct)
            self.bus.publish("direct", {"room_id": room_id, "direct": direct})

    def _note_direct(self, room_id: str, direct: bool) -> None:
        if direct:
            self.direct_rooms.add(room_id)
        else:
            self.direct_rooms.discard(room_id)

    async def _measuring(self) -> None:
        while True:
            try:
                self.intake.backlog.measured(await self.inbox.count("waiting"))
                if self.database.is_postgres:
                    await self._refresh_direct()
            except Exception as error:
                log.debug("inbox.not_measured", error=type(error).__name__)
            await asyncio.sleep(self.settings.intake.measure_every_s)

    async def _refresh_direct(self) -> None:
        """Learn of direct chats whose hint was lost: what their people write is for the bot."""
        before = set(self.direct_rooms)
        async with self.database.connect() as connection:
            found = await rooms.direct_rooms(connection)
        # Only the differences, so that a hint that came while we read is not undone.
        self.direct_rooms |= found - before
        self.direct_rooms -= before - found

    async def _pruning(self) -> None:
        while True:
            try:
                await self.inbox.prune()
            except Exception as error:
                log.warning("inbox.prune_failed", error=type(error).__name__, outage=is_outage(error))
            await asyncio.sleep(_PRUNE_EVERY_S)
