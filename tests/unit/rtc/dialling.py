"""A client of the gateway, as the tests dial it, and what it hears."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import WSMsgType
from livekit.protocol.models import ParticipantInfo
from livekit.protocol.rtc import (
    ConnectionQualityUpdate,
    JoinResponse,
    LeaveRequest,
    ParticipantUpdate,
    Ping,
    SignalRequest,
    SignalResponse,
)

from tests.unit.rtc.simulated_sfu import Caller

MARIE, GHOST, CARRIED = "5f0c9b3e-marie", "@visio_abc:example.org:VISIO", "@visio:example.org:VISIOabc"
PING = SignalRequest(ping_req=Ping(timestamp=7)).SerializeToString()
ACTION = LeaveRequest.Action

Socket = aiohttp.ClientWebSocketResponse
Dial = Callable[..., Awaitable[Socket]]


async def status_of(dialling: Awaitable[Socket]) -> int:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await dialling
    return refused.value.status


async def close_code(socket: Socket) -> int | None:
    """The code with which a socket is closed, after whatever else comes."""
    async with asyncio.timeout(10):
        while (await socket.receive()).type is WSMsgType.BINARY:
            pass
    return socket.close_code


def update(*identities: str) -> bytes:
    people = [ParticipantInfo(sid=f"PA_{identity}", identity=identity) for identity in identities]
    return SignalResponse(update=ParticipantUpdate(participants=people)).SerializeToString()


JOIN = SignalResponse(join=JoinResponse()).SerializeToString()
QUALITY = SignalResponse(connection_quality=ConnectionQualityUpdate()).SerializeToString()


async def settle(client: Socket, caller: Caller) -> None:
    """Have the SFU speak of the client's media."""
    await caller.socket.send_bytes(QUALITY)
    assert (await heard(client)).HasField("connection_quality")


async def heard(socket: Socket) -> SignalResponse:
    return SignalResponse.FromString(await socket.receive_bytes(timeout=10))
