"""Who is in one SFU room, and as whom each was shown: shared by all connections to that room."""

from __future__ import annotations

from dataclasses import dataclass

from livekit.protocol.models import ParticipantInfo

from bridge.rtc.names import Names

_MOST_DEPARTED = 4096
_DISCONNECTED = ParticipantInfo.State.Value("DISCONNECTED")


@dataclass(frozen=True, slots=True)
class Change:
    """Somebody who from now on is shown as somebody else.

    Attributes:
        sid: Of the participant.
        before: The identity under which they were shown, None if they were not.
        after: The new one, None if they are no longer to be seen.
    """

    sid: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class _Present:
    identity: str
    version: int
    info: bytes


class Roster:
    """Remembers what was shown, so that one person is the same to everybody until all are told otherwise.

    Connections read at different speeds: what the SFU says of a participant counts only if its version
    is newer (``ParticipantInfo.version``), and whoever has left does not come back with the same SID.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._present: dict[str, _Present] = {}
        self._told: dict[str, str | None] = {}
        self._changed: dict[str, Change] = {}
        self._departed: dict[str, None] = {}

    def see(self, info: ParticipantInfo) -> str | None:
        """Take note of what the SFU says of somebody, and say under which identity to pass it on."""
        sid, gone = info.sid, info.state == _DISCONNECTED
        known = self._present.get(sid)
        if known is not None and not gone and info.version <= known.version:
            # The most frequent case by far: everybody in the room is told the same.
            return self._told[known.identity]
        identity = info.identity
        shown = self.shown(identity)
        if gone:
            self._depart(sid)
        elif sid not in self._departed:
            self._present[sid] = _Present(identity, info.version, info.SerializeToString())
            self._told[identity] = shown
        return shown

    def shown(self, identity: str) -> str | None:
        """The identity under which somebody was shown, else the one to be shown."""
        # Old servers say of somebody who left the SID only.
        if not identity:
            return identity
        if identity in self._told:
            return self._told[identity]
        return self._names.shown(identity)

    def real(self, identity: str) -> str:
        """The SFU identity behind a shown one."""
        return self._names.real(identity)

    def changes(self, names: Names | None = None) -> list[Change]:
        """Ask the names again, and say who is shown differently from now on; the answer is given once.

        Args:
            names: Are asked from now on, instead of those so far.
        """
        self._names = names or self._names
        found = []
        for sid, present in self._present.items():
            before, after = self._told[present.identity], self._names.shown(present.identity)
            if before != after:
                found.append(Change(sid, before, after))
        # Only now, because two connections of one identity change together.
        for identity in self._told:
            self._told[identity] = self._names.shown(identity)
        self._changed.update((change.sid, change) for change in found)
        return found

    def hello(self, change: Change) -> ParticipantInfo | None:
        """What tells a client that the new identity is there.

        None if that is not so, or not so any more: they are not to be seen, have left, or changed again.
        """
        if change.after is None or self._changed.get(change.sid) is not change:
            return None
        info = ParticipantInfo.FromString(self._present[change.sid].info)
        info.identity = change.after
        return info

    def _depart(self, sid: str) -> None:
        self._departed[sid] = None
        if len(self._departed) > _MOST_DEPARTED:
            del self._departed[next(iter(self._departed))]
        self._changed.pop(sid, None)
        gone = self._present.pop(sid, None)
        if gone and all(other.identity != gone.identity for other in self._present.values()):
            del self._told[gone.identity]


def goodbye(change: Change) -> ParticipantInfo:
    """What tells a client that the old identity has left."""
    return ParticipantInfo(
        sid=change.sid, identity=change.before or "", state=ParticipantInfo.State.DISCONNECTED
    )
