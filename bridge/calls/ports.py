"""What the call model asks of the outside world, as small protocols.

The reconciler is handed objects of these shapes; the SFU client, the providers and the store fill
them in. Tests fill them with plain Python.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bridge.calls.model import Call, DialIn, ParticipantKind


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
        hand: Their hand is raised.
        role: What Visio made them in this meeting (``owner``, ``administrator``, ``member``), or None.
    """

    identity: str
    name: str
    kind: ParticipantKind
    verified: bool
    user_id: str | None
    joined_ts: int
    hidden: bool = False
    hand: bool = False
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look at a meeting shows.

    Attributes:
        participants: Who is in right now: only active participants.
        recording: A recording is in progress.
        transcription: A transcription is in progress.
        access: Visio's access level at the moment, or None if this look does not tell.
    """

    participants: tuple[Seen, ...] = ()
    recording: bool = False
    transcription: bool = False
    access: str | None = None


@dataclass(frozen=True, slots=True)
class Meeting:
    """What a provider made or found: the link people follow and the SFU room behind it.

    Attributes:
        url: The link.
        sfu_room: Name of the room in the SFU; None if the meeting does not exist yet, or if nobody can
            tell (``unseen``).
        secret: What the link proves, where it holds a secret.
        access: Visio's access level (``public``, ``trusted``, ``restricted``), or None if unknown.
        adopted: It was not made by the bridge.
        unseen: There is no SFU to ask who is in.
        ownerless: It belongs to an account that nobody logs in as, so nobody can let people in.
        dial_in: How to join by telephone, where that is possible.
    """

    url: str
    sfu_room: str | None
    secret: str = ""
    access: str | None = None
    adopted: bool = False
    unseen: bool = False
    ownerless: bool = False
    dial_in: DialIn | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """Somebody whom the bridge lets into a meeting.

    Attributes:
        identity: Their SFU identity.
        name: How the others see them, already made safe.
        known: They belong to the own homeserver, so that Visio shows them as a colleague.
        publish: They may send picture, sound and data.
        hidden: The others are not told of them.
    """

    identity: str
    name: str
    known: bool = False
    publish: bool = True
    hidden: bool = False


class Links(Protocol):
    """Knows which links lead to meetings that can be followed. Pure: nothing is requested."""

    def read(self, text: str) -> str | None:
        """The link in its normal form, if the text is exactly one link to a configured Visio host."""

    def find(self, text: str) -> tuple[str, ...]:
        """Links in the first lines of a message, each in its normal form, quoted text left out."""


class NoLinks:
    """Fills `Links` where there is no Visio: finds nothing."""

    def read(self, _text: str) -> str | None:
        """No link."""
        return None

    def find(self, _text: str) -> tuple[str, ...]:
        """No link."""
        return ()


class Provider(Protocol):
    """Where meetings come from. One file in ``bridge/providers`` and one line of registration each."""

    name: str

    async def open(self, call: Call) -> Meeting:
        """Make a meeting for a call in state ``OPENING``, or find it if the call is adopted.

        Safe to repeat for the same call.

        Raises:
            ProviderFailure: with the cause and whether repeating can help.
        """

    async def locate(self, call: Call) -> Meeting | None:
        """Where the meeting of a call in which nobody is is by now; None if there is nothing new to say.

        Asked on the slow clock while a followed link led to no meeting yet, or to one that may move. A
        provider whose meetings stay where they are answers None without asking anybody.

        Raises:
            ProviderFailure: nobody could say.
        """

    async def prepare(self, call: Call) -> None:
        """Make sure that the SFU room can be joined now (LiveKit forgets empty rooms).

        Raises:
            SfuUnreachable: the SFU did not answer.
        """

    async def who(self, call: Call) -> Sight:
        """Who is in the meeting right now, and what goes on in it.

        Raises:
            SfuUnreachable: the SFU did not answer. An unknown room is an empty one.
        """

    async def occupied(self, calls: tuple[Call, ...]) -> frozenset[str]:
        """Ids of those calls whose SFU room exists and may have somebody in: one cheap question.

        Raises:
            SfuUnreachable: the SFU did not answer.
        """

    def token(self, call: Call, admission: Admission) -> str:
        """A token with which one person joins the call's SFU room; never an administrator's.

        Raises:
            ValueError: the identity is not one that this provider's meetings admit.
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
