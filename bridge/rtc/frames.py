"""Translates the SFU's signalling, frame by frame: bytes in, bytes out, nothing else.

A frame is one ``SignalResponse`` (down, from the SFU) or ``SignalRequest`` (up, from the client) of
LiveKit's ``livekit_rtc.proto``. A frame is copied untouched unless it names participants or hands out
what leads around the gateway; what this module does not know or cannot read comes out as it came in,
the same bytes. Fields that it does not know survive where it does change a frame.

Identities stand in, down (`IDENTITIES_DOWN`):

- ``join``: ``participant`` (oneself), ``other_participants``;
- ``update.participants``;
- ``room_moved``: ``participant`` (oneself), ``other_participants``;
- ``data_track_subscriber_handles.sub_handles``: ``publisher_identity``;

and up (`IDENTITIES_UP`):

- ``subscription_permission.track_permissions``: ``participant_identity``;
- ``get_data_blob_request.participant_identity``.

Everything else names participants and tracks by SID, which is the same on both sides. Around the gateway
lead (`AROUND`): ``refresh_token`` and ``room_moved.token``, replaced by the gateway's own; and
``join.alternative_url`` and ``leave.regions``, taken out. ``ice_servers`` become the administrator's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, MutableSequence, Sequence

from google.protobuf.message import DecodeError
from livekit.protocol.models import ParticipantInfo
from livekit.protocol.rtc import (
    DataTrackSubscriberHandles,
    ICEServer,
    JoinResponse,
    ReconnectResponse,
    RoomMovedResponse,
    SignalRequest,
    SignalResponse,
)

from bridge.rtc.ice import named_by_admin
from bridge.rtc.roster import Roster
from bridge.rtc.wire import Malformed, outer_fields
from bridge.sfu.model import IceServer

IDENTITIES_DOWN = frozenset(
    {
        "join.participant.identity",
        "join.other_participants.identity",
        "update.participants.identity",
        "room_moved.participant.identity",
        "room_moved.other_participants.identity",
        "data_track_subscriber_handles.sub_handles.value.publisher_identity",
    }
)
IDENTITIES_UP = frozenset(
    {
        "subscription_permission.track_permissions.participant_identity",
        "get_data_blob_request.participant_identity",
    }
)
AROUND = frozenset(
    {
        "join.alternative_url",
        "join.ice_servers",
        "leave.regions",
        "reconnect.ice_servers",
        "refresh_token",
        "room_moved.token",
    }
)

_DOWN = SignalResponse.DESCRIPTOR.fields_by_name
_UP = SignalRequest.DESCRIPTOR.fields_by_name
_TOUCHED_DOWN = frozenset(_DOWN[path.partition(".")[0]].number for path in IDENTITIES_DOWN | AROUND)
_TOUCHED_UP = frozenset(_UP[path.partition(".")[0]].number for path in IDENTITIES_UP)

_CACHED_FRAMES = 64
_CACHED_BYTES = 512 * 1024


class Translator:
    """Translates for all connections to one SFU room."""

    def __init__(self, roster: Roster, ice_servers: Sequence[IceServer] = ()) -> None:
        """Nothing is known yet.

        Args:
            roster: Who is shown as whom.
            ice_servers: See `bridge.rtc.ice.named_by_admin`.
        """
        self._roster = roster
        self._ice_servers = ice_servers
        self._updates = _Cache()

    def down(self, frame: bytes, fresh_token: Callable[[], str]) -> bytes | None:
        """Translate what the SFU says.

        Args:
            frame: A binary WebSocket message.
            fresh_token: Makes a token of the gateway's own, to stand for the SFU's.

        Returns:
            What to pass on; None if nothing is left of it.
        """
        try:
            if _TOUCHED_DOWN.isdisjoint(outer_fields(frame)):
                return frame
            known, translated = self._updates.get(frame)
            if known:
                return translated
            message = SignalResponse.FromString(frame)
        except (Malformed, DecodeError):
            return frame
        kind = message.WhichOneof("message")
        if kind == "update":
            translated = self._update(frame, message)
            self._updates.put(frame, translated)
            return translated
        return message.SerializeToString() if self._change(kind, message, fresh_token) else frame

    def up(self, frame: bytes) -> bytes:
        """Translate what a client says."""
        try:
            if _TOUCHED_UP.isdisjoint(outer_fields(frame)):
                return frame
            message = SignalRequest.FromString(frame)
        except (Malformed, DecodeError):
            return frame
        changed = False
        match message.WhichOneof("message"):
            case "subscription_permission":
                for permission in message.subscription_permission.track_permissions:
                    real = self._roster.real(permission.participant_identity)
                    changed |= real != permission.participant_identity
                    permission.participant_identity = real
            case "get_data_blob_request":
                request = message.get_data_blob_request
                real = self._roster.real(request.participant_identity)
                changed = real != request.participant_identity
                request.participant_identity = real
        return message.SerializeToString() if changed else frame

    def forget(self) -> None:
        """Translate anew, because somebody is shown as somebody else from now on."""
        self._updates.clear()

    def _change(self, kind: str | None, message: SignalResponse, fresh_token: Callable[[], str]) -> bool:
        """Translate every kind but updates in place; whether anything became different."""
        changed = False
        match kind:
            case "join":
                changed = self._join(message.join)
            case "reconnect":
                changed = self._name_ice_servers(message.reconnect)
            case "room_moved":
                changed = self._room_moved(message.room_moved, fresh_token)
            case "data_track_subscriber_handles":
                changed = self._handles(message.data_track_subscriber_handles)
            case "refresh_token":
                message.refresh_token = fresh_token()
                changed = True
            case "leave":
                changed = message.leave.HasField("regions")
                message.leave.ClearField("regions")
        return changed

    def _update(self, frame: bytes, message: SignalResponse) -> bytes | None:
        before = len(message.update.participants)
        if not self._people(message.update.participants):
            return frame
        return message.SerializeToString() if message.update.participants or not before else None

    def _join(self, join: JoinResponse) -> bool:
        changed = self._oneself(join.participant) if join.HasField("participant") else False
        changed |= self._people(join.other_participants)
        changed |= self._name_ice_servers(join)
        if join.alternative_url:
            join.ClearField("alternative_url")
            changed = True
        return changed

    def _room_moved(self, moved: RoomMovedResponse, fresh_token: Callable[[], str]) -> bool:
        changed = self._oneself(moved.participant) if moved.HasField("participant") else False
        changed |= self._people(moved.other_participants)
        if moved.token:
            moved.token = fresh_token()
            changed = True
        return changed

    def _handles(self, handles: DataTrackSubscriberHandles) -> bool:
        changed = False
        for handle, track in list(handles.sub_handles.items()):
            shown = self._roster.shown(track.publisher_identity)
            if shown is None:
                del handles.sub_handles[handle]
                changed = True
            elif shown != track.publisher_identity:
                track.publisher_identity = shown
                changed = True
        return changed

    def _name_ice_servers(self, message: JoinResponse | ReconnectResponse) -> bool:
        offered: list[ICEServer] = list(message.ice_servers)
        named = named_by_admin(offered, self._ice_servers)
        if named == offered:
            return False
        message.ClearField("ice_servers")
        message.ice_servers.extend(named)
        return True

    def _oneself(self, info: ParticipantInfo) -> bool:
        shown = self._roster.shown(info.identity)
        # A client cannot do without itself, whoever else must not see it.
        if shown is None or shown == info.identity:
            return False
        info.identity = shown
        return True

    def _people(self, people: MutableSequence[ParticipantInfo]) -> bool:
        changed = False
        unseen = []
        for index, info in enumerate(people):
            shown = self._roster.see(info)
            if shown is None:
                unseen.append(index)
            elif shown != info.identity:
                info.identity = shown
                changed = True
        for index in reversed(unseen):
            del people[index]
        return changed or bool(unseen)


class _Cache:
    """The last updates: the SFU tells everybody in a room the same, often to the byte."""

    def __init__(self) -> None:
        self._frames: OrderedDict[bytes, bytes | None] = OrderedDict()
        self._size = 0

    def get(self, frame: bytes) -> tuple[bool, bytes | None]:
        """Whether it is known, and its translation."""
        if frame not in self._frames:
            return False, None
        return True, self._frames[frame]

    def put(self, frame: bytes, translated: bytes | None) -> None:
        """Keep a translation, and let the oldest go if there are too many."""
        self._frames[frame] = translated
        self._size += _weight(frame, translated)
        while len(self._frames) > _CACHED_FRAMES or self._size > _CACHED_BYTES:
            self._size -= _weight(*self._frames.popitem(last=False))

    def clear(self) -> None:
        """Let all go."""
        self._frames.clear()
        self._size = 0


def _weight(frame: bytes, translated: bytes | None) -> int:
    return len(frame) + len(translated or b"")
