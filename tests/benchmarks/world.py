"""The real servers that the measurements share: each is started when the first row asks for it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers import livekit as livekit_peer
from bridge.demo.peers import postgres as postgres_peer
from bridge.demo.peers import synapse as synapse_peer
from bridge.demo.peers.livekit import LiveKit
from bridge.demo.peers.passerelle import Passerelle, merged
from bridge.demo.peers.postgres import Postgres
from bridge.demo.peers.process import Peer
from bridge.demo.peers.synapse import Synapse
from tests.benchmarks.processes import Program
from tests.benchmarks.report import progress
from tests.benchmarks.rooms import rooms_with
from tests.support.bridges import bridge_settings
from tests.support.slots import Slot, Slots

Kind = Literal["SQLite", "PostgreSQL"]
KINDS: tuple[Kind, ...] = ("SQLite", "PostgreSQL")
"""The bridge's own databases. Synapse is always on PostgreSQL, as in production."""

P = TypeVar("P", bound=Peer)
T = TypeVar("T")


class World:
    """The servers, and whom they know. ``async with`` stops whatever was started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running = AsyncExitStack()
        self._made: dict[str, Any] = {}
        self._slots = Slots(folder / "registrations", "localhost:8448", 10)
        # Bridges with webhooks, one for each database, and the service that is their floor. The others
        # get none: a webhook that LiveKit kept while they were down would be a hint too many.
        names = (
            *("SQLite", "PostgreSQL", "floor", "quiet SQLite", "quiet PostgreSQL"),
            *("visio SQLite", "visio PostgreSQL", "native SQLite", "native PostgreSQL", "media"),
        )
        self.slots: dict[str, Slot] = dict(zip(names, self._slots.all, strict=False))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.aclose()

    async def postgres(self) -> Postgres:
        """PostgreSQL whose commits reach the disk."""

        async def make() -> Postgres:
            programs = postgres_peer.install()
            server = Postgres(self.folder / "postgres", programs=programs, durable=True)
            self._running.callback(server.remove)
            return await self.run(server)

        return await self._once("postgres", make)

    async def synapse(self) -> Synapse:
        """The homeserver."""

        async def make() -> Synapse:
            postgres = await self.postgres()
            database = postgres.synapse_database(await postgres.create_database())
            return await self.run(
                Synapse(
                    self.folder / "synapse",
                    python=synapse_peer.install(),
                    server_name=self._slots.server_name,
                    registrations=self._slots.registrations,
                    database=database,
                )
            )

        return await self._once("synapse", make)

    async def livekit(self) -> LiveKit:
        """The SFU; tells the first three slots what happens."""

        async def make() -> LiveKit:
            told = [
                f"{self.slots[name].internal_url}/livekit/webhook"
                for name in ("SQLite", "PostgreSQL", "floor")
            ]
            program = livekit_peer.install()
            return await self.run(LiveKit(self.folder / "livekit", program=program, webhooks=told))

        return await self._once("livekit", make)

    async def user(self) -> MatrixUser:
        """Somebody with a Matrix account, in sync."""

        async def make() -> MatrixUser:
            server = await self.synapse()
            user = await MatrixUser.register(server.url, "alice", secret=server.registration_secret)
            return await self._running.enter_async_context(user)

        return await self._once("user", make)

    async def bridge(self, kind: Kind) -> Passerelle:
        """A running bridge on such a database, with webhooks."""

        async def make() -> Passerelle:
            return await self.run(await self.new_bridge(kind, await self.new_database(kind)))

        return await self._once(f"bridge on {kind}", make)

    async def visio_bridge(self, kind: Kind, visio: Mapping[str, Any]) -> Passerelle:
        """A running bridge on such a database, whose meetings are Visio's; ``visio`` as in its settings."""
        over = {"calls": {"provider": "visio"}, "visio": dict(visio)}
        url = await self.new_database(kind, "visio")
        return await self.run(await self.new_bridge(kind, url, place=f"visio {kind}", over=over))

    async def native_bridge(self, kind: Kind) -> Passerelle:
        """A running bridge on such a database, with native calls."""
        url = await self.new_database(kind, "native")
        over = {"rtc": {"enabled": True}}
        return await self.run(await self.new_bridge(kind, url, place=f"native {kind}", over=over))

    async def floor(self) -> Program:
        """The bare application service, see `tests.benchmarks.bare_service`."""

        async def make() -> Program:
            slot, synapse = self.slots["floor"], await self.synapse()
            program = Program(
                "bare_service", self.folder / "floor", str(slot.file), synapse.url, port=slot.internal_port
            )
            return await self.run(program)

        return await self._once("floor", make)

    async def rooms(self, name: str, count: int) -> list[str]:
        """Rooms with the bot of a slot; what one row made, the next may use."""
        made: list[str] = self._made.setdefault(f"rooms with {name}", [])
        if len(made) < count:
            more = count - len(made)
            progress(f"making {more} rooms for {name}")
            made += await rooms_with(
                await self.user(), self.slots[name].bot_id, more, greeted=name != "floor"
            )
        return made[:count]

    async def new_database(self, kind: Kind, name: str = "bridge") -> str:
        """The address of an empty database."""
        if kind == "SQLite":
            return f"sqlite+aiosqlite:///{self.folder / f'{name}.db'}"
        postgres = await self.postgres()
        return postgres.sqlalchemy_url(await postgres.create_database())

    async def copy_of_database(self, kind: Kind, url: str, name: str) -> str:
        """The address of a copy of a database that nobody is connected to."""
        if kind == "SQLite":
            copy = self.folder / f"{name}.db"
            shutil.copyfile(url.partition("///")[2], copy)
            return f"sqlite+aiosqlite:///{copy}"
        postgres = await self.postgres()
        return postgres.sqlalchemy_url(await postgres.create_database(template=url.rpartition("/")[2]))

    async def new_bridge(
        self,
        kind: Kind,
        database_url: str,
        *,
        quiet: bool = False,
        place: str = "",
        over: Mapping[str, Any] | None = None,
    ) -> Passerelle:
        """A bridge, not started yet.

        Args:
            kind: Decides on the place at the homeserver.
            database_url: Where it keeps everything.
            quiet: Without webhooks.
            place: Its place by name, if it is another one.
            over: Laid over its configuration.
        """
        name = place or (f"quiet {kind}" if quiet else kind)
        slot = self.slots[name]
        settings = merged({"database": {"url": database_url}}, over or {})
        return Passerelle(
            self.folder / f"bridge-{name}",
            internal_port=slot.internal_port,
            public_port=slot.public_port,
            settings=bridge_settings(await self.synapse(), await self.livekit(), slot, settings),
        )

    async def run(self, peer: P) -> P:
        """Start a server; it is stopped with the world."""
        progress(f"starting {peer.name}")
        self._running.push_async_callback(peer.stop)
        await peer.start()
        return peer

    async def _once(self, name: str, make: Callable[[], Awaitable[T]]) -> T:
        if name not in self._made:
            self._made[name] = asyncio.ensure_future(make())
        made: T = await self._made[name]
        return made
