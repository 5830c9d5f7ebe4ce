"""What the call model asks of the outside world, as small protocols.

The reconciler is handed objects of these shapes; the SFU client, the providers and the store fill
them in. Tests fill them with plain Python.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bridge.calls.model import Call, ParticipantKind


class SfuUnreachable(Exception):
    """The SFU did not answer, or not in a way that says who is there.

    Unreachable is not empty: whoever catches this keeps the roster that it had.
    """


class ProviderFailure(Exception):
    """A meeting could not be opened.

    Attributes:
        cause: Key of the user's sentence (``bridge.locale`` turns it into words), such as
            ``"sfu_unreachable"``.
        advice: One English sentence for the administrator, for the log.
        retry: Whether trying again within a minute can help.
    """

    def __init__(self, cause: str, advice: str, *, retry: bool) -> None:
        super().__init__(advice)
        self.cause = cause
        self.advice = advice
        self.retry = retry


@dataclass(frozen=True, slots=True)
class Seen:
    """One active participant as the SFU lists them, already understood by the provider.

    Attributes:
        identity: SFU identity.
        name: Display name; the identity's readable form when the SFU has none.
        kind: Who vouches for them.
        verified: Whether the name was authenticated.
        user_id: Real Matrix user id, or None.
        joined_ts: When the SFU saw them come in, milliseconds.
        hidden: Receives media without being shown to others.
    """

    identity: str
    name: str
    kind: ParticipantKind
    verified: bool
    user_id: str | None
    joined_ts: int
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Meeting:
    """What a provider made: the link people follow and the SFU room behind it."""

    url: str
    sfu_room: str
    secret: str = ""
    access: str | None = None
    adopted: bool = False


class Provider(Protocol):
    """Where meetings come from. One file in ``bridge/providers`` and one line of registration each."""

    name: str

    async def open(self, call: Call) -> Meeting:
        """Make a meeting for a call in state ``OPENING``. Safe to repeat for the same call.

        Raises:
            ProviderFailure: with the cause and whether repeating can help.
        """

    async def prepare(self, call: Call) -> None:
        """Make sure that the SFU room can be joined now (LiveKit forgets empty rooms).

        Raises:
            SfuUnreachable: the SFU did not answer.
        """

    async def who(self, call: Call) -> tuple[Seen, ...]:
        """Who is in the meeting right now: only active participants.

        Raises:
            SfuUnreachable: the SFU did not answer. An unknown room is an empty one.
        """

    async def occupied(self, calls: tuple[Call, ...]) -> frozenset[str]:
        """Ids of those calls whose SFU room exists and may have somebody in: one cheap question.

        Raises:
            SfuUnreachable: the SFU did not answer.
        """

    async def remove(self, call: Call, identity: str) -> None:
        """Take somebody out (`RemoveParticipant`). Somebody who is not there is no error."""

    async def mute(self, call: Call, identity: str) -> None:
        """Mute somebody's microphone tracks (`MutePublishedTrack`)."""

    async def close(self, call: Call) -> None:
        """End the meeting for everybody in it. An unknown room is no error.

        Raises:
            SfuUnreachable: the SFU did not answer.
        """
