"""The composition root: settings in, a running bridge out. With ``cli``, the only place that knows them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version

import aiohttp
import structlog
import uvloop
from aiohttp import web
from prometheus_client import CollectorRegistry

from appservice.clock import wall_clock
from appservice.database import Database, DatabaseInUse, is_outage
from appservice.namespace import Namespace
from appservice.runtime import Runtime, RuntimeSettings
from appservice.sender import SenderLimits
from appservice.web import IntakeLimits
from bridge import logs
from bridge.calls.lifecycle import Timings, resumable
from bridge.calls.ports import Provider
from bridge.chat.announcements import RoomAnnouncements
from bridge.chat.commands import CommandDesk
from bridge.chat.doorman import HomeserverDoorman
from bridge.chat.handler import RoomHandler
from bridge.chat.room_life import RoomLife
from bridge.chat.styles import RoomStyles
from bridge.commands import grammar
from bridge.commands.request import House
from bridge.health import Health
from bridge.intake import interest
from bridge.keeper.agenda import Agenda
from bridge.keeper.housekeeping import Housekeeping
from bridge.keeper.ledger import Ledger
from bridge.keeper.reconciler import Reconciler
from bridge.keeper.watch import Watch
from bridge.locale import Voice
from bridge.metrics import instrument
from bridge.policy import Policy
from bridge.projections.card_words import CardStyle
from bridge.providers.livekit import LivekitProvider, sfu_room_of
from bridge.providers.parts import TOKEN_TTL_MS, ProviderParts
from bridge.sfu.client import Sfu
from bridge.sfu.receiver import WebhookReceiver
from bridge.sfu.tokens import ApiKey
from bridge.sfu.webhook_route import webhook_routes
from bridge.sfu.webhooks import Hint
from bridge.store.calls import CallStore
from bridge.store.migrate import migrate
from bridge.web.desk import Desk, IceServer
from bridge.web.routes import routes as page_routes
from bridge.web.static_page import StaticPage
from config.settings import Settings

log = structlog.get_logger()

_PATIENCE_S = 4.0
_GONE = frozenset({"participant_left", "participant_connection_aborted"})


class CannotStart(Exception):
    """The settings are valid, but the bridge cannot run with them.

    The message says what is wrong and what the administrator can do.
    """


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
        log.info("running", version=version("passerelle"), bot=parts.runtime.settings.namespace.bot_id)
        # Stopping begins with the listeners: what was pushed last on the stack goes first.
        stack.push_async_callback(parts.stop)
        yield


@dataclass(frozen=True, slots=True)
class _Parts:
    """What runs, and in which order it starts and stops."""

    runtime: Runtime
    watch: Watch
    agenda: Agenda
    housekeeping: Housekeeping
    internal: web.Application
    public: web.Application | None

    async def start(self) -> None:
        await self.runtime.start()
        await self.watch.start()
        self.agenda.start()
        self.housekeeping.start()

    async def stop(self) -> None:
        await self.housekeeping.stop()
        await self.watch.stop()
        await self.agenda.stop(_PATIENCE_S)
        await self.runtime.stop(_PATIENCE_S)


async def _assemble(settings: Settings, stack: contextlib.AsyncExitStack) -> _Parts:
    if settings.calls.provider != LivekitProvider.name or settings.sfu is None:
        raise CannotStart(
            "calls.provider: this version opens meetings with “livekit”, which needs the section sfu"
        )
    database = await _database(settings, stack)
    session = await stack.enter_async_context(_homeserver_session(settings))
    runtime = Runtime(_runtime_settings(settings), database, session)
    key = ApiKey(settings.sfu.key, settings.sfu.secret.get_secret_value())
    sfu = await stack.enter_async_context(Sfu(settings.sfu.api_url, key))
    provider = LivekitProvider(
        ProviderParts(sfu, key, settings.web.public_url or "", settings.calls.max_participants)
    )
    calls = _calls(settings, runtime, {provider.name: provider})
    receiver = WebhookReceiver(
        key, is_ours=calls.watch.is_ours, on_hint=_hinting(calls.watch), clock=runtime.clock
    )
    registry = CollectorRegistry()
    instrument(registry, runtime, calls.watch, receiver)

    async def ask_sfu() -> None:
        await sfu.rooms([sfu_room_of("health")])

    async def ask_homeserver() -> None:
        await runtime.actors.bot.whoami()

    health = Health(database.ping, {"homeserver": ask_homeserver, "sfu": ask_sfu}, registry)
    internal = web.Application()
    internal.add_routes([*runtime.face.routes(), *webhook_routes(receiver), *health.routes()])
    public = web.Application()
    public.add_routes(page_routes(_desk(settings, calls, provider), StaticPage()))
    return _Parts(runtime, calls.watch, calls.agenda, calls.housekeeping, internal, public)


async def _database(settings: Settings, stack: contextlib.AsyncExitStack) -> Database:
    database = Database.open(settings.database.url.get_secret_value())
    stack.push_async_callback(database.close)
    told = False
    while True:
        try:
            await migrate(database)
        except Exception as error:
            if not is_outage(error):
                raise CannotStart(f"database.url: the database refuses: {_first_line(error)}") from error
            # The database may come up after us, as on the boot of a machine.
            if not told:
                url = database.engine.url
                log.warning("database.away", host=url.host, port=url.port, why=type(error).__name__)
            told = True
            await asyncio.sleep(1)
            continue
        return database


def _first_line(error: Exception) -> str:
    """What the driver says, without SQLAlchemy's additions."""
    cause = getattr(error, "orig", None) or error
    return str(cause).partition("\n")[0]


def _homeserver_session(settings: Settings) -> aiohttp.ClientSession:
    context: ssl.SSLContext | bool = True
    if settings.homeserver.ca_file is not None:
        context = ssl.create_default_context(cafile=str(settings.homeserver.ca_file))
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context, limit=64),
        timeout=aiohttp.ClientTimeout(total=35, connect=5),
    )


def _runtime_settings(settings: Settings) -> RuntimeSettings:
    service = settings.appservice
    if service.as_token is None or service.hs_token is None:
        raise CannotStart("appservice: no tokens; run “passerelle register” first")
    return RuntimeSettings(
        homeserver_url=settings.homeserver.url,
        appservice_id=service.id,
        as_token=service.as_token.get_secret_value(),
        hs_token=service.hs_token.get_secret_value(),
        namespace=Namespace(settings.homeserver.server_name, service.bot, service.ghost_prefix),
        display_name=settings.bot.display_name,
        avatar=settings.bot.avatar,
        intake=IntakeLimits(max_body=settings.limits.max_body),
        sender=SenderLimits(rooms_at_once=settings.limits.sends_at_once),
    )


@dataclass(frozen=True, slots=True)
class _Calls:
    """The keeper's parts, wired together."""

    store: CallStore
    watch: Watch
    agenda: Agenda
    housekeeping: Housekeeping
    timings: Timings


def _calls(settings: Settings, runtime: Runtime, providers: dict[str, Provider]) -> _Calls:
    namespace = runtime.settings.namespace
    timings = Timings(
        grace_ms=_ms(settings.calls.grace),
        open_timeout_ms=_ms(settings.calls.open_timeout),
        resume_window_ms=_ms(settings.calls.resume_window),
        clock_ms=_ms(settings.calls.clock),
    )
    policy = Policy(settings.policy, settings.homeserver.server_name)
    styles = RoomStyles(
        CardStyle(
            voice=Voice(settings.bot.language, settings.bot.timezone, settings.commands.prefix),
            names=settings.calls.names,
            visio_url=settings.visio.url if settings.visio else None,
            max_participants=settings.calls.max_participants,
        )
    )
    store = CallStore(runtime.database)
    ledger = Ledger(
        styles.of_call,
        timings,
        max_participants=settings.calls.max_participants,
        keep_names=settings.calls.names == "keep",
    )
    reconciler = Reconciler(
        works=runtime.works,
        calls=store,
        ledger=ledger,
        providers=providers,
        timings=timings,
        announcements=RoomAnnouncements(styles, namespace.bot_id),
        doorman=HomeserverDoorman(
            runtime.actors, runtime.database, policy, large_room=settings.limits.large_room
        ),
        clock=runtime.clock,
        token_ttl_ms=TOKEN_TTL_MS,
    )
    agenda = Agenda(reconciler.look, runtime.clock)
    watch = Watch(store, agenda, runtime.ownership, runtime.bus, runtime.clock, timings)
    housekeeping = Housekeeping(runtime.database, runtime.clock)
    ledger.on_stored(watch.stored)
    ledger.on_stored(housekeeping.stored)
    house = House(
        ledger=ledger,
        policy=policy,
        provider=settings.calls.provider,
        own_server=namespace.server_name,
        support=settings.bot.support or "",
        version=version("passerelle"),
        adopts=False,
    )
    desk = CommandDesk(
        house, styles, prefix=settings.commands.prefix, max_age_ms=_ms(settings.commands.max_age)
    )
    life = RoomLife(
        ledger=ledger,
        policy=policy,
        styles=styles,
        bot_id=namespace.bot_id,
        own_server=namespace.server_name,
        organisation=settings.bot.organisation or "",
    )
    wanted = interest(namespace, settings.commands.prefix, runtime.direct_rooms, grammar.concerns_us)
    runtime.build(RoomHandler(desk, life), wanted, life)
    return _Calls(store, watch, agenda, housekeeping, timings)


def _desk(settings: Settings, calls: _Calls, provider: LivekitProvider) -> Desk:
    assert settings.sfu is not None
    servers = tuple(
        IceServer(
            tuple(server.urls),
            server.username or "",
            server.credential.get_secret_value() if server.credential else "",
        )
        for server in settings.sfu.ice_servers
    )
    return Desk(
        find=lambda link_id: calls.store.by_sfu_room(sfu_room_of(link_id)),
        resumable=lambda call: resumable(call, wall_clock(), calls.timings),
        provider=provider,
        tokens=provider,
        joined=calls.watch.expect,
        sfu_url=settings.sfu.url,
        ice_servers=servers,
        max_participants=settings.calls.max_participants,
        language=settings.bot.language,
    )


def _hinting(watch: Watch) -> Callable[[Hint], None]:
    def hint(webhook: Hint) -> None:
        gone = (webhook.identity,) if webhook.kind in _GONE and webhook.identity else ()
        watch.hint_room(webhook.room_name, gone)

    return hint


async def _listen(
    application: web.Application, host: str, port: int, stack: contextlib.AsyncExitStack
) -> None:
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise CannotStart(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


def _ms(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
