"""How people in a meeting are shown in the room's native call (`DESIGN` §4, "The ladder"). Pure.

Element Call shows somebody in the SFU only if a MatrixRTC membership (MSC3401, MSC4143) in the room leads to
the identity that they have there. People in Visio have none, so each gets a *face*: a ghost's membership,
else one that the bot carries, else none, and then the card alone tells of them. Which face somebody has is
stored: the gateway translates by it, and it must not change without need.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.calls.model import Participant, ParticipantKind
from bridge.projections.names import safe_name
from bridge.rtc import identities

LIFETIME_MS = 4 * 3_600_000
"""How long a membership lasts unless it is renewed; what Element Call writes too."""

RENEW_MS = 3 * 3_600_000
"""How long after it was written a membership is renewed: each renewal lowers a raised hand."""

_NEVER = 253_402_300_799_000
"""The end of the year 9999: there is nothing to renew."""


class Rung(enum.IntEnum):
    """What shows somebody, best first."""

    GHOST = 0
    """A Matrix user of their own."""
    BOT = 1
    """A membership that the bot carries for them."""
    CARD = 2
    """Nothing but the card."""


@dataclass(frozen=True, slots=True)
class Terrain:
    """What the room and the settings allow.

    Attributes:
        bot_id: The bot.
        server_name: The own homeserver.
        ghost_prefix: What every ghost's local part begins with.
        ghosts: Ghosts are wanted, and the room lets them in and write memberships.
        bot: The bot can write memberships.
    """

    bot_id: str
    server_name: str
    ghost_prefix: str
    ghosts: bool
    bot: bool


@dataclass(frozen=True, slots=True)
class Face:
    """As whom Matrix sees a participant.

    Attributes:
        identity: The participant, by SFU identity.
        room_id: The room whose native call it is.
        rung: What shows them.
        floor: The best rung that the room has not refused them yet.
        user_id: Who sends their membership; empty on the last rung.
        device_id: The device that it names.
        name: The ghost's display name.
        since_ts: Since when they have this membership, milliseconds.
        renew_ts: When it is to be written again, milliseconds.
        present: They are in the meeting; a ghost whose person left stays in the room, without a membership,
            until the call is over.
        out: The ghost was put out of the room.
    """

    identity: str
    room_id: str
    rung: Rung
    floor: Rung = Rung.GHOST
    user_id: str = ""
    device_id: str = ""
    name: str = ""
    since_ts: int = 0
    renew_ts: int = 0
    present: bool = True
    out: bool = False

    @property
    def shown(self) -> str | None:
        """Their identity for clients of MatrixRTC; None if they are not shown there."""
        if self.rung is Rung.CARD:
            return None
        return identities.plain_identity(self.user_id, self.device_id)

    @property
    def state_key(self) -> str:
        """State key of their membership."""
        return f"_{self.user_id}_{self.device_id}_m.call"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in this order.

    Attributes:
        empty: Memberships to empty.
        bring: Ghosts to bring into the room, under their present name.
        write: Memberships to write.
        dismiss: Ghosts to send out of the room.
        faces: Who has which face from now on, by SFU identity.
    """

    empty: tuple[Face, ...] = ()
    bring: tuple[Face, ...] = ()
    write: tuple[Face, ...] = ()
    dismiss: tuple[Face, ...] = ()
    faces: Mapping[str, Face] = dataclasses.field(default_factory=dict)


def plan(
    people: Iterable[Participant], room_id: str, stored: Mapping[str, Face], terrain: Terrain, now: int
) -> Plan:
    """What follows from who is in a meeting whose people the native call shows.

    Args:
        people: Who is in and can be seen.
        room_id: The room whose native call it is.
        stored: The faces of before, by SFU identity.
        terrain: What is allowed there.
        now: Milliseconds since the epoch.
    """
    inside = {person.identity: person for person in people if person.kind is not ParticipantKind.MATRIX}
    wanted = {
        identity: _face(person, room_id, stored.get(identity), terrain, now)
        for identity, person in inside.items()
    }
    waiting = {
        identity: _without_person(face, terrain)
        for identity, face in stored.items()
        if identity not in wanted and face.room_id == room_id
    }
    faces = wanted | {identity: face for identity, face in waiting.items() if face is not None}
    gone = [
        face
        for identity, face in stored.items()
        if face.present and face.shown is not None and not _stands(face, faces.get(identity))
    ]
    return Plan(
        empty=tuple(gone),
        bring=tuple(
            face
            for identity, face in wanted.items()
            if face.rung is Rung.GHOST and not _is_known(face, stored.get(identity))
        ),
        write=tuple(
            face
            for identity, face in wanted.items()
            if face.shown is not None and face.renew_ts != _renewal_of(stored.get(identity), face)
        ),
        dismiss=tuple(
            face
            for identity, face in stored.items()
            if face.rung is Rung.GHOST and not _is_still_ghost(face, faces.get(identity))
        ),
        faces=faces,
    )


def dismissal(stored: Mapping[str, Face]) -> Plan:
    """What is to be done when the native call no longer shows anybody of the meeting."""
    return Plan(
        empty=tuple(face for face in stored.values() if face.present and face.shown is not None),
        dismiss=tuple(face for face in stored.values() if face.rung is Rung.GHOST),
    )


def refused(face: Face) -> Face:
    """The face of somebody whom the room refused their present rung."""
    return dataclasses.replace(face, floor=Rung(min(face.rung + 1, Rung.CARD)))


def put_out(face: Face) -> Face:
    """The face of somebody whose ghost was kicked out of the room, or banned: the room refuses it."""
    return dataclasses.replace(face, floor=max(face.floor, Rung.BOT), out=True)


def content(face: Face, service_url: str, now: int) -> dict[str, Any]:
    """The membership event's content (MSC3401, as Element Call 0.26 reads it)."""
    found: dict[str, Any] = {
        "application": "m.call",
        "call_id": "",
        "scope": "m.room",
        "device_id": face.device_id,
        "membershipID": identities.plain_identity(face.user_id, face.device_id),
        "expires": now - face.since_ts + LIFETIME_MS,
        "m.call.intent": "video",
        "focus_active": {"type": "livekit", "focus_selection": "multi_sfu"},
        "foci_preferred": [
            {"type": "livekit", "livekit_service_url": service_url, "livekit_alias": face.room_id}
        ],
    }
    if now != face.since_ts:
        found["created_ts"] = face.since_ts
    return found


def _face(person: Participant, room_id: str, before: Face | None, terrain: Terrain, now: int) -> Face:
    if before is not None and before.room_id != room_id:
        before = None
    floor = before.floor if before is not None else Rung.GHOST
    rung = _rung(person, floor, terrain)
    name = safe_name(person.name) if rung is Rung.GHOST else ""
    if before is not None and before.present and before.rung is rung:
        renewed = now + RENEW_MS if now >= before.renew_ts else before.renew_ts
        return dataclasses.replace(before, name=name, renew_ts=renewed)
    user_id, device_id = _member(person.identity, rung, terrain)
    return Face(
        identity=person.identity,
        room_id=room_id,
        rung=rung,
        floor=floor,
        user_id=user_id,
        device_id=device_id,
        name=name,
        since_ts=now,
        renew_ts=_NEVER if rung is Rung.CARD else now + RENEW_MS,
    )


def _rung(person: Participant, floor: Rung, terrain: Terrain) -> Rung:
    authenticated = person.kind is ParticipantKind.VISIO and person.verified
    if terrain.ghosts and authenticated and floor <= Rung.GHOST:
        return Rung.GHOST
    return Rung.BOT if terrain.bot and floor <= Rung.BOT else Rung.CARD


def _member(identity: str, rung: Rung, terrain: Terrain) -> tuple[str, str]:
    if rung is Rung.GHOST:
        ghost = identities.ghost_user_id(
            identity, prefix=terrain.ghost_prefix, server_name=terrain.server_name
        )
        return ghost, identities.GHOST_DEVICE
    if rung is Rung.BOT:
        return terrain.bot_id, identities.carried_device(identity)
    return "", ""


def _without_person(face: Face, terrain: Terrain) -> Face | None:
    """What stays of somebody who has left the meeting; None if nothing does.

    A ghost waits in the room for its person to come back. What the room has refused, it is not asked again.
    """
    if _is_let_in(face, terrain):
        return dataclasses.replace(face, present=False, renew_ts=_NEVER)
    if face.floor is Rung.GHOST:
        return None
    return Face(face.identity, face.room_id, Rung.CARD, face.floor, renew_ts=_NEVER, present=False)


def _is_let_in(face: Face, terrain: Terrain) -> bool:
    return face.rung is Rung.GHOST and terrain.ghosts and face.floor <= Rung.GHOST


def _stands(before: Face, after: Face | None) -> bool:
    """Whether a membership goes on, in the same room and under the same key."""
    if after is None or not after.present:
        return False
    return (before.room_id, before.state_key) == (after.room_id, after.state_key)


def _is_known(face: Face, before: Face | None) -> bool:
    """Whether a ghost is in the room already, under the name that it has now."""
    same_room = before is not None and before.room_id == face.room_id
    return before is not None and same_room and (before.rung, before.name) == (Rung.GHOST, face.name)


def _is_still_ghost(before: Face, after: Face | None) -> bool:
    return after is not None and after.rung is Rung.GHOST and after.room_id == before.room_id


def _renewal_of(before: Face | None, face: Face) -> int | None:
    """When the membership that stands is to be renewed; None if there is none."""
    if before is None or not before.present or not _stands(before, face):
        return None
    return before.renew_ts
