"""In which SFU room the people of a Matrix room's native call meet, and what each may do there. Pure.

If the room has an open call that native participants can join, that call's SFU room; else the standard
alias, which every other authorization service gives them too.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.calls.access import Entry, may_enter
from bridge.calls.model import Call, CallState
from bridge.policy import Right
from bridge.rtc import identities
from bridge.rtc.ports import RoomView

_KNOWN_DOORS = frozenset({"public", "trusted"})


@dataclass(frozen=True, slots=True)
class Venue:
    """Where people meet.

    Attributes:
        sfu_room: Name of the SFU room.
        call: The call that it belongs to; None for the standard SFU room.
    """

    sfu_room: str
    call: Call | None = None


@dataclass(frozen=True, slots=True)
class Guest:
    """Who wants in.

    Attributes:
        user_id: Who.
        right: What policy lets them do.
        own_server: They belong to the bridge's own homeserver.
    """

    user_id: str
    right: Right
    own_server: bool


def venue_of(view: RoomView, slot_id: str = identities.ROOM_SLOT) -> Venue:
    """Where a room's native call takes place at the moment."""
    call = native_call(view)
    if call is not None and call.sfu_room is not None and slot_id == identities.ROOM_SLOT:
        return Venue(call.sfu_room, call)
    return Venue(identities.alias(view.room_id, slot_id))


def native_call(view: RoomView) -> Call | None:
    """The room's call if people in the native call meet those of the call, else None.

    Not in an encrypted room: its native call stays encrypted and apart. Nor in a meeting that people are
    let into one by one: that door is Visio's, and whoever is not let in would be alone behind it.
    """
    call = view.call
    if call is None or view.encrypted or not view.has_bot or call.encrypted_room:
        return None
    if call.state not in (CallState.OPEN, CallState.ACTIVE) or call.unseen or call.sfu_room is None:
        return None
    return call if call.access in _KNOWN_DOORS else None


def entry_of(guest: Guest, venue: Venue) -> Entry:
    """What somebody may do at a venue."""
    call = venue.call
    if call is None:
        # Without a meeting there is no door beside policy.
        access, is_owner = "public", False
    else:
        if guest.user_id in call.denied:
            return Entry.NONE
        access = call.access or ""
        is_owner = not call.adopted and call.started_by == guest.user_id
    return may_enter(access, right=guest.right, own_server=guest.own_server, is_owner=is_owner)
