"""Who is in a Visio meeting, and what goes on in it, from what the SFU tells. Pure.

Visio's tokens carry the attributes ``is_authenticated``, ``room_role`` and, once raised, ``handRaisedAt``;
the SFU room's metadata hold ``access_level``, ``recording_mode`` and ``recording_status``. Participants can
change none of it themselves. A room's administrators can, so who is logged in is Visio's word, no proof.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping

import orjson

from bridge.calls.model import ParticipantKind
from bridge.calls.ports import Seen, Sight
from bridge.providers.livekit import matrix_user
from bridge.providers.visio.answers import access
from bridge.providers.visio.appearance import AUTHENTICATED, ROLE
from bridge.sfu.model import SfuKind, SfuParticipant

HAND = "handRaisedAt"

NOBODY = "None"
"""The identity of every account that has never logged in: it tells nobody from the others."""

_ROLES = frozenset({"owner", "administrator", "member"})
_PHONES = frozenset({SfuKind.SIP, SfuKind.CONNECTOR})
_TRANSCRIBER = "multi-user-transcriber"
_COLLECTOR = "metadata-collector"
_IN_PROGRESS = ("starting", "started")
_TRANSCRIPT = "transcript"
_LONGEST_METADATA = 64 * 1024
# Telephone numbers in names: all but the last two digits are nobody's business.
_NUMBER = re.compile(r"\+?\d(?:[ ().-]{0,2}\d){3,}(?=[ ().-]{0,2}\d[ ().-]{0,2}\d(?!\d))")


def sight(
    inside: Iterable[SfuParticipant], metadata: str, vouched: Callable[[SfuParticipant], bool]
) -> Sight:
    """What one look at the SFU shows.

    Recorders and transcribers are no participants: that they are there is said by ``recording`` and
    ``transcription``. Any other machine that receives media unseen counts as a hidden participant.

    Args:
        inside: Who is in the SFU room.
        metadata: The SFU room's metadata.
        vouched: Whether the bridge itself let somebody in under a Matrix user's identity.
    """
    inside = tuple(inside)
    state = _state(metadata)
    mode = _recording_mode(state)
    recorders = any(_is_recorder(p) for p in inside)
    transcribers = any(p.kind is SfuKind.AGENT and p.identity.startswith(_TRANSCRIBER) for p in inside)
    return Sight(
        participants=tuple(understood(p, vouched) for p in inside if not _is_helper(p)),
        recording=(mode is not None or recorders) and mode != _TRANSCRIPT,
        transcription=mode == _TRANSCRIPT or transcribers,
        access=access(state),
    )


def nameless(found: Sight) -> Sight:
    """The same without anybody's name or Matrix user."""
    hidden = (dataclasses.replace(seen, name="", user_id=None) for seen in found.participants)
    return dataclasses.replace(found, participants=tuple(hidden))


def is_person(participant: SfuParticipant) -> bool:
    """Whether somebody is there whom the others can see, and no machine."""
    standing = participant.kind is SfuKind.STANDARD or participant.kind in _PHONES
    return standing and not participant.hidden and not participant.recorder


def understood(participant: SfuParticipant, vouched: Callable[[SfuParticipant], bool]) -> Seen:
    """What the call model needs to know about a participant."""
    kind, verified, user_id = _standing(participant, vouched)
    role = participant.attributes.get(ROLE)
    return Seen(
        identity=participant.identity,
        name=_without_number(participant.name) if kind is ParticipantKind.PHONE else participant.name,
        kind=kind,
        verified=verified,
        user_id=user_id,
        joined_ts=participant.joined_ts,
        hidden=participant.hidden or participant.kind is SfuKind.AGENT,
        hand=bool(participant.attributes.get(HAND)),
        role=role if role in _ROLES else None,
    )


def _standing(
    participant: SfuParticipant, vouched: Callable[[SfuParticipant], bool]
) -> tuple[ParticipantKind, bool, str | None]:
    if participant.kind in _PHONES:
        return ParticipantKind.PHONE, False, None
    if participant.kind is not SfuKind.STANDARD:
        return ParticipantKind.GUEST, False, None
    user_id = matrix_user(participant.identity)
    if user_id is not None:
        # Nobody whom Visio let in has such an identity, unless they made it up.
        return (ParticipantKind.MATRIX, True, user_id) if vouched(participant) else _STRANGER
    if participant.attributes.get(AUTHENTICATED) == "true":
        return ParticipantKind.VISIO, participant.identity != NOBODY, None
    return _STRANGER


_STRANGER = (ParticipantKind.GUEST, False, None)


def _is_recorder(participant: SfuParticipant) -> bool:
    return participant.recorder or participant.kind is SfuKind.EGRESS


def _is_helper(participant: SfuParticipant) -> bool:
    """Whether Visio itself put it there, and the card tells of it in another way."""
    agent = participant.kind is SfuKind.AGENT and participant.identity.startswith((_TRANSCRIBER, _COLLECTOR))
    return agent or _is_recorder(participant)


def _state(metadata: str) -> Mapping[str, object]:
    """Metadata as Visio writes them; whatever else they are says nothing."""
    if not metadata or len(metadata) > _LONGEST_METADATA:
        return {}
    try:
        state = orjson.loads(metadata)
    except orjson.JSONDecodeError:
        return {}
    return state if isinstance(state, dict) else {}


def _recording_mode(state: Mapping[str, object]) -> str | None:
    """What is being recorded at the moment (``screen_recording``, ``transcript``), or None."""
    mode = state.get("recording_mode")
    return mode if isinstance(mode, str) and state.get("recording_status") in _IN_PROGRESS else None


def _without_number(name: str) -> str:
    """A caller's name; LiveKit's SIP service calls them ``Phone +33612345678``."""
    return _NUMBER.sub("…", name[:200].removeprefix("Phone ")).strip()
