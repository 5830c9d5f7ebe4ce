"""People with voices and ears, on LiveKit's own SDK."""

from __future__ import annotations

import array
import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Literal

from livekit import rtc

from bridge.demo.silent_guest import hang_up
from tests.support.waiting import until

_RATE, _SAMPLES = 48_000, 480
_LOUD = 1_000
_TONE = array.array("h", (int(8_000 * math.sin(math.tau * 500 * n / _RATE)) for n in range(_SAMPLES)))
_ABOUT_SOMEBODY: tuple[Literal["participant_connected", "participant_disconnected"], ...] = (
    "participant_connected",
    "participant_disconnected",
)
_ABOUT_ONESELF: tuple[Literal["reconnecting", "reconnected", "disconnected"], ...] = (
    "reconnecting",
    "reconnected",
    "disconnected",
)


class Person:
    """Somebody in an SFU room.

    Attributes:
        room: LiveKit's view of it.
        events: What they noticed, in order: the event's name, and the identity that it is about.
    """

    def __init__(self) -> None:
        self.room = rtc.Room()
        self.events: list[tuple[str, str | None]] = []
        self._loud: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.room.on("track_subscribed", self._on_track)
        for about_somebody in _ABOUT_SOMEBODY:
            self.room.on(about_somebody, partial(self._notice, about_somebody))
        for about_oneself in _ABOUT_ONESELF:
            self.room.on(about_oneself, partial(self._notice_of_oneself, about_oneself))

    @property
    def others(self) -> list[str]:
        """Whom they see."""
        return list(self.room.remote_participants)

    async def join(self, url: str, token: str) -> None:
        """Connect, with nothing but the machine's own addresses."""
        options = rtc.RoomOptions(rtc_config=rtc.RtcConfiguration(ice_servers=[]))
        await self.room.connect(url, token, options)

    async def speak(self) -> None:
        """Send a tone until leaving."""
        source = rtc.AudioSource(_RATE, 1)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self.room.local_participant.publish_track(track, options)

        async def sound() -> None:
            frame = rtc.AudioFrame(_TONE.tobytes(), _RATE, 1, _SAMPLES)
            while True:
                await source.capture_frame(frame)

        self._start(sound())

    async def hears(self, identity: str, timeout: float = 15) -> None:
        """Wait until somebody's tone arrives, from now on."""
        before = self._loud.get(identity, 0)
        await until(lambda: self._loud.get(identity, 0) > before + 5, timeout)

    async def sees(self, *identities: str, timeout: float = 15) -> None:
        """Wait until those and nobody else are there."""
        await until(lambda: sorted(self.others) == sorted(identities), timeout)

    async def noticed(self, event: str, identity: str | None = None, timeout: float = 20) -> None:
        """Wait until something has happened."""
        await until(lambda: (event, identity) in self.events, timeout)

    async def leave(self) -> None:
        """Disconnect and fall silent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await hang_up(self.room)

    def _notice(self, event: str, who: rtc.RemoteParticipant) -> None:
        self.events.append((event, who.identity))

    def _notice_of_oneself(self, event: str, *_: object) -> None:
        self.events.append((event, None))

    def _on_track(
        self, track: rtc.Track, _publication: rtc.RemoteTrackPublication, who: rtc.RemoteParticipant
    ) -> None:
        if track.kind == rtc.TrackKind.KIND_AUDIO:
            self._start(self._listen(track, who.identity))

    async def _listen(self, track: rtc.Track, identity: str) -> None:
        stream = rtc.AudioStream(track)
        try:
            async for event in stream:
                if max(event.frame.data) > _LOUD:
                    self._loud[identity] = self._loud.get(identity, 0) + 1
        finally:
            await stream.aclose()

    def _start(self, work: Any) -> None:
        self._tasks.add(asyncio.create_task(work))


@asynccontextmanager
async def person(url: str, token: str) -> AsyncIterator[Person]:
    """Somebody who is in a room for the time of the block."""
    somebody = Person()
    await somebody.join(url, token)
    try:
        yield somebody
    finally:
        await somebody.leave()
