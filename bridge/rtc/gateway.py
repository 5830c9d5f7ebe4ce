"""The signalling gateway: clients connect here as they would to the SFU.

It decides at each connection where it goes, and keeps it within limits; `bridge.rtc.connection` copies
the frames. Everything that a client must not learn or use stays on the SFU's side: its tokens, its
address, the identities of people who have another one in Matrix.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
from collections.abc import Iterable, Sequence
from functools import partial
from weakref import WeakValueDictionary

import aiohttp
import structlog
from aiohttp import WSCloseCode, web

from bridge.rtc import messages
from bridge.rtc.connection import Connection
from bridge.rtc.door import Door, Outcome, TurnedAway, signalling_path, words
from bridge.rtc.limits import Limits
from bridge.rtc.names import Names
from bridge.rtc.passes import Pass, Passes
from bridge.rtc.routing import Router
from bridge.rtc.upstream import Upstream, UpstreamRefused, UpstreamUnreachable
from bridge.rtc.view import View
from bridge.sfu.model import IceServer

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}
_PREFLIGHT = _ANY_ORIGIN | {
    "Access-Control-Allow-Methods": "GET",
    "Access-Control-Allow-Headers": "*, Authorization",
    "Access-Control-Max-Age": "86400",
}
_RETRY_LATER = {"Retry-After": "1"}
_COMPLAINT_S = 60


class Gateway:
    """Holds every connection of this process.

    Use it as ``async with Gateway(…)``, or call `start` and `stop`.

    Attributes:
        outcomes: How connections began or did not, since the start.
    """

    def __init__(
        self,
        passes: Passes,
        router: Router,
        *,
        ice_servers: Sequence[IceServer] = (),
        limits: Limits | None = None,
    ) -> None:
        """Nothing is opened yet.

        Args:
            passes: Verifies what clients bring, and renews it.
            router: Decides where each goes.
            ice_servers: The settings' own, see `bridge.rtc.ice.named_by_admin`.
            limits: What is allowed.
        """
        self._passes = passes
        self._limits = limits or Limits()
        self._door = Door(passes, router, self._limits)
        self._ice_servers = ice_servers
        self._session: aiohttp.ClientSession | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._stopping = False
        self._complained_at: float | None = None
        self._views: dict[tuple[str, str], View] = {}
        self._turns: WeakValueDictionary[tuple[str, str, str], asyncio.Lock] = WeakValueDictionary()
        self.outcomes: collections.Counter[Outcome] = collections.Counter()

    async def __aenter__(self) -> Gateway:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Get ready, in the event loop of the listener."""
        timeout = aiohttp.ClientTimeout(total=self._limits.connect_ms / 1000)
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout)
        self._sweeper = asyncio.create_task(self._sweep())

    async def stop(self, spread_ms: int = 0) -> None:
        """Let every client go, to resume elsewhere or later; their media goes on.

        Without a word: to a ``leave`` that says ``RESUME``, followed by the end of the socket, some
        clients (LiveKit's Rust SDK) react twice, and begin anew.

        Args:
            spread_ms: Over how long, so that they do not all come back at once.
        """
        self._stopping = True
        if self._sweeper:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        everybody = self.connections()
        for connection in everybody:
            connection.end(None, WSCloseCode.GOING_AWAY)
            await asyncio.sleep(spread_ms / 1000 / len(everybody))
        await asyncio.gather(*(connection.ended() for connection in everybody))
        if self._session:
            await self._session.close()

    def connections(
        self,
        *,
        room_id: str | None = None,
        user_id: str | None = None,
        sfu_room: str | None = None,
    ) -> list[Connection]:
        """The open connections, narrowed down by Matrix room, Matrix user and SFU room."""
        return [
            connection
            for view in self._views.values()
            if sfu_room in (None, view.sfu_room) and room_id in (None, view.room_id)
            for connection in view.connections
            if user_id in (None, connection.granted.user_id)
        ]

    async def move(self, connections: Iterable[Connection]) -> None:
        """Have clients leave their SFU room and come into the one that the router now gives them."""
        await asyncio.gather(*(connection.move() for connection in connections))

    async def expel(self, connections: Iterable[Connection]) -> None:
        """End connections, and tell the clients not to come back.

        Media outlives this: whoever must go is removed from the SFU as well.
        """
        leaving = list(connections)
        for connection in leaving:
            connection.end(messages.removed(), WSCloseCode.OK)
        await asyncio.gather(*(connection.ended() for connection in leaving))

    async def names_changed(
        self, sfu_room: str, *, room_id: str | None = None, names: Names | None = None
    ) -> None:
        """Show people as the names now have it, to all who are connected to an SFU room.

        For each, the old identity leaves before the new one comes.

        Args:
            sfu_room: Where those people are.
            room_id: The Matrix room in which they are to be shown so; None for every one.
            names: Take the place of those that came with the connections; None if these have changed.
        """
        telling = []
        for view in self._views.values():
            if view.sfu_room != sfu_room or room_id not in (None, view.room_id):
                continue
            changes = view.roster.changes(names)
            view.translator.forget()
            if changes:
                for connection in view.connections:
                    connection.announce(changes)
                    telling.append(connection.rename(changes))
        await asyncio.gather(*telling)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """``GET …/rtc`` and ``…/rtc/v1``: a client's WebSocket."""
        client: web.WebSocketResponse = web.WebSocketResponse(
            timeout=self._limits.close_ms / 1000, compress=False, max_msg_size=self._limits.frame_up
        )
        if not client.can_prepare(request).ok:
            return web.Response(status=404, headers=_ANY_ORIGIN)
        try:
            if self._stopping:
                raise TurnedAway(Outcome.STOPPING, 503)
            with self._door.admitted(request) as granted:
                # What it took to open a connection is not kept in memory while it lasts.
                connection = await self._open(request, client, granted)
                await self._keep(connection)
        except TurnedAway as turned:
            self.outcomes[turned.outcome] += 1
            headers = _ANY_ORIGIN | (_RETRY_LATER if turned.status in (429, 503) else {})
            return web.Response(status=turned.status, text=turned.text, headers=headers)
        return client

    async def validate(self, request: web.Request) -> web.Response:
        """``GET …/validate``: clients ask why their WebSocket was refused."""
        try:
            attempt, route = await self._door.route(request, self._door.verify(request))
            status, text = await self._upstream().validate(
                route.url,
                signalling_path(request),
                attempt.query,
                token=route.token,
                headers=_headers(request),
            )
        except TurnedAway as turned:
            status, text = turned.status, turned.text
        except UpstreamUnreachable:
            status, text = 503, ""
        return web.Response(status=status, text=text or words(status), headers=_ANY_ORIGIN)

    async def preflight(self, _request: web.Request) -> web.Response:
        """``OPTIONS …/validate``: browsers ask whether they may ask."""
        return web.Response(headers=_PREFLIGHT)

    async def _open(self, request: web.Request, client: web.WebSocketResponse, granted: Pass) -> Connection:
        """Connect to the SFU, then accept the client, who would else be let in for nothing."""
        # One device's in the order in which they came: of two the SFU keeps the one that joins last. Element
        # Call begins with one that it gives up at once, and that must not put the other out.
        turn = self._turns.setdefault((granted.user_id, granted.device_id, granted.room_id), asyncio.Lock())
        async with turn:
            return await self._open_in_turn(request, client, granted)

    async def _open_in_turn(
        self, request: web.Request, client: web.WebSocketResponse, granted: Pass
    ) -> Connection:
        attempt, route = await self._door.route(request, granted)
        if request.transport is None or request.transport.is_closing():
            raise TurnedAway(Outcome.GONE, 503)
        try:
            sfu = await self._upstream().connect(
                route.url,
                signalling_path(request),
                attempt.query,
                token=route.token,
                headers=_headers(request),
            )
        except UpstreamRefused as error:
            raise TurnedAway(Outcome.SFU_REFUSED, error.status) from error
        except UpstreamUnreachable as error:
            self._complain(str(error))
            raise TurnedAway(Outcome.SFU_UNREACHABLE, 503) from error
        try:
            await client.prepare(request)
        except ConnectionError as error:
            await sfu.close()
            raise TurnedAway(Outcome.GONE, 503) from error
        except BaseException:
            await sfu.close()
            raise
        self.outcomes[Outcome.RESUMED if attempt.resume else Outcome.OPENED] += 1
        here = dataclasses.replace(granted, sfu_room=route.room)
        return Connection(
            here,
            self._view(route.room, granted.room_id, route.names),
            resumed=attempt.resume,
            # Only passes that were renewed during a session know one.
            rejoining=granted.sfu_room is not None and attempt.livekit_client and not attempt.resume,
            client=client,
            transport=request.transport,
            sfu=sfu,
            fresh_token=partial(self._passes.sign, here, ttl_ms=self._limits.pass_ttl_ms),
            limits=self._limits,
        )

    async def _keep(self, connection: Connection) -> None:
        """Run a connection, among those that are told what concerns their rooms."""
        view = connection.view
        view.connections.add(connection)
        if self._stopping:
            # It came while everybody else was let go.
            connection.end(None, WSCloseCode.GOING_AWAY)
        try:
            await connection.run()
        finally:
            view.connections.discard(connection)
            if not view.connections:
                self._views.pop((view.sfu_room, view.room_id), None)

    def _view(self, sfu_room: str, room_id: str, names: Names) -> View:
        key = sfu_room, room_id
        if key not in self._views:
            self._views[key] = View(sfu_room, room_id, names, self._ice_servers)
        return self._views[key]

    def _upstream(self) -> Upstream:
        assert self._session is not None, "the gateway is not started"
        return Upstream(self._session, self._limits)

    def _complain(self, error: str) -> None:
        """Say that the SFU is away, once a minute: everybody in a call tries again every few seconds."""
        now = asyncio.get_running_loop().time()
        if self._complained_at is None or now - self._complained_at >= _COMPLAINT_S:
            self._complained_at = now
            log.warning("gateway_sfu_unreachable", error=error)

    async def _sweep(self) -> None:
        """Part with clients that have fallen silent or take nothing any more."""
        loop = asyncio.get_running_loop()
        idle, stall = self._limits.idle_ms / 1000, self._limits.stall_ms / 1000
        while True:
            await asyncio.sleep(min(idle, stall) / 4)
            now = loop.time()
            for connection in self.connections():
                if connection.stalled_since is not None and now - connection.stalled_since > stall:
                    connection.abort()
                elif now - connection.heard_at > idle:
                    connection.end(None, WSCloseCode.GOING_AWAY)


def routes(gateway: Gateway, prefix: str = "/livekit") -> list[web.RouteDef]:
    """The routes of the gateway, for the public listener.

    Args:
        gateway: Answers them.
        prefix: Path of the advertised address; clients append ``/rtc`` to it.
    """
    found = []
    for path in ("/rtc", "/rtc/v1"):
        found += [
            web.get(f"{prefix}{path}", gateway.handle, allow_head=False),
            web.get(f"{prefix}{path}/validate", gateway.validate),
            web.options(f"{prefix}{path}/validate", gateway.preflight),
        ]
    return found


def _headers(request: web.Request) -> dict[str, str]:
    headers = dict(request.headers)
    if "X-Forwarded-For" not in headers and request.remote:
        headers["X-Forwarded-For"] = request.remote
    return headers
