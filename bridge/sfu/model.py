"""What the SFU tells, as plain data: LiveKit's protobuf messages stay inside this package.

Meaning of the fields: ``livekit_models.proto`` (``Room``, ``ParticipantInfo``,
``ParticipantPermission``).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class SfuKind(enum.StrEnum):
    """How a participant is connected (``ParticipantInfo.Kind``)."""

    STANDARD = "standard"
    INGRESS = "ingress"
    EGRESS = "egress"
    SIP = "sip"
    AGENT = "agent"
    CONNECTOR = "connector"
    """A call from another telephony or messaging network."""
    BRIDGE = "bridge"
    """A camera or another device brought in by the SFU itself."""
    UNKNOWN = "unknown"
    """A kind that this version does not know; newer servers may add some."""


@dataclass(frozen=True, slots=True)
class SfuParticipant:
    """One active participant of an SFU room.

    Attributes:
        identity: Unique in the room; given by the token.
        sid: Changes with every connection of the same identity.
        name: Display name given by the token, or empty.
        kind: How they are connected.
        joined_ts: When this connection was made, milliseconds by the SFU's clock.
        hidden: The others are not told of them (``permission.hidden``).
        recorder: They are there to record (``permission.recorder``).
        can_subscribe: They may receive media.
        metadata: Free text given by the token.
        attributes: Key and value pairs given by the token or the client.
    """

    identity: str
    sid: str
    name: str
    kind: SfuKind
    joined_ts: int
    hidden: bool = False
    recorder: bool = False
    can_subscribe: bool = True
    metadata: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RoomInfo:
    """One room that exists in the SFU.

    Attributes:
        sid: Changes each time a room of that name is made again.
        num_participants: Those whom the SFU counts, hidden ones too; up to some seconds old.
        metadata: Free text of the room.
    """

    sid: str
    num_participants: int
    metadata: str = ""


@dataclass(frozen=True, slots=True)
class IceServer:
    """One STUN or TURN server, as browsers' ``RTCIceServer`` has it."""

    urls: tuple[str, ...]
    username: str = ""
    credential: str = field(default="", repr=False)
