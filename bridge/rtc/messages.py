"""The few signalling frames that the gateway says of its own accord."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from livekit.protocol.models import DisconnectReason, ParticipantInfo, ParticipantTracks
from livekit.protocol.rtc import (
    LeaveRequest,
    ParticipantUpdate,
    SignalRequest,
    SignalResponse,
    UpdateSubscription,
)


def reconnect() -> bytes:
    """Tells a client to connect anew: it makes new media connections, in whatever room it is let into."""
    return _leave(LeaveRequest.Action.RECONNECT, DisconnectReason.STATE_MISMATCH)


def resume() -> bytes:
    """Tells a client that is connecting anew to resume its session; it then knows that it has one.

    livekit-client (seen in 2.22 and 2.23) holds back what happens in a room until it is connected again, but
    begins to do so while ``RTCEngine.pendingReconnect`` is set and ends as soon as media flow, a second or
    two earlier. Whoever publishes in between is never shown or heard. A second reason to reconnect, which it
    finds needless ("already attempting reconnect"), is enough to unset that mark. When it is not connecting
    it resumes its signalling, at no cost to the media.

    Not for LiveKit's other SDKs. The one in Rust, which most of them are made of, takes it at its word and
    resumes a session that is being replaced; asked to hang up it may then never answer (seen in livekit 1.2.1
    for Python, in one demo of twenty).
    """
    return _leave(LeaveRequest.Action.RESUME, DisconnectReason.UNKNOWN_REASON)


def removed() -> bytes:
    """Tells a client that it has been put out, and not to try again."""
    return _leave(LeaveRequest.Action.DISCONNECT, DisconnectReason.PARTICIPANT_REMOVED)


def update(people: Iterable[ParticipantInfo]) -> bytes:
    """Tells a client what has become of others."""
    return SignalResponse(update=ParticipantUpdate(participants=people)).SerializeToString()


def farewell() -> bytes:
    """Tells the SFU, in a client's place, that the client leaves: it is forgotten at once."""
    return SignalRequest(leave=LeaveRequest(reason=DisconnectReason.CLIENT_INITIATED)).SerializeToString()


def subscription(sid: str, tracks: Sequence[str], *, subscribe: bool) -> bytes:
    """Tells the SFU, in a client's place, to send or no longer send somebody's tracks."""
    wish = UpdateSubscription(
        track_sids=tracks,
        subscribe=subscribe,
        participant_tracks=[ParticipantTracks(participant_sid=sid, track_sids=tracks)],
    )
    return SignalRequest(subscription=wish).SerializeToString()


def _leave(action: LeaveRequest.Action, reason: DisconnectReason) -> bytes:
    leave = LeaveRequest(
        # For clients from before there were actions (protocol version 13).
        can_reconnect=action != LeaveRequest.Action.DISCONNECT,
        reason=reason,
        action=action,
    )
    return SignalResponse(leave=leave).SerializeToString()
