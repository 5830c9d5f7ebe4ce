"""Somebody in a meeting who neither speaks nor shows anything: cheap, so that there may be many.

Uses the ``livekit`` SDK, which is a development dependency.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from livekit import rtc

_HANGS_UP_WITHIN_S = 10


async def hang_up(room: rtc.Room) -> None:
    """End a connection, once it is not being made anew. Nothing happens when that has been done.

    Asked in the middle of a reconnection, the SDK may never say that it has disconnected, or
    end the whole process: it publishes again what it is taking down.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_HANGS_UP_WITHIN_S):
            await _reconnected(room)
    with suppress(TimeoutError):
        async with asyncio.timeout(_HANGS_UP_WITHIN_S):
            await room.disconnect()


async def _reconnected(room: rtc.Room) -> None:
    through = asyncio.Event()

    def changed(state: rtc.ConnectionState.ValueType) -> None:
        if state != rtc.ConnectionState.CONN_RECONNECTING:
            through.set()

    room.on("connection_state_changed", changed)
    changed(room.connection_state)
    await through.wait()


class SilentGuest:
    """One person, or machine; ``async with`` joins and leaves.

    Attributes:
        name: As the others see it, unless it was changed since.
    """

    def __init__(self, name: str, sfu_url: str, token: str) -> None:
        self.name = name
        self._sfu_url = sfu_url
        self._token = token
        self._room = rtc.Room()
        self._disconnected = asyncio.Event()
        self._room.on("disconnected", lambda reason: self._disconnected.set())

    @property
    def inside(self) -> bool:
        """Whether the SFU has them."""
        return bool(self._room.isconnected())

    async def join(self) -> Self:
        """Enter the meeting."""
        options = rtc.RoomOptions(auto_subscribe=False, rtc_config=rtc.RtcConfiguration(ice_servers=[]))
        await self._room.connect(self._sfu_url, self._token, options)
        return self

    async def leave(self) -> None:
        """Leave the meeting; nothing happens when that has been done."""
        await hang_up(self._room)

    async def wait_until_put_out(self, timeout: float = 20) -> None:
        """Wait until the SFU has ended the connection.

        Raises:
            TimeoutError: It did not within ``timeout`` seconds.
        """
        async with asyncio.timeout(timeout):
            await self._disconnected.wait()

    async def __aenter__(self) -> Self:
        return await self.join()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()
