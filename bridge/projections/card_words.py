"""The card in words: one function per state, one per line.

Parts without a value disappear together with their punctuation, so every combination is a sentence
of its own in the catalogues rather than pieces put together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bridge.calls.model import Call, CallState, EndReason, Participant
from bridge.locale import Message, Text, Voice, mark
from bridge.locale.text import NOTHING, link
from bridge.projections.names import SUBJECT_LIMIT, display_name, one_line, safe_name

MAX_NAMES = 20
"""Most participants on a card, in words and in data (CONTRACT §5)."""

Names = Literal["during", "keep", "never"]

_MINUTE = 60_000

_HEADLINES = {
    CallState.OPEN: (mark("Meeting open: {subject}"), mark("Meeting open")),
    CallState.ACTIVE: (mark("Meeting in progress: {subject}"), mark("Meeting in progress")),
    CallState.ENDED: (mark("Meeting over: {subject}"), mark("Meeting over")),
    CallState.FAILED: (mark("Meeting not possible: {subject}"), mark("Meeting not possible")),
}

_UNKNOWN_CAUSE = mark("Something went wrong in the Visio service")
CAUSES = {
    "sfu_unreachable": mark("The meeting server is not answering"),
    "sfu_refused": mark("The meeting server refused to open the meeting"),
    "visio_unreachable": mark("Visio is not answering"),
    "visio_refused": mark("Visio refused to open the meeting"),
    "account_unknown": mark("Visio does not know your account yet"),
    "link_unknown": mark("This link leads to no Visio meeting"),
    "too_many_calls": mark("Too many meetings are open at the moment"),
    "misconfigured": mark("The Visio service is not set up correctly"),
    "timeout": mark("Opening the meeting took too long"),
    "internal": _UNKNOWN_CAUSE,
}
"""What each ``Call.failure`` key says, without the full stop; an unknown key is ``internal``."""


@dataclass(frozen=True, slots=True)
class CardStyle:
    """How cards look in one room.

    Attributes:
        voice: Language, time zone and command prefix.
        names: ``calls.names``: names while the call lasts, for ever, or never.
        visio_url: Where people can create a meeting by hand, said when opening failed.
        app_name: What people call their Matrix client (``Tchap``, ``Element``).
        native_bridged: The client's call button leads into the meeting.
        can_admit: Somebody in this installation can let people in from Visio's lobby.
        max_participants: How many people the meeting takes, or None when nobody knows.
        native_people: How many are in the room's own encrypted call, None when unknown.
    """

    voice: Voice
    names: Names = "during"
    visio_url: str | None = None
    app_name: str = ""
    native_bridged: bool = False
    can_admit: bool = True
    max_participants: int | None = None
    native_people: int | None = None


def message(call: Call, style: CardStyle, *, named: bool) -> Message:
    """What the card says.

    Raises:
        KeyError: the call is ``OPENING``.
    """
    return _LINES[call.state](call, style, named)


def headline(call: Call, voice: Voice) -> Text:
    """The card's first line; it changes only with the state."""
    with_subject, alone = _HEADLINES[call.state]
    subject = one_line(call.subject or "", SUBJECT_LIMIT)
    return voice.text(with_subject, subject=subject) if subject else voice.text(alone)


def join_line(url: str | None, voice: Voice) -> Text:
    """The line with the link; in HTML the link's words say where it leads."""
    if not url:
        return NOTHING
    address = voice.text("Join the meeting: {url}", url=url.removeprefix("https://"))
    return Text(voice.text("Join the meeting: {url}", url=url).plain, link(url, address).html)


def people_line(call: Call, voice: Voice, *, named: bool) -> Text:
    """How many are in and, where names may be said, who."""
    if not call.count:
        return voice.text("Nobody at the moment.")
    return _counted(voice, voice.people(call.count), call.count, call.visible if named else ())


def alerts_line(call: Call, style: CardStyle) -> Text:
    """What people must know before they speak: recording, transcription, listeners, doubt."""
    voice = style.voice
    alerts = []
    if call.recording:
        alerts.append(voice.text("Recording."))
    if call.transcription:
        alerts.append(voice.text("Transcription on."))
    if is_full(call, style.max_participants):
        alerts.append(
            voice.text("Full: {count} of {max}.", count=call.count, max=style.max_participants or 0)
        )
    if call.stale_since_ts is not None:
        clock = voice.clock(call.stale_since_ts, near=call.started_ts)
        alerts.append(voice.text("Attendance unknown since {clock}.", clock=clock))
    if call.listening:
        alerts.append(voice.plural("{count} listening.", "{count} listening.", call.listening))
    return Text.join(" ", alerts)


def failure_lines(
    voice: Voice, cause: str | None, visio_url: str | None, reference: str | None
) -> list[Text]:
    """Why no meeting could be opened, what to do now, and the reference for the administrator."""
    because = voice.text(CAUSES.get(cause or "", _UNKNOWN_CAUSE))
    if visio_url:
        again = voice.text(
            "Try `{prefix}` again, or create the meeting here and paste its link in the room: {visio}",
            visio=link(visio_url, visio_url),
        )
    else:
        again = voice.text("Try `{prefix}` again in a few minutes.")
    return [
        voice.text("{cause}. No meeting is open.", cause=because),
        again,
        voice.text("Ref. {reference}", reference=reference) if reference else NOTHING,
    ]


def since_line(call: Call, style: CardStyle) -> Text:
    """Since when there is a meeting: who opened it while nobody is there, else when people came."""
    voice = style.voice
    if call.state is CallState.ACTIVE:
        clock = voice.clock(_begin(call), near=call.started_ts)
        return voice.text("Since {clock} ({zone}).", clock=clock, zone=voice.zone)
    clock = voice.clock(call.started_ts)
    who = safe_name(call.started_by_name) if style.names != "never" else ""
    if who:
        since = voice.text("By {who}, at {clock} ({zone}).", who=who, clock=clock, zone=voice.zone)
    else:
        since = voice.text("At {clock} ({zone}).", clock=clock, zone=voice.zone)
    # While the SFU is silent nobody knows whether somebody is there; the alert says so.
    empty = voice.text("Nobody is there yet.") if call.stale_since_ts is None else NOTHING
    return Text.join(" ", [since, empty])


def _open(call: Call, style: CardStyle, named: bool) -> Message:
    voice = style.voice
    return Message.of(
        headline(call, voice).strong(),
        since_line(call, style),
        join_line(call.url, voice),
        _ways_in(call, style),
        alerts_line(call, style),
        voice.text("Stop: `{prefix} end`. Help: `{prefix} help`."),
        _encryption_line(call, style),
    )


def _active(call: Call, style: CardStyle, named: bool) -> Message:
    voice = style.voice
    return Message.of(
        headline(call, voice).strong(),
        since_line(call, style),
        people_line(call, voice, named=named),
        join_line(call.url, voice),
        _ways_in(call, style),
        alerts_line(call, style),
        _encryption_line(call, style),
    )


def _ended(call: Call, style: CardStyle, named: bool) -> Message:
    voice = style.voice
    begin = _begin(call)
    end = max(call.ended_ts or begin, begin)
    # The length agrees with the two times as they are shown, to the minute.
    length = (end // _MINUTE - begin // _MINUTE) * _MINUTE
    when = voice.text(
        "From {start} to {end} ({zone}), {duration}.",
        start=voice.clock(begin),
        end=voice.clock(end, near=begin),
        zone=voice.zone,
        duration=voice.duration(length),
    )
    came = voice.plural("{count} person came", "{count} people came", call.came).plain
    people = _counted(voice, came, call.came, call.visible if named else ())
    return Message.of(
        headline(call, voice).strong(),
        Text.join(" ", [when, people if call.came else voice.text("Nobody came.")]),
        voice.text("This room no longer follows the meeting, which may go on.")
        if _goes_on(call)
        else NOTHING,
        voice.text("New meeting: type `{prefix}`"),
    )


def _failed(call: Call, style: CardStyle, named: bool) -> Message:
    lines = failure_lines(style.voice, call.failure, style.visio_url, call.reference)
    return Message.of(headline(call, style.voice).strong(), *lines)


_LINES = {
    CallState.OPEN: _open,
    CallState.ACTIVE: _active,
    CallState.ENDED: _ended,
    CallState.FAILED: _failed,
}


def _begin(call: Call) -> int:
    return call.started_ts if call.first_join_ts is None else call.first_join_ts


def _goes_on(call: Call) -> bool:
    if call.end_reason is EndReason.UNTIED:
        return True
    return call.adopted and call.end_reason in (EndReason.COMMAND, EndReason.ADMIN)


def is_full(call: Call, max_participants: int | None) -> bool:
    """Whether the meeting takes nobody else."""
    return bool(max_participants) and call.count >= (max_participants or 0)


def _counted(voice: Voice, people: str, count: int, shown: tuple[Participant, ...]) -> Text:
    """``3 people: Ada, Bob and 1 other.``, or ``3 people.`` when nobody is named."""
    if not shown:
        return voice.text("{people}.", people=people)
    names = [display_name(voice, participant) for participant in shown[:MAX_NAMES]]
    return voice.text("{people}: {names}.", people=people, names=voice.names(names, count - len(names)))


def _ways_in(call: Call, style: CardStyle) -> Text:
    voice = style.voice
    access = NOTHING
    if call.access == "public":
        access = voice.text("Anyone with this link can enter.")
    elif call.access in ("trusted", "restricted") and not style.can_admit:
        access = voice.text("Without ProConnect you will not be able to enter.")
    elif call.access == "trusted":
        access = voice.text(
            "With ProConnect (French State) you go straight in; otherwise an organiser must let you in."
        )
    elif call.access == "restricted":
        access = voice.text("An organiser must let you in.")
    button = NOTHING
    if style.native_bridged and style.app_name and not call.encrypted_room:
        button = voice.text("The call button in {app} leads to the same meeting.", app=style.app_name)
    return Text.join(" ", [access, button])


def _encryption_line(call: Call, style: CardStyle) -> Text:
    if not call.encrypted_room:
        return NOTHING
    voice = style.voice
    warning = voice.text("Note: this room is end-to-end encrypted, the meeting is not.")
    if not style.app_name:
        return warning
    if style.native_people is None:
        other = voice.text(
            "The call button in {app} opens another, encrypted call, without the people of the meeting.",
            app=style.app_name,
        )
    else:
        other = voice.plural(
            "The call button in {app} opens another, encrypted call, without the people of the meeting"
            " ({count} person is in it).",
            "The call button in {app} opens another, encrypted call, without the people of the meeting"
            " ({count} people are in it).",
            style.native_people,
            app=style.app_name,
        )
    return Text.join(" ", [warning, other])
