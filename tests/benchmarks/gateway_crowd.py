"""Many idle connections through the gateway to an SFU that says only what it is told to say."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
from aiohttp import WSMsgType, web
from livekit.protocol.models import (
    ParticipantInfo,
    SimulcastCodecInfo,
    TrackInfo,
    TrackSource,
    TrackType,
    VideoLayer,
    VideoQuality,
)
from livekit.protocol.rtc import JoinResponse, ParticipantUpdate, SignalResponse

from bridge.demo.peers.ports import HOST, reserve_port
from bridge.rtc.passes import Pass, Passes
from bridge.sfu.client import now_ms
from tests.benchmarks.gateway_alone import VISIO

AT_ONCE = 50
_HEADERS = {
    # About as much as a browser says.
    "Origin": "https://call.example.org",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0",
    "Accept-Language": "fr-FR,fr;q=0.9,en;q=0.8",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Cache-Control": "no-cache",
}


class QuietSfu:
    """The SFU's side of every connection, in the order in which they came."""

    def __init__(self) -> None:
        self.port = reserve_port()
        self.url = f"ws://{HOST}:{self.port}"
        self.callers: list[web.WebSocketResponse] = []

    async def rtc(self, request: web.Request) -> web.WebSocketResponse:
        """Take a connection, and answer as LiveKit does at first."""
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        await socket.send_bytes(_JOIN)
        self.callers.append(socket)
        async for _ in socket:
            pass
        return socket


class Crowd:
    """Clients of a gateway."""

    def __init__(self, session: aiohttp.ClientSession, gateway_url: str, passes: Passes) -> None:
        self._session = session
        self._url = gateway_url
        self._passes = passes
        self.sockets: list[aiohttp.ClientWebSocketResponse] = []

    async def grow(self, count: int, room: str) -> None:
        """Connect that many more, and read what each is told at first."""
        for start in range(0, count, AT_ONCE):
            numbers = range(len(self.sockets), len(self.sockets) + min(AT_ONCE, count - start))
            self.sockets += await asyncio.gather(*(self._connect(number, room) for number in numbers))

    async def _connect(self, number: int, room: str) -> aiohttp.ClientWebSocketResponse:
        user = f"@user{number}:x.example"
        token = self._passes.sign(Pass(user, "PHONE", room, f"{user}:PHONE", True), ttl_ms=600_000)
        query = f"access_token={token}&auto_subscribe=1&sdk=js&version=2.23.0&protocol=16&adaptive_stream=1"
        url = f"{self._url}/rtc?{query}"
        socket = await self._session.ws_connect(url, headers=_HEADERS, max_msg_size=0)
        message = await socket.receive()
        assert message.type is WSMsgType.BINARY
        return socket


@asynccontextmanager
async def quiet_sfu() -> AsyncIterator[QuietSfu]:
    """An SFU's signalling face on loopback."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sfu = QuietSfu()
    application = web.Application()
    application.router.add_get("/rtc", sfu.rtc)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, sfu.port, backlog=1024).start()
        yield sfu
    finally:
        await runner.cleanup()


@asynccontextmanager
async def crowd(gateway_url: str, secret: str) -> AsyncIterator[Crowd]:
    """Nobody yet; all leave with the block."""
    async with AsyncExitStack() as stack:
        connector = aiohttp.TCPConnector(limit=0)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        yield Crowd(session, gateway_url, Passes(secret, now_ms))


def update_of(people: int, version: int, spelling: int = 0) -> bytes:
    """An update about so many people in Visio, as large as those of LiveKit.

    Args:
        people: How many.
        version: What is newer has a higher one.
        spelling: What says the same in other bytes has another one.
    """
    everybody = [_person(number, version, str(spelling)) for number in range(people)]
    return SignalResponse(update=ParticipantUpdate(participants=everybody)).SerializeToString()


def _person(number: int, version: int, spelling: str) -> ParticipantInfo:
    layers = [
        VideoLayer(quality=quality, width=width, height=height, bitrate=bitrate)
        for quality, width, height, bitrate in _LAYERS
    ]
    video = TrackInfo(
        sid=f"TR_VC{number:012}",
        type=TrackType.VIDEO,
        source=TrackSource.CAMERA,
        width=1280,
        height=720,
        simulcast=True,
        mime_type="video/VP8",
        mid="1",
        layers=layers,
        codecs=[SimulcastCodecInfo(mime_type="video/VP8", mid="1", cid=f"cid-{number}", layers=layers)],
        stream="camera",
    )
    audio = TrackInfo(
        sid=f"TR_AM{number:012}",
        source=TrackSource.MICROPHONE,
        mime_type="audio/opus",
        mid="0",
        stream="camera",
    )
    return ParticipantInfo(
        sid=f"PA_{number:012}",
        identity=f"{VISIO}{number:08}-5f0c-4b0a-9a55-0d8f3a1f9d11",
        name=f"Prénom Nom {number}",
        state=ParticipantInfo.State.ACTIVE,
        version=version,
        attributes={"color": f"hsl({number}, 75%, 45%)", "room_role": "member", "spelling": spelling},
        tracks=[audio, video],
        is_publisher=True,
    )


_LAYERS: Iterable[tuple[VideoQuality, int, int, int]] = (
    (VideoQuality.LOW, 320, 180, 120_000),
    (VideoQuality.MEDIUM, 640, 360, 400_000),
    (VideoQuality.HIGH, 1280, 720, 1_700_000),
)
_JOIN = SignalResponse(
    join=JoinResponse(
        participant=ParticipantInfo(sid="PA_SELF", identity="@user:x.example:PHONE"),
        server_version="1.13.5",
        ping_interval=5,
        ping_timeout=15,
    )
).SerializeToString()
