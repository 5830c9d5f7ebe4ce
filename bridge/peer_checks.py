"""Small questions to the database and to our peers, whose refusals come with advice for the admin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from appservice.database import DatabaseIsReadOnly
from appservice.errors import MatrixError
from bridge.calls.ports import ProviderFailure
from bridge.health import Probe, Refuses
from bridge.rtc import transports
from bridge.rtc.transports import Advertised
from bridge.sfu.twirp import SfuRefused

_WELL_FRESH_MS = 60_000
_ILL_FRESH_MS = 5_000


def database_check(ping: Callable[[], Awaitable[None]]) -> Probe:
    """See whether the database can be used.

    Args:
        ping: Raises when it cannot; `DatabaseIsReadOnly` when it answers all the same.
    """

    async def check() -> None:
        try:
            await ping()
        except DatabaseIsReadOnly as error:
            raise Refuses(error.advice) from error

    return check


def homeserver_check(whoami: Callable[[], Awaitable[str]], bot_id: str) -> Probe:
    """Ask the homeserver who we are.

    Args:
        whoami: ``GET /account/whoami`` with our ``as_token``; answers a user id.
        bot_id: The user id that we should be.
    """

    async def check() -> None:
        try:
            found = await whoami()
        except MatrixError as error:
            if error.can_heal and not error.is_foreign:
                raise
            raise Refuses(_advice(error)) from error
        if found != bot_id:
            raise Refuses(
                f"The homeserver takes us for {found or 'nobody'}, not for {bot_id}: compare appservice.bot"
                " and homeserver.server_name with the registration that it has loaded."
            )

    return check


def _advice(error: MatrixError) -> str:
    if error.errcode in ("M_UNKNOWN_TOKEN", "M_MISSING_TOKEN"):
        return (
            "The homeserver does not know our as_token. Either it has not loaded the registration (Synapse:"
            " name the file in app_service_config_files, then restart), or the tokens of its copy differ from"
            " ours."
        )
    if error.errcode in ("M_FORBIDDEN", "M_EXCLUSIVE"):
        return (
            "The homeserver does not let us be the bot: the registration that it has loaded is another one."
            " Run “passerelle register”, give it the new file, and restart it."
        )
    return (
        f"What answers at homeserver.url is no homeserver's client API (HTTP {error.status}). The address"
        " must lead to the homeserver itself, without a path."
    )


def transports_check(ask: Callable[[], Awaitable[Advertised]], service_url: str) -> Probe:
    """Ask the homeserver whether it sends native calls to us.

    Args:
        ask: What it tells clients.
        service_url: Our authorization service as it is advertised.
    """

    async def check() -> None:
        try:
            wrong = transports.judged(await ask(), service_url)
        except MatrixError as error:
            if error.can_heal and not error.is_foreign:
                raise
            raise Refuses(_advice(error)) from error
        if wrong is not None:
            raise Refuses(f"{wrong.fact} {wrong.advice}")

    return check


def visio_check(ask: Callable[[], Awaitable[None]], clock: Callable[[], int]) -> Probe:
    """Ask Visio whether it works with us, and not often: each question costs it a password check.

    Args:
        ask: Shows our credentials; raises `ProviderFailure` with the advice.
        clock: The time in milliseconds.
    """
    asked_ts: int | None = None
    answer: Exception | None = None

    async def check() -> None:
        nonlocal asked_ts, answer
        fresh_ms = _WELL_FRESH_MS if answer is None else _ILL_FRESH_MS
        if asked_ts is None or not 0 <= clock() - asked_ts < fresh_ms:
            asked_ts = clock()
            # What takes too long for whoever asks is away, until somebody asks again.
            answer = TimeoutError()
            try:
                await ask()
                answer = None
            except ProviderFailure as failure:
                answer = failure if failure.retry else Refuses(f"{failure.advice}.")
        if answer is not None:
            # Without the trace of the last time, or it would grow with each.
            raise answer.with_traceback(None)

    return check


def sfu_check(ask: Callable[[], Awaitable[object]]) -> Probe:
    """Ask the SFU for something small with our key.

    Args:
        ask: Any question; raises `SfuRefused` when the key or the address is wrong.
    """

    async def check() -> None:
        try:
            await ask()
        except SfuRefused as error:
            raise Refuses(f"{error}.") from error

    return check
