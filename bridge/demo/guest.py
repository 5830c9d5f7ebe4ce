"""A synthetic person in a meeting: a tone, a test picture, and ears and eyes that count.

Uses the ``livekit`` SDK, which is a development dependency; nothing else of the bridge needs it.
"""

from __future__ import annotations

import array
import asyncio
import logging
import math
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urldefrag

import aiohttp
from livekit import rtc

from bridge.demo.silent_guest import hang_up

_SAMPLE_RATE = 48_000
_PART_MS = 100  # each part of sound costs a call into the SDK, there and back
_SAMPLES = _SAMPLE_RATE * _PART_MS // 1000
_TONE_HZ = 440
_WIDTH, _HEIGHT, _FRAME_S = 320, 180, 1 / 15
_AUDIBLE = 500  # of 32767; silence, and what an idle encoder makes of it, is far below


class TurnedAway(Exception):
    """The bridge gave no token.

    Attributes:
        reason: As the join page gets it: ``full``, ``over``, ``wrong_link``, ...
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.reason = reason


@dataclass
class Received:
    """What came from one other participant.

    Attributes:
        audible: Audio frames of 10 ms with sound in them, counted in tens.
        pictures: Video frames.
    """

    audible: int = 0
    pictures: int = 0

    def __str__(self) -> str:
        return f"{self.audible} frames of sound and {self.pictures} pictures"


def hush_the_sdk() -> None:
    """Keep the SDK from complaining when the SFU ends a connection, as it does at the end of a meeting."""
    logging.getLogger("livekit").setLevel(logging.CRITICAL)
    sys.unraisablehook = _complain


def _complain(unraisable: sys.UnraisableHookArgs) -> None:
    # It drops a handle twice when a connection ends while the handle is being collected.
    if getattr(unraisable.object, "__qualname__", "") != "FfiHandle.__del__":
        sys.__unraisablehook__(unraisable)


async def ask_for_ticket(link: str, name: str, *, visitor: str | None = None) -> dict[str, Any]:
    """Do what the join page does when somebody presses "join"; returns what it gets.

    Args:
        link: The card's link, its secret in the fragment.
        name: What the guest typed.
        visitor: The browser tab's random id; a new one if not given.

    Raises:
        TurnedAway: The bridge refused.
    """
    address, secret = urldefrag(link)
    body = {"secret": secret, "name": name, "visitor": visitor or secrets.token_urlsafe(16)}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{address}/token", json=body) as response,
    ):
        answer: dict[str, Any] = await response.json()
        if not response.ok:
            raise TurnedAway(response.status, str(answer.get("error")))
        return answer


class Guest:
    """Somebody in a meeting; ``async with`` joins and leaves.

    Attributes:
        name: As the others see it.
        received: What came in, by the sender's name and by their identity in the SFU.
    """

    def __init__(self, name: str, sfu_url: str, token: str) -> None:
        self.name = name
        self.received: dict[str, Received] = {}
        self._sfu_url = sfu_url
        self._token = token
        self._room = rtc.Room()
        self._tasks: set[asyncio.Task[None]] = set()
        self._more = asyncio.Event()
        self._disconnected = asyncio.Event()
        self._moved = asyncio.Event()
        self._room.on("track_subscribed", self._listen)
        self._room.on("reconnected", self._moved.set)
        self._room.on("disconnected", lambda reason: self._disconnected.set())

    @classmethod
    async def with_link(cls, link: str, name: str) -> Self:
        """A guest who opened the card's link, like a browser does.

        Raises:
            TurnedAway: The bridge gave no token.
        """
        ticket = await ask_for_ticket(link, name)
        return cls(ticket["name"], ticket["sfu_url"], ticket["token"])

    async def __aenter__(self) -> Self:
        options = rtc.RoomOptions(rtc_config=rtc.RtcConfiguration(ice_servers=[]))
        await self._room.connect(self._sfu_url, self._token, options)
        audio = rtc.AudioSource(_SAMPLE_RATE, 1)
        video = rtc.VideoSource(_WIDTH, _HEIGHT)
        me = self._room.local_participant
        await me.publish_track(
            rtc.LocalAudioTrack.create_audio_track("tone", audio),
            rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE),
        )
        await me.publish_track(
            rtc.LocalVideoTrack.create_video_track("test picture", video),
            rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA, simulcast=False),
        )
        self._begin(_sound(audio))
        self._begin(_show(video))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()

    async def leave(self) -> None:
        """Leave the meeting. Nothing happens when that has been done."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await hang_up(self._room)

    async def wait_until_disconnected(self, timeout: float = 20) -> None:
        """Wait until the SFU has ended the connection, as it does when the meeting is closed.

        Raises:
            TimeoutError: It did not within ``timeout`` seconds.
        """
        async with asyncio.timeout(timeout):
            await self._disconnected.wait()

    @asynccontextmanager
    async def moved(self, timeout: float = 30) -> AsyncIterator[None]:
        """Wait at the end of the block until they have connected anew, as who is moved does.

        Raises:
            TimeoutError: They did not within ``timeout`` seconds.
        """
        self._moved.clear()
        yield
        try:
            async with asyncio.timeout(timeout):
                await self._moved.wait()
        except TimeoutError:
            raise TimeoutError(f"{self.name} did not connect anew") from None

    async def wait_for_media(self, sender: str, frames: int = 20, timeout: float = 60) -> Received:
        """Wait until so many audible and so many video frames have come from one sender, from now on.

        Args:
            sender: Their name or identity.
            frames: How many of each.
            timeout: Seconds.

        Returns:
            Everything that has come from them so far.

        Raises:
            TimeoutError: They did not within ``timeout`` seconds; the message says what is there of them.
        """
        got = self.received.setdefault(sender, Received())
        sound, pictures = got.audible + frames, got.pictures + frames
        try:
            async with asyncio.timeout(timeout):
                while got.audible < sound or got.pictures < pictures:
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise TimeoutError(f"{self._tracks_of(sender)}, {got} came") from None
        return got

    def _tracks_of(self, sender: str) -> str:
        for person in self._room.remote_participants.values():
            if sender in (person.name, person.identity):
                tracks = person.track_publications.values()
                subscribed = sum(track.subscribed for track in tracks)
                return f"{len(tracks)} tracks are announced and {subscribed} subscribed to"
        return "not announced"

    def _begin(self, work: Any) -> None:
        self._tasks.add(asyncio.create_task(work))

    def _listen(
        self, track: rtc.Track, publication: rtc.RemoteTrackPublication, sender: rtc.RemoteParticipant
    ) -> None:
        got = self._received_from(sender)
        if isinstance(track, rtc.RemoteAudioTrack):
            self._begin(self._hear(track, got))
        elif isinstance(track, rtc.RemoteVideoTrack):
            self._begin(self._see(track, got))

    def _received_from(self, sender: rtc.RemoteParticipant) -> Received:
        # People in a native call that is not a meeting have no name in the SFU.
        keys = [key for key in (sender.name, sender.identity) if key]
        got = next((self.received[key] for key in keys if key in self.received), Received())
        self.received.update(dict.fromkeys(keys, got))
        return got

    async def _hear(self, track: rtc.RemoteAudioTrack, got: Received) -> None:
        stream = rtc.AudioStream(track, sample_rate=_SAMPLE_RATE, num_channels=1, frame_size_ms=_PART_MS)
        try:
            async for event in stream:
                if max(event.frame.data, default=0) > _AUDIBLE:
                    got.audible += _PART_MS // 10
                    self._more.set()
        finally:
            with suppress(asyncio.CancelledError):
                await stream.aclose()

    async def _see(self, track: rtc.RemoteVideoTrack, got: Received) -> None:
        stream = rtc.VideoStream(track)
        try:
            async for _ in stream:
                got.pictures += 1
                self._more.set()
        finally:
            with suppress(asyncio.CancelledError):
                await stream.aclose()


async def _sound(source: rtc.AudioSource) -> None:
    step = 2 * math.pi * _TONE_HZ / _SAMPLE_RATE
    # A tenth of a second holds 44 whole waves, so that it can be repeated without a click.
    wave = array.array("h", (int(8000 * math.sin(step * n)) for n in range(_SAMPLES))).tobytes()
    while True:
        await source.capture_frame(rtc.AudioFrame(wave, _SAMPLE_RATE, 1, _SAMPLES))


async def _show(source: rtc.VideoSource) -> None:
    pixels = bytearray(b"\x20\x40\x80\xff" * (_WIDTH * _HEIGHT))
    bar = b"\xff\xff\xff\xff" * 8
    row = 4 * _WIDTH
    for number in range(1_000_000):
        moving = bytearray(pixels)
        at = 4 * (number * 4 % (_WIDTH - 8))
        for line in range(_HEIGHT):
            moving[line * row + at : line * row + at + len(bar)] = bar
        source.capture_frame(rtc.VideoFrame(_WIDTH, _HEIGHT, rtc.VideoBufferType.RGBA, moving))
        await asyncio.sleep(_FRAME_S)
