"""The application service's HTTP face towards its homeserver.

Source: Matrix Application Service API. A transaction is answered 200 only once what concerns us is
committed; a body that cannot be read is acknowledged too, because Synapse would send it again for ever
and nothing behind it would arrive.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from aiohttp import web

from appservice.clock import Clock
from appservice.database import is_outage
from appservice.faults import place
from appservice.inbox import Inbox
from appservice.namespace import Namespace
from appservice.transaction import (
    Interest,
    SetAside,
    Sorted,
    UnreadableTransaction,
    read_events,
    set_aside_body,
    set_aside_kept,
    sort,
)

log = structlog.get_logger()

PREFIX = "/_matrix/app/v1"


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """What one homeserver may ask of us.

    Attributes:
        max_body: Largest transaction that is read, bytes; a larger one is acknowledged and set aside.
        high_water: With so many events waiting, a transaction is held back before it is answered.
        hold_s: How long it is held back at most, seconds. Synapse waits 60 s for an answer.
        measure_every_s: How often the database is asked how many events wait, seconds.
    """

    max_body: int = 64 * 1024 * 1024
    high_water: int = 20_000
    hold_s: float = 30.0
    measure_every_s: float = 2.0


class Backlog:
    """How many events are committed and not yet handled: measured now and then, counted up in between.

    Other replicas take in and handle events of the same database, so only the database knows.
    """

    def __init__(self, high_water: int) -> None:
        self._waiting = 0
        self._room = asyncio.Event()
        self._room.set()
        self._high_water = high_water

    def add(self, count: int) -> None:
        """So many more events wait."""
        self.measured(self._waiting + count)

    def measured(self, count: int) -> None:
        """So many events wait in the database."""
        self._waiting = count
        if self._waiting < self._high_water:
            self._room.set()
        else:
            self._room.clear()

    @property
    def waiting(self) -> int:
        """Events waiting."""
        return self._waiting

    async def hold(self, timeout_s: float) -> None:
        """Return once there is room, or after the time-out."""
        if self._room.is_set():
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self._room.wait()
        except TimeoutError:
            # Holding back has slowed the homeserver down as much as it may; refusing would cost a back-off.
            return


class Intake:
    """Takes transactions in."""

    def __init__(
        self,
        inbox: Inbox,
        interest: Interest,
        poke: Callable[[str], None],
        clock: Clock,
        limits: IntakeLimits | None = None,
        ready: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """Build it.

        Args:
            inbox: Where events are committed.
            interest: Which of them, and what of them.
            poke: Told the rooms in which something waits.
            clock: The time.
            limits: What one homeserver may ask of us.
            ready: Waited for with its id before a transaction is read: what goes before it may still be on
                its way.
        """
        self._ready = ready
        self._inbox = inbox
        self._interest = interest
        self._poke = poke
        self._clock = clock
        self.limits = limits or IntakeLimits()
        self.backlog = Backlog(self.limits.high_water)
        self._observers: list[Callable[[int, int, int], None]] = []

    def on_taken(self, callback: Callable[[int, int, int], None]) -> None:
        """Call back with how many events were seen, kept and set aside (metrics)."""
        self._observers.append(callback)

    async def take(self, txn_id: str, body: bytes) -> None:
        """Commit what concerns us in a transaction.

        Raises:
            Exception: the database's; `is_outage` tells what it means.
        """
        await self.backlog.hold(self.limits.hold_s)
        if self._ready is not None:
            await self._ready(txn_id)
        try:
            events = read_events(body)
        except UnreadableTransaction as error:
            await self.put_aside(txn_id, len(body), hashlib.sha256(body).hexdigest(), str(error))
            return
        await self.take_events(events)

    async def take_events(self, events: list[object]) -> int:
        """Commit what concerns us of some raw events, which are in the order in which they happened.

        Returns:
            How many of them are new and ours.

        Raises:
            Exception: the database's; `is_outage` tells what it means.
        """
        found = sort(events, self._interest, self._clock())
        new = 0
        if found.kept or found.set_aside:
            new = await self._commit(found)
            self.backlog.add(new)
            for room_id in {item.event.room_id for item in found.kept}:
                self._poke(room_id)
        for aside in found.set_aside:
            log.warning("intake.event_set_aside", event_id=aside.reference, reason=aside.reason)
        for observer in self._observers:
            observer(found.seen, len(found.kept), len(found.set_aside))
        return new

    async def _commit(self, found: Sorted) -> int:
        try:
            return await self._inbox.add(found.kept, found.set_aside)
        except Exception as error:
            if is_outage(error):
                raise
            log.error("intake.refused_by_database", error=place(error))
        # The homeserver would send what we refuse for ever: find the one event that the database does not
        # take. If it takes nothing at all, this raises again, and nothing is lost.
        new = 0
        for item in found.kept:
            try:
                new += await self._inbox.add((item,), ())
            except Exception as error:
                if is_outage(error):
                    raise
                await self._inbox.add((), (set_aside_kept(item, place(error)),))
        if found.set_aside:
            await self._inbox.add((), found.set_aside)
        return new

    async def put_aside(self, txn_id: str, length: int, sha256: str, reason: str) -> None:
        """Keep id, length, hash and reason of a body that cannot be read; no content."""
        aside: SetAside = set_aside_body(txn_id, length, sha256, reason)
        log.error("intake.transaction_set_aside", txn_id=aside.reference, length=length, reason=reason)
        await self._inbox.add((), (aside,))


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A body over the limit: read past, not kept."""

    length: int
    sha256: str


class HomeserverFace:
    """The routes that the homeserver calls."""

    def __init__(
        self, intake: Intake, hs_token: str, namespace: Namespace, on_database_away: Callable[[str], None]
    ) -> None:
        """Build the face.

        Args:
            intake: Where transactions go.
            hs_token: The homeserver's token.
            namespace: Who is ours.
            on_database_away: Told why, each time the homeserver is asked to send again later.
        """
        self._intake = intake
        self._hs_token = hs_token.encode()
        self._namespace = namespace
        self._on_database_away = on_database_away

    def routes(self) -> list[web.RouteDef]:
        """Routes for the internal listener."""
        return [
            web.put(f"{PREFIX}/transactions/{{txn_id}}", self._authorised(self._transaction)),
            web.post(f"{PREFIX}/ping", self._authorised(self._ping)),
            web.get(f"{PREFIX}/users/{{user_id}}", self._authorised(self._user)),
            web.get(f"{PREFIX}/rooms/{{alias}}", self._authorised(self._not_found)),
            web.get(f"{PREFIX}/thirdparty/{{kind:.*}}", self._authorised(self._not_found)),
        ]

    def _authorised(
        self, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def check(request: web.Request) -> web.StreamResponse:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not token:
                return _error(401, "M_UNAUTHORIZED", "Missing access token")
            # Headers may hold any bytes; aiohttp hands those that are not UTF-8 on as surrogates.
            if not hmac.compare_digest(token.strip().encode(errors="surrogateescape"), self._hs_token):
                log.warning("intake.wrong_token")
                return _error(403, "M_FORBIDDEN", "Wrong access token")
            return await handler(request)

        return check

    async def _transaction(self, request: web.Request) -> web.Response:
        txn_id = request.match_info["txn_id"]
        try:
            body = await self._read(request)
        except web.RequestPayloadError:
            await self._intake.put_aside(txn_id, 0, "", "cannot be unpacked")
            return web.Response(body=b"{}", content_type="application/json")
        except ConnectionError:
            return _error(400, "M_UNKNOWN", "The body did not arrive")
        try:
            if isinstance(body, TooLarge):
                await self._intake.put_aside(txn_id, body.length, body.sha256, "too large")
            else:
                await self._intake.take(txn_id, body)
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("intake.database_away", error=type(error).__name__)
            self._on_database_away(type(error).__name__)
            return _error(503, "M_UNKNOWN", "The database is away; please send again")
        return web.Response(body=b"{}", content_type="application/json")

    async def _read(self, request: web.Request) -> bytes | TooLarge:
        limit = self._intake.limits.max_body
        chunks: list[bytes] = []
        length = 0
        async for chunk in request.content.iter_any():
            chunks.append(chunk)
            length += len(chunk)
            if length > limit:
                break
        else:
            return b"".join(chunks)
        digest = hashlib.sha256(b"".join(chunks))
        chunks.clear()
        # It is read to its end all the same, or the homeserver would take it for not received.
        async for chunk in request.content.iter_any():
            digest.update(chunk)
            length += len(chunk)
        return TooLarge(length, digest.hexdigest())

    async def _ping(self, _request: web.Request) -> web.Response:
        return web.json_response({})

    async def _user(self, request: web.Request) -> web.Response:
        # Ghosts are registered before they are shown, so the bot is the only user to be asked about.
        if request.match_info["user_id"] == self._namespace.bot_id:
            return web.json_response({})
        return await self._not_found(request)

    async def _not_found(self, _request: web.Request) -> web.Response:
        return _error(404, "M_NOT_FOUND", "Not ours")


def _error(status: int, errcode: str, message: str) -> web.Response:
    return web.json_response({"errcode": errcode, "error": message}, status=status)
