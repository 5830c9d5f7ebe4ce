"""The SFU's server API, with patience: what the bridge asks LiveKit, in plain data.

An answer is LiveKit's own or none: whatever else happens is `SfuUnreachable`, which nobody may
take for an empty room. A room or participant that LiveKit does not know is never an error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import aiohttp
from google.protobuf.message import Message
from livekit.protocol.models import ParticipantInfo, Room, TrackSource, TrackType
from livekit.protocol.room import (
    CreateRoomRequest,
    DeleteRoomRequest,
    DeleteRoomResponse,
    ListParticipantsRequest,
    ListParticipantsResponse,
    ListRoomsRequest,
    ListRoomsResponse,
    MuteRoomTrackRequest,
    MuteRoomTrackResponse,
    RemoveParticipantResponse,
    RoomParticipantIdentity,
)

from bridge.calls.ports import SfuUnreachable
from bridge.sfu.model import RoomInfo, SfuKind, SfuParticipant
from bridge.sfu.retry import Patience, insist
from bridge.sfu.tokens import ApiKey, admin_token
from bridge.sfu.twirp import NotFound, SfuRefused, call, http_url

Answer = TypeVar("Answer", bound=Message)

NAMES_PER_REQUEST = 500
CONNECTIONS = 32

_KINDS: Mapping[int, SfuKind] = {
    ParticipantInfo.Kind.STANDARD: SfuKind.STANDARD,
    ParticipantInfo.Kind.INGRESS: SfuKind.INGRESS,
    ParticipantInfo.Kind.EGRESS: SfuKind.EGRESS,
    ParticipantInfo.Kind.SIP: SfuKind.SIP,
    ParticipantInfo.Kind.AGENT: SfuKind.AGENT,
    ParticipantInfo.Kind.CONNECTOR: SfuKind.CONNECTOR,
    ParticipantInfo.Kind.BRIDGE: SfuKind.BRIDGE,
}


def now_ms() -> int:
    """The time of day in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Sfu:
    """A LiveKit server or cluster of one's own.

    Every method raises `SfuUnreachable` when LiveKit gave no answer in time, and its subclass
    `bridge.sfu.twirp.SfuRefused` when repeating cannot help (wrong key or address).

    Use it as ``async with Sfu(…) as sfu``, or call `close` once at the end.
    """

    def __init__(
        self,
        url: str,
        key: ApiKey,
        *,
        session: aiohttp.ClientSession | None = None,
        patience: Patience | None = None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """Connect lazily.

        Args:
            url: Where the bridge reaches the server API, ``http(s)://`` or ``ws(s)://``.
            key: The SFU's key pair.
            session: Where connections are kept; without it `Sfu` makes and closes its own.
            patience: How long one request may take, with its repetitions.
            clock: The time in milliseconds.
        """
        self._base = f"{http_url(url)}/twirp/livekit.RoomService"
        self._key = key
        self._session = session
        self._owns_session = session is None
        self._patience = patience or Patience()
        self._clock = clock
        self._reachable = True
        self._closed = False

    async def __aenter__(self) -> Sfu:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections, once; a session that was handed in stays open."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None and self._owns_session:
            await session.close()

    async def participants(self, room: str) -> tuple[SfuParticipant, ...]:
        """Who is connected to a room: those in state ``ACTIVE``, in order of arrival.

        A room that does not exist has nobody in it.
        """
        try:
            answer = await self._ask(
                "ListParticipants",
                ListParticipantsRequest(room=room),
                ListParticipantsResponse,
                {"roomAdmin": True, "room": room},
            )
        except NotFound:
            return ()
        active = (p for p in answer.participants if p.state == ParticipantInfo.State.ACTIVE)
        return tuple(sorted(map(_participant, active), key=lambda p: (p.joined_ts, p.identity)))

    async def rooms(self, names: Iterable[str]) -> dict[str, RoomInfo]:
        """Which of these rooms exist, by name."""
        wanted = sorted(set(names))
        found: dict[str, RoomInfo] = {}
        for start in range(0, len(wanted), NAMES_PER_REQUEST):
            some = wanted[start : start + NAMES_PER_REQUEST]
            answer = await self._ask(
                "ListRooms", ListRoomsRequest(names=some), ListRoomsResponse, {"roomList": True}
            )
            found |= {room.name: _room(room) for room in answer.rooms}
        return found

    async def create_room(
        self, name: str, *, empty_timeout_ms: int, departure_timeout_ms: int, max_participants: int
    ) -> RoomInfo:
        """Make a room, or change the settings of the one that exists.

        Never for a room that Visio made: it would overwrite its settings.

        Args:
            name: Name of the room.
            empty_timeout_ms: How long it waits for the first participant.
            departure_timeout_ms: How long it waits after the last one left.
            max_participants: How many may be in; 0 for no limit.
        """
        request = CreateRoomRequest(
            name=name,
            empty_timeout=_seconds(empty_timeout_ms),
            departure_timeout=_seconds(departure_timeout_ms),
            max_participants=max_participants,
        )
        return _room(await self._ask("CreateRoom", request, Room, {"roomCreate": True}))

    async def delete_room(self, name: str) -> bool:
        """Put everybody out and forget the room; False if there was none."""
        return await self._act(
            "DeleteRoom", DeleteRoomRequest(room=name), DeleteRoomResponse, {"roomCreate": True}
        )

    async def remove(self, room: str, identity: str) -> bool:
        """Put one participant out; False if they were not in.

        Their token stays good until it expires: whoever must stay out is removed again on sight.
        """
        who = RoomParticipantIdentity(room=room, identity=identity)
        grants = {"roomAdmin": True, "room": room}
        return await self._act("RemoveParticipant", who, RemoveParticipantResponse, grants)

    async def mute_microphones(self, room: str, identity: str) -> int:
        """Mute a participant's microphones and say how many were open.

        Shared screens keep their sound. The participant can unmute.
        """
        grants = {"roomAdmin": True, "room": room}
        who = RoomParticipantIdentity(room=room, identity=identity)
        try:
            participant = await self._ask("GetParticipant", who, ParticipantInfo, grants)
        except NotFound:
            return 0
        muted = 0
        for track in participant.tracks:
            if track.muted or track.type != TrackType.AUDIO or track.source == TrackSource.SCREEN_SHARE_AUDIO:
                continue
            request = MuteRoomTrackRequest(room=room, identity=identity, track_sid=track.sid, muted=True)
            muted += await self._act("MutePublishedTrack", request, MuteRoomTrackResponse, grants)
        return muted

    async def _act(
        self, method: str, request: Message, answer: type[Message], grants: Mapping[str, object]
    ) -> bool:
        try:
            await self._ask(method, request, answer, grants)
        except NotFound:
            return False
        return True

    async def _ask(
        self, method: str, request: Message, answer: type[Answer], grants: Mapping[str, object]
    ) -> Answer:
        session = self._open_session()
        url = f"{self._base}/{method}"

        async def attempt() -> Answer:
            token = admin_token(self._key, grants, self._clock())
            return await call(
                session, url, request, answer, token=token, timeout_ms=self._patience.attempt_ms
            )

        # Once the SFU is known to be down, each question is one attempt until one is answered:
        # thousands of calls on the slow clock would otherwise repeat thousands of requests.
        patience = self._patience if self._reachable else self._patience.once()
        try:
            result = await insist(attempt, patience)
        except (NotFound, SfuRefused):
            self._reachable = True
            raise
        except SfuUnreachable:
            self._reachable = False
            raise
        self._reachable = True
        return result

    def _open_session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise SfuUnreachable("the SFU client is closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS))
        return self._session


def _seconds(duration_ms: int) -> int:
    return -(-duration_ms // 1000)


def _room(room: Room) -> RoomInfo:
    return RoomInfo(sid=room.sid, num_participants=room.num_participants, metadata=room.metadata)


def _participant(info: ParticipantInfo) -> SfuParticipant:
    return SfuParticipant(
        identity=info.identity,
        sid=info.sid,
        name=info.name,
        kind=_KINDS.get(info.kind, SfuKind.UNKNOWN),
        # Servers before 1.8 tell seconds only.
        joined_ts=info.joined_at_ms or info.joined_at * 1000,
        hidden=info.permission.hidden,
        recorder=info.permission.recorder,
        can_subscribe=info.permission.can_subscribe,
        metadata=info.metadata,
        attributes=dict(info.attributes),
    )
