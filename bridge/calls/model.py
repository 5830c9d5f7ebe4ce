"""What a call is: plain frozen data, read and written by pure functions only.

Times are integers in milliseconds since the epoch, as everywhere in Matrix; durations are
milliseconds too. Nothing here knows of HTTP, SQL, Matrix rooms' contents or LiveKit.
"""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass


class CallState(enum.StrEnum):
    """Where a call stands.

    ``OPENING`` is internal: somebody asked, the provider has not answered yet, there is no card.
    The other four are the states of the card (``fr.passerelle.call``).
    """

    OPENING = "opening"
    OPEN = "open"
    ACTIVE = "active"
    ENDED = "ended"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        """Whether nothing more can happen to a call in this state."""
        return self in (CallState.ENDED, CallState.FAILED)


class EndReason(enum.StrEnum):
    """Why a call ended; stands in the card as ``end_reason``."""

    COMMAND = "command"
    """Somebody wrote ``!visio fin``."""
    EMPTY = "empty"
    """The grace after the last person left ran out."""
    TIMEOUT = "timeout"
    """Nobody came within the open time-out."""
    UNTIED = "untied"
    """The room let go of the call: card redacted, bot removed, encryption turned on. The meeting goes on."""
    ADMIN = "admin"
    """``passerelle calls end``."""


class ParticipantKind(enum.StrEnum):
    """Who a participant is, as far as the SFU tells."""

    VISIO = "visio"
    MATRIX = "matrix"
    GUEST = "guest"
    PHONE = "phone"


@dataclass(frozen=True, slots=True)
class Participant:
    """One person in a meeting, as the card knows them.

    Attributes:
        identity: The SFU identity; unique in the SFU room.
        name: The name they go by, not yet made safe for display.
        kind: Who vouches for them.
        verified: Whether ``name`` was authenticated (Visio's log-in or a Matrix account).
        user_id: The Matrix user id of a real Matrix user, never a ghost's.
        joined_ts: When they came in, milliseconds.
        missed: How many looks in a row the SFU did not list them; they are gone at two.
        hidden: Receives media but is not shown to others; counted as listening.
        hand: Their hand is raised.
        role: What Visio made them in this meeting (``owner``, ``administrator``, ``member``), or None.
    """

    identity: str
    name: str
    kind: ParticipantKind
    verified: bool
    user_id: str | None
    joined_ts: int
    missed: int = 0
    hidden: bool = False
    hand: bool = False
    role: str | None = None


@dataclass(frozen=True, slots=True)
class DialIn:
    """How to join by telephone.

    Attributes:
        number: What to call, as Visio writes it.
        pin: What to type then, digits.
    """

    number: str
    pin: str


class ActionKind(enum.StrEnum):
    """What an organiser can have done to somebody."""

    MUTE = "mute"
    KICK = "kick"
    RING = "ring"
    """Call a member of the Matrix room, who is not in the meeting."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that only a peer can do or knows, asked for in chat, and answered there once it is done.

    Attributes:
        kind: What to do.
        identity: To whom, by SFU identity; by Matrix user id for `ActionKind.RING`.
        name: What they were called when it was asked.
        thread: Root of the thread it was asked in; empty for the main timeline.
        asked_ts: When it was asked, milliseconds.
        by: Matrix user who asked (`ActionKind.RING`).
    """

    kind: ActionKind
    identity: str
    name: str
    thread: str
    asked_ts: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One meeting tied to one Matrix room.

    Attributes:
        id: Short random identifier, safe in URLs.
        room_id: The Matrix room that the card stands in.
        state: See `CallState`.
        provider: Name of the provider that made or found the meeting.
        adopted: The meeting is not the bridge's: somebody posted its link, which stands in ``url`` from
            the start. Ending the call only unties it.
        subject: What it is about, one line, or None.
        url: The link people follow; None before the provider answered (unless ``adopted``) and once the
            call is over.
        former_url: The link of a call that ended by itself; people who gather again behind it get a
            new card (`bridge.calls.lifecycle.resumed`).
        sfu_room: Name of the room in the SFU; None while a followed link leads to no meeting yet.
        unseen: Nobody can tell who is in, because there is no SFU to ask. Such a call ends by command, or
            half a day after its start.
        ownerless: It belongs to an account that nobody logs in as, so nobody can let people in.
        dial_in: How to join by telephone, where that is possible.
        secret: What the join link proves (``livekit`` provider); empty otherwise.
        started_by: Matrix user who asked for it.
        started_by_name: How that user is called on the card.
        started_ts: When they asked.
        thread_id: Root of the thread the command was written in, if any.
        first_join_ts: When the first person came in.
        ended_ts: When it ended.
        end_reason: Why it ended.
        failure: Key of the cause when the state is ``FAILED``.
        reference: What an error message shows so that the log can be found; None if nobody asked for the
            call (a link was posted), and then nothing is said when it cannot be opened.
        empty_since_ts: Since when nobody is in (``ACTIVE``, or while it ``lingers``).
        stale_since_ts: Since when the SFU could not be asked.
        participants: Who is in, in order of arrival.
        peak: Most people in at once.
        doubt: How much of ``peak`` rests on people whom the SFU did not list at the last look: whoever is
            missed once still counts as in, but may have left before somebody else came.
        came: How many different people came in.
        recording: A recording is in progress.
        transcription: A transcription is in progress.
        encrypted_room: The Matrix room is end-to-end encrypted.
        access: Visio's access level (``public``, ``trusted``, ``restricted``) or None.
        closing: The meeting still has to be ended in the SFU, which may be away at the moment.
        lingers: The room has let go of the call, and the people in the meeting go on without it; its link
            lets people in until it has been empty for the grace.
        warned: The room was told that opening takes longer than usual.
        askers: Threads (empty: the main timeline) of those who asked while the call was being opened;
            each gets the link once there is one.
        pending: What is still to be done in the SFU.
        denied: SFU identities, and ids of Matrix users, that were put out and must not come back until the
            call is over.
        version: Grows by one with every stored change; guards against lost updates.
    """

    id: str
    room_id: str
    state: CallState
    provider: str
    started_by: str
    started_by_name: str
    started_ts: int
    adopted: bool = False
    subject: str | None = None
    url: str | None = None
    former_url: str | None = None
    sfu_room: str | None = None
    unseen: bool = False
    ownerless: bool = False
    dial_in: DialIn | None = None
    secret: str = ""
    thread_id: str | None = None
    first_join_ts: int | None = None
    ended_ts: int | None = None
    end_reason: EndReason | None = None
    failure: str | None = None
    reference: str | None = None
    empty_since_ts: int | None = None
    stale_since_ts: int | None = None
    participants: tuple[Participant, ...] = ()
    peak: int = 0
    doubt: int = 0
    came: int = 0
    recording: bool = False
    transcription: bool = False
    encrypted_room: bool = False
    access: str | None = None
    closing: bool = False
    lingers: bool = False
    warned: bool = False
    askers: tuple[str, ...] = ()
    pending: tuple[Action, ...] = ()
    denied: tuple[str, ...] = ()
    version: int = 0

    @property
    def visible(self) -> tuple[Participant, ...]:
        """The participants who can be seen by the others, in order of arrival."""
        return tuple(p for p in self.participants if not p.hidden)

    @property
    def count(self) -> int:
        """How many people are in and visible."""
        return len(self.visible)

    @property
    def listening(self) -> int:
        """How many receive media without being seen (`DESIGN` §2.7: nobody listens unseen)."""
        return len(self.participants) - self.count

    def but(self, **changes: object) -> Call:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]
