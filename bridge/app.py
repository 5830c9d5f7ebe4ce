"""A running bridge from settings, started and stopped in order. Its parts are put together in `assembly`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib.metadata import version

import structlog
import uvloop
from aiohttp import web

from appservice.database import DatabaseInUse
from appservice.runtime import Runtime
from bridge import logs
from bridge.assembly.errors import CannotStart
from bridge.assembly.faces import internal_face, public_face
from bridge.assembly.keeping import Keeping, keep
from bridge.assembly.meetings import open_meetings
from bridge.assembly.native import NativeCalls, open_native_calls
from bridge.assembly.neighbours import open_runtime, open_sfu
from bridge.health import Health
from bridge.rtc.limits import MOST_ADDRESS
from config.settings import Settings

log = structlog.get_logger()

_PATIENCE_S = 4.0


def run(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; answers the exit code."""
    logs.configure(settings.logging.level, settings.logging.format)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_signal(settings))
    except (CannotStart, DatabaseInUse) as error:
        log.error("cannot.start", why=str(error))
        return 1
    return 0


async def _until_signal(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        # Starting may wait for a database that is away; a signal ends that too.
        starting = asyncio.create_task(stack.enter_async_context(bridge(settings)))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting
        await stopping
        log.info("stopping")


@contextlib.asynccontextmanager
async def bridge(settings: Settings) -> AsyncIterator[None]:
    """A running bridge, for as long as the context lasts.

    Raises:
        CannotStart: the settings name something that this version or this machine does not have.
        DatabaseInUse: another process has the SQLite file.
    """
    async with contextlib.AsyncExitStack() as stack:
        parts = await _assemble(settings, stack)
        await _listen(parts.internal, settings.appservice.listen.host, settings.appservice.listen.port, stack)
        if parts.public is not None:
            await _listen(parts.public, settings.web.listen.host, settings.web.listen.port, stack)
        await parts.start()
        log.info(
            "running",
            version=version("passerelle"),
            bot=parts.runtime.settings.namespace.bot_id,
            internal=str(settings.appservice.listen),
            web=str(settings.web.listen) if parts.public is not None else None,
            public_url=settings.web.public_url,
        )
        # What was pushed last goes first: the work stops, and then the listeners close.
        stack.push_async_callback(parts.stop)
        await parts.health.tell()
        yield


@dataclass(frozen=True, slots=True)
class _Parts:
    """What runs, and in which order it starts and stops."""

    runtime: Runtime
    keeping: Keeping
    health: Health
    native: NativeCalls | None
    internal: web.Application
    public: web.Application | None

    async def start(self) -> None:
        await self.runtime.start()
        await self.keeping.watch.start()
        self.keeping.agenda.start()
        self.keeping.housekeeping.start()
        if self.native is not None:
            await self.native.start()

    async def stop(self) -> None:
        if self.native is not None:
            await self.native.stop()
        await self.keeping.housekeeping.stop()
        await self.keeping.watch.stop()
        await self.keeping.agenda.stop(_PATIENCE_S)
        await self.runtime.stop(_PATIENCE_S)


async def _assemble(settings: Settings, stack: contextlib.AsyncExitStack) -> _Parts:
    runtime = await open_runtime(settings, stack)
    meetings = open_meetings(settings, await open_sfu(settings, stack), stack)
    keeping = keep(settings, runtime, meetings)
    native = open_native_calls(settings, runtime, meetings, keeping, stack)
    gateway = native.gateway if native is not None else None
    internal, health = internal_face(settings, runtime, meetings, keeping, gateway)
    public = public_face(settings, meetings, keeping, native.routes() if native is not None else ())
    return _Parts(runtime, keeping, health, native, internal, public)


async def _listen(
    application: web.Application, host: str, port: int, stack: contextlib.AsyncExitStack
) -> None:
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=2.0, max_line_size=MOST_ADDRESS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise CannotStart(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
