"""Meetings in SFU rooms of the bridge's own, joined through the bridge's own page.

The link is ``{public_url}/call/{id}#{secret}``: the fragment is not sent by browsers, so no proxy
logs it. Whoever has the link may come in as a guest, under the name they give.

The SFU room is called ``passerelle-{id}``. Other users of the same SFU can tell ours by the
prefix, and leave them alone (for Visio: ``LIVEKIT_WEBHOOK_EVENTS_FILTER_REGEX``).
"""

from __future__ import annotations

import hmac

from bridge.calls.model import Call, ParticipantKind
from bridge.calls.ports import Admission, Meeting, ProviderFailure, Seen, SfuUnreachable, Sight
from bridge.providers.parts import ProviderParts
from bridge.sfu.model import SfuKind, SfuParticipant
from bridge.sfu.tokens import JoinPass, join_token
from bridge.sfu.twirp import SfuRefused

ROOM_PREFIX = "passerelle-"
GUEST_PREFIX = "guest-"

_PHONES = frozenset({SfuKind.SIP, SfuKind.CONNECTOR})
_MACHINES = frozenset({SfuKind.EGRESS, SfuKind.AGENT})


def sfu_room_of(link_id: str) -> str:
    """The SFU room behind the join page ``/call/{link_id}``.

    A link outlives its call: people who gather again behind it get a new call, with another id but
    the same SFU room. So the room's name, not the call's id, says which call a link leads to.
    """
    return ROOM_PREFIX + link_id


class LivekitProvider:
    """Fills `bridge.calls.ports.Provider` with rooms of our own."""

    name = "livekit"

    def __init__(self, parts: ProviderParts) -> None:
        self._sfu = parts.sfu
        self._parts = parts

    async def open(self, call: Call) -> Meeting:
        """Make the link and the SFU room.

        The link alone needs no SFU, but one that leads nowhere helps nobody: without the SFU this
        fails, and may be repeated. Repeated with the same ``call.secret`` it gives the same link.

        Raises:
            ProviderFailure: ``sfu_unreachable``, or ``sfu_refused`` if the SFU does not accept our key.
        """
        room = call.sfu_room or sfu_room_of(call.id)
        secret = call.secret or self._parts.new_secret()
        try:
            await self._create(room)
        except SfuRefused as error:
            raise ProviderFailure("sfu_refused", str(error), retry=False) from error
        except SfuUnreachable as error:
            raise ProviderFailure("sfu_unreachable", str(error), retry=True) from error
        url = f"{self._parts.public_url.rstrip('/')}/call/{room.removeprefix(ROOM_PREFIX)}#{secret}"
        return Meeting(url=url, sfu_room=room, secret=secret, access="public")

    async def locate(self, _call: Call) -> Meeting | None:
        """Nothing new: rooms of our own stay where they are."""
        return None

    async def prepare(self, call: Call) -> None:
        """Make the SFU room again if LiveKit has forgotten it; called before each join.

        Raises:
            SfuUnreachable: the SFU did not answer.
        """
        await self._create(_room(call))

    async def who(self, call: Call) -> Sight:
        """Who is in the SFU room.

        Raises:
            SfuUnreachable: the SFU did not answer. An unknown room is an empty one.
        """
        inside = await self._sfu.participants(_room(call))
        recording = any(p.recorder or p.kind is SfuKind.EGRESS for p in inside)
        return Sight(tuple(map(understood, inside)), recording=recording)

    async def occupied(self, calls: tuple[Call, ...]) -> frozenset[str]:
        """Ids of those calls whose SFU room exists.

        A room without anybody counts too, because LiveKit's own count is some seconds old.

        Raises:
            SfuUnreachable: the SFU did not answer.
        """
        rooms = await self._sfu.rooms(_room(call) for call in calls)
        return frozenset(call.id for call in calls if _room(call) in rooms)

    async def remove(self, call: Call, identity: str) -> None:
        """Put somebody out.

        Raises:
            SfuUnreachable: the SFU did not answer. Somebody who is not there is no error.
        """
        await self._sfu.remove(_room(call), identity)

    async def mute(self, call: Call, identity: str) -> None:
        """Mute somebody's microphones; they can unmute.

        Raises:
            SfuUnreachable: the SFU did not answer. Somebody who is not there is no error.
        """
        await self._sfu.mute_microphones(_room(call), identity)

    async def close(self, call: Call) -> None:
        """Put everybody out and delete the SFU room.

        Raises:
            SfuUnreachable: the SFU did not answer. An unknown room is no error.
        """
        await self._sfu.delete_room(_room(call))

    def admits(self, call: Call, secret: str) -> bool:
        """Whether this is the secret of the call's link."""
        return bool(call.secret) and hmac.compare_digest(call.secret.encode(), secret.encode())

    def token(self, call: Call, admission: Admission) -> str:
        """A token for the call's SFU room: a guest's, or a Matrix user's.

        Args:
            call: An open or active call.
            admission: A guest's identity begins with ``guest-``, so that none passes for a Matrix user;
                whoever lets a Matrix user in has proven who they are.

        Raises:
            ValueError: the identity is neither.
        """
        identity = admission.identity
        if not identity.startswith(GUEST_PREFIX) and matrix_user(identity) is None:
            raise ValueError(f"an identity begins with {GUEST_PREFIX}, or is a Matrix user's with a device")
        join = JoinPass(
            room=_room(call),
            identity=identity,
            name=admission.name,
            ttl_ms=self._parts.token_ttl_ms,
            can_publish=admission.publish,
            can_publish_data=admission.publish,
            hidden=admission.hidden,
        )
        return join_token(self._parts.key, join, self._parts.clock())

    async def _create(self, room: str) -> None:
        await self._sfu.create_room(
            room,
            empty_timeout_ms=self._parts.empty_timeout_ms,
            departure_timeout_ms=self._parts.departure_timeout_ms,
            max_participants=self._parts.max_participants,
        )


def understood(participant: SfuParticipant) -> Seen:
    """What the call model needs to know about a participant.

    Recorders and agents are nobody's guests and get no line, but they receive media: they count as
    hidden, so that the card tells that somebody listens.
    """
    kind, verified, user_id = _vouched(participant)
    machine = participant.recorder or participant.kind in _MACHINES
    return Seen(
        identity=participant.identity,
        name=participant.name or user_id or participant.identity,
        kind=kind,
        verified=verified,
        user_id=user_id,
        joined_ts=participant.joined_ts,
        hidden=participant.hidden or machine,
    )


def _vouched(participant: SfuParticipant) -> tuple[ParticipantKind, bool, str | None]:
    if participant.kind in _PHONES:
        return ParticipantKind.PHONE, False, None
    user_id = matrix_user(participant.identity) if participant.kind is SfuKind.STANDARD else None
    if user_id is not None:
        return ParticipantKind.MATRIX, True, user_id
    return ParticipantKind.GUEST, False, None


def matrix_user(identity: str) -> str | None:
    """The Matrix user of an SFU identity ``@user:server:DEVICE``, or None (`CONTRACT` §6).

    A server name may hold colons (a port, an IPv6 address), so the last colon divides. A device id
    with a colon would turn into another server's name: whoever signs such a token refuses those.
    """
    user_id, _, device_id = identity.rpartition(":")
    localpart, colon, server = user_id.partition(":")
    if device_id and colon and server and localpart.startswith("@") and len(localpart) > 1:
        return user_id
    return None


def _room(call: Call) -> str:
    return call.sfu_room or sfu_room_of(call.id)
