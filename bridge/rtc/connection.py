"""One client's way to the SFU: copies frames both ways, and ends both sides together.

Each direction is one loop that takes the next frame only when the last one has been taken by the other
side, so a slow reader slows its writer down and nothing piles up here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp
from aiohttp import WSCloseCode, WSMsgType, web
from google.protobuf.message import DecodeError
from livekit.protocol.models import DisconnectReason, ParticipantInfo
from livekit.protocol.rtc import SignalResponse

from bridge.rtc import messages
from bridge.rtc.limits import Limits
from bridge.rtc.passes import Pass
from bridge.rtc.roster import Change, goodbye
from bridge.rtc.view import View
from bridge.rtc.wire import Malformed, outer_fields

ClientSocket = web.WebSocketResponse[Literal[True]]
SfuSocket = aiohttp.ClientWebSocketResponse[Literal[True]]

_UNSAID = frozenset({1005, 1006, 1015})
"""Codes that say how a connection was lost and may not be sent."""

_JOIN, _LEAVE, _QUALITY = (
    SignalResponse.DESCRIPTOR.fields_by_name[kind].number for kind in ("join", "leave", "connection_quality")
)
_CLOSED = frozenset({DisconnectReason.ROOM_CLOSED, DisconnectReason.ROOM_DELETED})

_RESUBSCRIBE_PAUSE_S = 0.3
"""How long the SFU is given to take tracks away before they are asked for again: at once, it would do
neither, and the client would wait for tracks that it already has."""


@dataclass(frozen=True, slots=True)
class _End:
    """What the client is told last, and with which codes the two sides are closed."""

    word: bytes | None
    client_code: int | None
    sfu_code: int | None


class Connection:
    """A client's socket and its counterpart at the SFU.

    Attributes:
        granted: Whose connection it is.
        view: What it sees, together with others of the same two rooms.
        resumed: It went on with a session, instead of beginning one.
        heard_at: When the client last sent a frame, by the event loop's clock, in seconds.
    """

    __slots__ = (
        "_client",
        "_clock",
        "_ended",
        "_fresh_token",
        "_limits",
        "_move",
        "_moving",
        "_pending",
        "_rejoining",
        "_sending_down_since",
        "_sending_up_since",
        "_settled",
        "_sfu",
        "_to_end",
        "_transport",
        "granted",
        "heard_at",
        "resumed",
        "view",
    )

    def __init__(
        self,
        granted: Pass,
        view: View,
        *,
        resumed: bool,
        rejoining: bool,
        client: ClientSocket,
        transport: asyncio.Transport | None,
        sfu: SfuSocket,
        fresh_token: Callable[[], str],
        limits: Limits,
    ) -> None:
        """Both sides are open.

        Args:
            granted: What the client's token says.
            view: What it sees.
            resumed: See the class.
            rejoining: The client begins anew, after an earlier session.
            client: The client's side.
            transport: What the client's side stands on.
            sfu: The SFU's side.
            fresh_token: Makes a new token for the client.
            limits: Of the gateway.
        """
        self.granted = granted
        self.view = view
        self.resumed = resumed
        loop = asyncio.get_running_loop()
        self._clock = loop.time
        self.heard_at = loop.time()
        self._client = client
        self._transport = transport
        self._sfu = sfu
        self._fresh_token = fresh_token
        self._limits = limits
        self._pending: list[bytes] = []
        self._rejoining = rejoining
        self._move: asyncio.Task[None] | None = None
        self._moving = False
        self._settled: asyncio.Future[None] = loop.create_future()
        if resumed:
            self._settled.set_result(None)
        self._to_end: asyncio.Future[_End] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()
        self._sending_down_since: float | None = None
        self._sending_up_since: float | None = None

    @property
    def room(self) -> str:
        """SFU room."""
        return self.view.sfu_room

    @property
    def stalled_since(self) -> float | None:
        """Since when one side has not taken a frame, by the event loop's clock; None if both do."""
        waits = [since for since in (self._sending_down_since, self._sending_up_since) if since is not None]
        return min(waits, default=None)

    async def run(self) -> None:
        """Copy until one side ends, or until told to end; then both have ended."""
        up, down = asyncio.create_task(self._copy_up()), asyncio.create_task(self._copy_down())
        whichever: set[asyncio.Future[Any]] = {up, down, self._to_end}
        try:
            await asyncio.wait(whichever, return_when=asyncio.FIRST_COMPLETED)
            end = self._how_to_end(client_first=up.done())
            # Nobody else may be reading while a socket is closed: it would be cut instead, and the peer
            # might lose what was last said to it.
            await _cancelled(up, down)
            # Each socket waits for its peer's answer; beyond that only a peer that takes nothing holds up.
            async with asyncio.timeout(2 * self._limits.close_ms / 1000):
                await asyncio.gather(
                    _close(self._client, end.client_code, end.word), _close(self._sfu, end.sfu_code)
                )
        except TimeoutError:
            self.abort()
        finally:
            up.cancel()
            down.cancel()
            self._to_end.cancel()
            self._settled.cancel()
            self._ended.set_result(None)

    async def move(self) -> None:
        """Let the client leave its SFU room, then have it connect anew; goes on if who waits for it gives up.

        In this order, because the others would else see a frozen picture until the SFU gives it up. And not
        before its media have come about: a client that is still joining would take it for a failure, and
        give up.
        """
        if self._move is None:
            self._move = asyncio.create_task(self._move_out())
        await asyncio.shield(self._move)

    def end(self, last_word: bytes | None, code: int) -> None:
        """Have something last said to the client, and both sides closed; see `ended`."""
        if not self._to_end.done():
            self._to_end.set_result(_End(last_word, code, WSCloseCode.GOING_AWAY))

    async def ended(self) -> None:
        """Wait until both sides are closed."""
        await asyncio.wait({self._ended})

    def abort(self) -> None:
        """Cut the client's side without a word; the other side ends with it."""
        if self._transport:
            self._transport.abort()

    def announce(self, changes: Sequence[Change]) -> None:
        """Have the old identities leave before any frame comes that names the new ones."""
        gone = [goodbye(change) for change in changes if change.before is not None]
        if gone:
            self._pending.append(messages.update(gone))

    async def rename(self, changes: Sequence[Change]) -> None:
        """Show people under their new identities, and have the SFU send their tracks anew.

        A client ties a track to the person whom it knew when the track began. Whoever changes again or
        leaves in the meantime is not announced: the client would keep somebody who is no longer there.
        """
        with suppress(ConnectionError):
            await self._send_down(None)
            if await self._subscribe(changes, subscribe=False):
                await asyncio.sleep(_RESUBSCRIBE_PAUSE_S)
            coming = self._coming(changes)
            if coming:
                await self._send_down(messages.update(coming))
            await self._subscribe(changes, subscribe=True)

    async def _subscribe(self, changes: Sequence[Change], *, subscribe: bool) -> bool:
        """Ask the SFU to send or no longer send the tracks of those who come; whether there are any."""
        publishing = [info for info in self._coming(changes) if info.tracks]
        for info in publishing:
            sids = [track.sid for track in info.tracks]
            await self._send_up(messages.subscription(info.sid, sids, subscribe=subscribe))
        return bool(publishing)

    def _coming(self, changes: Sequence[Change]) -> list[ParticipantInfo]:
        told = map(self.view.roster.hello, changes)
        return [info for info in told if info is not None]

    async def _move_out(self) -> None:
        await asyncio.wait({self._settled}, timeout=self._limits.settle_ms / 1000)
        self._moving = True
        with suppress(ConnectionError):
            await self._sfu.send_bytes(messages.farewell())
        # The SFU ends its side when it has understood.
        await asyncio.wait({self._ended}, timeout=self._limits.move_ms / 1000)
        self.end(messages.reconnect(), WSCloseCode.OK)
        await self.ended()

    def _how_to_end(self, *, client_first: bool) -> _End:
        if self._to_end.done():
            return self._to_end.result()
        if self._move is not None:
            return _End(messages.reconnect(), WSCloseCode.OK, WSCloseCode.OK)
        code = self._client.close_code if client_first else self._sfu.close_code
        return _End(None, code, code)

    async def _copy_down(self) -> None:
        with suppress(ConnectionError):
            while (message := await self._sfu.receive()).type is WSMsgType.BINARY:
                # Most frames come when none of this is awaited any more: the translator alone reads them.
                awaited = self._rejoining or self._move is not None or not self._settled.done()
                kinds = _kinds(message.data) if awaited else frozenset[int]()
                if _LEAVE in kinds and self._move is not None and _room_is_closed(message.data):
                    # Sooner than expected: they leave it, but not the call.
                    return
                # Who is moved stays, as far as they know: what the SFU says now is not for them.
                if not self._moving:
                    await self._send_down(self.view.translator.down(message.data, self._fresh_token))
                if _JOIN in kinds and self._rejoining:
                    # Before anything else comes, see `messages.resume`.
                    self._rejoining = False
                    await self._send_down(messages.resume())
                if _QUALITY in kinds and not self._settled.done():
                    # The SFU speaks of the quality of a media connection once there is one.
                    self._settled.set_result(None)

    async def _copy_up(self) -> None:
        with suppress(ConnectionError):
            while (message := await self._client.receive()).type is WSMsgType.BINARY:
                self.heard_at = self._clock()
                if not self._moving:
                    await self._send_up(self.view.translator.up(message.data))
            if message.type is WSMsgType.TEXT and not self._to_end.done():
                # The SFU would answer JSON with JSON, which nobody translates here. No client of today
                # speaks it.
                self._to_end.set_result(_End(None, WSCloseCode.UNSUPPORTED_DATA, WSCloseCode.OK))

    async def _send_down(self, frame: bytes | None) -> None:
        # Without a pause between translating and this, so that what was announced goes first.
        frames = self._pending
        if frames:
            self._pending = []
        else:
            frames = []
        if frame is not None:
            frames.append(frame)
        for each in frames:
            self._sending_down_since = self._clock()
            await self._client.send_bytes(each)
            self._sending_down_since = None

    async def _send_up(self, frame: bytes) -> None:
        self._sending_up_since = self._clock()
        await self._sfu.send_bytes(frame)
        self._sending_up_since = None


def _kinds(frame: bytes) -> frozenset[int]:
    try:
        return outer_fields(frame)
    except Malformed:
        return frozenset()


def _room_is_closed(frame: bytes) -> bool:
    try:
        return SignalResponse.FromString(frame).leave.reason in _CLOSED
    except DecodeError:
        return False


async def _close(socket: ClientSocket | SfuSocket, code: int | None, last_word: bytes | None = None) -> None:
    with suppress(ConnectionError):
        if last_word is not None:
            await socket.send_bytes(last_word)
    await socket.close(code=WSCloseCode.GOING_AWAY if code is None or code in _UNSAID else code)


async def _cancelled(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
