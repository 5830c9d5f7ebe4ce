"""A gateway before a simulated SFU, and how to dial it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from urllib.parse import urlencode

import aiohttp
import pytest

from tests.unit.rtc.dialling import Dial, Socket
from tests.unit.rtc.house import Face, Signposts, listening
from tests.unit.rtc.simulated_sfu import SimulatedSfu, simulated_sfu


@pytest.fixture
async def sfu() -> AsyncIterator[SimulatedSfu]:
    async with simulated_sfu() as simulated:
        yield simulated


@pytest.fixture
def router(sfu: SimulatedSfu) -> Signposts:
    return Signposts(sfu.url, "visio-1")


@pytest.fixture
async def face(router: Signposts) -> AsyncIterator[Face]:
    async with listening(router) as gateway:
        yield gateway


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as client:
        yield client


@pytest.fixture
async def dial(session: aiohttp.ClientSession) -> AsyncIterator[Dial]:
    """Connects through a gateway; the sockets are closed at the end of the test."""
    async with AsyncExitStack() as open_sockets:

        async def connect(face: Face, token: str | None = None, path: str = "/rtc", **query: str) -> Socket:
            asked = urlencode({"access_token": face.token() if token is None else token} | query)
            socket = await session.ws_connect(f"{face.url}{path}?{asked}")
            open_sockets.push_async_callback(socket.close)
            return socket

        yield connect
