"""How much of a call's media passes the bridge: nothing, while signalling does.

Two people with camera and microphone, both connected through the gateway. What they send and receive is
counted by their own WebRTC, together with the socket at its other end; what passes between the bridge and
them, and between the bridge and the SFU, is counted on the way.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import permutations
from urllib.parse import urlsplit

import aiohttp
import psutil
from livekit import rtc

from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.passerelle import Passerelle
from bridge.demo.peers.ports import HOST, reserve_port
from tests.benchmarks.report import MIB, Row, Target, progress
from tests.benchmarks.world import World
from tests.unit.rtc.people import Person, person

SECONDS = 10
TARGET = Target("≤", 0, "bytes")
_PICTURE = 640, 360
_FRAMES_PER_SECOND = 15


class Tap:
    """Passes connections on, and counts.

    Attributes:
        port: Where it listens.
        passed: Bytes so far, both ways.
    """

    def __init__(self, port: int) -> None:
        self.port = reserve_port()
        self.passed = 0
        self._to = port

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection."""
        there, back = await asyncio.open_connection(HOST, self._to)
        await asyncio.gather(self._copy(reader, back), self._copy(there, writer))

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(64 * 1024):
                self.passed += len(data)
                sink.write(data)
                await sink.drain()
        sink.close()


@asynccontextmanager
async def tap(port: int) -> AsyncIterator[Tap]:
    """A tap in front of a port on loopback."""
    made = Tap(port)
    server = await asyncio.start_server(made.connected, HOST, made.port)
    try:
        yield made
    finally:
        server.close()


async def measure(world: World) -> list[Row]:
    """See the module."""
    user, livekit = await world.user(), await world.livekit()
    async with AsyncExitStack() as stack:
        to_sfu = await stack.enter_async_context(tap(livekit.port))
        over = {"rtc": {"enabled": True}, "sfu": {"api_url": f"http://{HOST}:{to_sfu.port}"}}
        url = await world.new_database("SQLite", "media")
        bridge = await world.new_bridge("SQLite", url, place="media", over=over)
        await stack.enter_async_context(bridge)
        to_bridge = await stack.enter_async_context(tap(urlsplit(bridge.public_url).port or 0))
        (room_id,) = await world.rooms("media", 1)
        call = [
            await stack.enter_async_context(_caller(user, bridge, room_id, device, to_bridge))
            for device in ("PHONE", "LAPTOP")
        ]
        await asyncio.gather(
            *(one.hears(other.room.local_participant.identity) for one, other in permutations(call, 2))
        )
        progress(f"{SECONDS} s of a call")
        media, signalling = await _media(call, bridge), to_bridge.passed + to_sfu.passed
        await asyncio.sleep(SECONDS)
        media, signalling = await _media(call, bridge) - media, to_bridge.passed + to_sfu.passed - signalling
    return [
        Row(
            "media handled by the bridge in a call",
            media["bridge"],
            f"{signalling / 1024:.0f} KiB of signalling in {SECONDS} s",
            f"{media['SFU'] / MIB:.1f} MiB of media between clients and the SFU",
            TARGET,
            "bytes",
        )
    ]


@asynccontextmanager
async def _caller(
    user: MatrixUser, bridge: Passerelle, room_id: str, device: str, to_bridge: Tap
) -> AsyncIterator[Person]:
    """A device of somebody in the room's native call, with camera and microphone."""
    openid = await user.request("POST", f"/v3/user/{user.user_id}/openid/request_token", {})
    body = {"room": room_id, "openid_token": openid, "device_id": device}
    async with (
        aiohttp.ClientSession(f"http://{HOST}:{to_bridge.port}") as session,
        session.post("/livekit/sfu/get", json=body) as answer,
    ):
        granted = await answer.json()
    async with person(f"ws://{HOST}:{to_bridge.port}/livekit", granted["jwt"]) as somebody:
        await somebody.speak()
        camera = asyncio.create_task(_show(somebody))
        try:
            yield somebody
        finally:
            camera.cancel()
            await asyncio.gather(camera, return_exceptions=True)


async def _show(somebody: Person) -> None:
    """Send a picture of noise, which costs about as much as a moving one."""
    source = rtc.VideoSource(*_PICTURE)
    track = rtc.LocalVideoTrack.create_video_track("camera", source)
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA, simulcast=False)
    await somebody.room.local_participant.publish_track(track, options)
    width, height = _PICTURE
    while True:
        picture = rtc.VideoFrame(
            width, height, rtc.VideoBufferType.RGBA, random.randbytes(width * height * 4)
        )
        source.capture_frame(picture)
        await asyncio.sleep(1 / _FRAMES_PER_SECOND)


async def _media(call: Iterable[Person], bridge: Passerelle) -> Counter[str]:
    """Bytes over the callers' WebRTC so far, by whose socket is at the other end."""
    found: Counter[str] = Counter()
    bridges = {socket.laddr.port for socket in psutil.Process(bridge.pid).net_connections("inet")}
    for each in call:
        stats = await each.room.get_rtc_stats()
        for side in (stats.publisher_stats, stats.subscriber_stats):
            ports = {it.remote_candidate.rtc.id: it.remote_candidate.candidate.port for it in side}
            for it in side:
                pair = it.candidate_pair.candidate_pair
                if it.HasField("candidate_pair") and pair.nominated:
                    end = "bridge" if ports[pair.remote_candidate_id] in bridges else "SFU"
                    found[end] += pair.bytes_sent + pair.bytes_received
    return found
