"""The bridge's neighbours: the database, the homeserver and the SFU, as the settings name them."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

import aiohttp
import structlog

from appservice.database import Database, is_outage
from appservice.namespace import Namespace
from appservice.runtime import Runtime, RuntimeSettings
from appservice.sender import SenderLimits
from appservice.web import IntakeLimits
from bridge.assembly.errors import CannotStart
from bridge.providers.visio.parts import SharedSfu
from bridge.rtc.membership import MEMBER_TYPE, STICKY_TYPES
from bridge.sfu.client import Sfu
from bridge.sfu.model import IceServer
from bridge.sfu.tokens import ApiKey
from bridge.store.migrate import migrate
from config.peers import Sfu as SfuSettings
from config.settings import Settings

log = structlog.get_logger()


async def open_runtime(settings: Settings, stack: contextlib.AsyncExitStack) -> Runtime:
    """The application-service runtime, on a database that is there and current.

    Raises:
        CannotStart: no tokens, or a database that refuses.
    """
    wanted = _runtime_settings(settings)
    database = await _open_database(settings, stack)
    session = await stack.enter_async_context(homeserver_session(settings))
    return Runtime(wanted, database, session)


async def open_sfu(settings: Settings, stack: contextlib.AsyncExitStack) -> SharedSfu | None:
    """The SFU with its key; None if there is no section ``sfu``."""
    if settings.sfu is None:
        return None
    key = ApiKey(settings.sfu.key, settings.sfu.secret.get_secret_value())
    return SharedSfu(await stack.enter_async_context(Sfu(settings.sfu.api_url, key)), key)


def ice_servers(sfu: SfuSettings) -> tuple[IceServer, ...]:
    """The STUN and TURN servers of the settings."""
    return tuple(
        IceServer(
            tuple(server.urls),
            server.username or "",
            server.credential.get_secret_value() if server.credential else "",
        )
        for server in sfu.ice_servers
    )


async def _open_database(settings: Settings, stack: contextlib.AsyncExitStack) -> Database:
    database = Database.open(settings.database.url.get_secret_value())
    stack.push_async_callback(database.close)
    told = False
    while True:
        try:
            await database.ping()
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


def homeserver_session(settings: Settings) -> aiohttp.ClientSession:
    """A session in which the homeserver can be asked."""
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
        lost_types=("m.room.member", MEMBER_TYPE, *STICKY_TYPES) if settings.rtc.enabled else (),
    )
