"""What ``passerelle config check`` finds out about native calls from the homeserver itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from appservice.client import Client
from appservice.errors import HomeserverUnreachable, MatrixError
from bridge.assembly.native_keeping import service_url
from bridge.assembly.neighbours import homeserver_session
from bridge.rtc import transports
from config.problems import Notice
from config.settings import Settings

_PATIENCE_S = 3.0
_KEY = "rtc.enabled"


def with_what_is_advertised(settings: Settings, notices: Iterable[Notice]) -> tuple[Notice, ...]:
    """The notices, of which the one about the homeserver's configuration says how that really is.

    It stays as it is where the homeserver cannot be asked, and goes where there is nothing to do.

    Args:
        settings: All of them, with tokens.
        notices: Those that follow from the settings alone.
    """
    token = settings.appservice.as_token
    if not settings.rtc.enabled or token is None:
        return tuple(notices)
    try:
        found = asyncio.run(_ask(settings, token.get_secret_value()))
    except (MatrixError, HomeserverUnreachable, TimeoutError, OSError):
        return tuple(notices)
    others = tuple(notice for notice in notices if notice.key != _KEY)
    wrong = transports.judged(found, service_url(settings))
    return others if wrong is None else (Notice(_KEY, wrong.fact, wrong.advice), *others)


async def _ask(settings: Settings, token: str) -> transports.Advertised:
    async with asyncio.timeout(_PATIENCE_S), homeserver_session(settings) as session:
        return await transports.advertised(Client(settings.homeserver.url, token, session))
