"""The card in words: one function per state.

Parts without a value disappear together with their punctuation, so every combination is a sentence
of its own in the catalogues rather than pieces put together.
"""

from __future__ import annotations

from bridge.calls.model import Call, CallState, EndReason
from bridge.locale import Message, Text, Voice, mark
from bridge.locale.text import NOTHING
from bridge.projections.failures import failure_lines, not_followed_lines
from bridge.projections.names import SUBJECT_LIMIT, one_line, safe_name
from bridge.projections.roster import alerts_line, came_line, people_line
from bridge.projections.style import CardStyle
from bridge.projections.ways_in import encryption_line, join_line, ways_in

_MINUTE = 60_000

_HEADLINES = {
    CallState.OPEN: (mark("Meeting open: {subject}"), mark("Meeting open")),
    CallState.ACTIVE: (mark("Meeting in progress: {subject}"), mark("Meeting in progress")),
    CallState.ENDED: (mark("Meeting over: {subject}"), mark("Meeting over")),
    CallState.FAILED: (mark("Meeting not possible: {subject}"), mark("Meeting not possible")),
}
_LET_GO = (mark("Meeting no longer followed here: {subject}"), mark("Meeting no longer followed here"))
_NOT_FOLLOWED = (mark("Meeting not followed: {subject}"), mark("Meeting not followed"))


def message(call: Call, style: CardStyle, *, named: bool) -> Message:
    """What the card says.

    Raises:
        KeyError: the call is ``OPENING``.
    """
    return _LINES[call.state](call, style, named)


def headline(call: Call, voice: Voice) -> Text:
    """The card's first line; it changes only with the state."""
    with_subject, alone = _HEADLINES[call.state]
    if call.state is CallState.ENDED and _was_let_go(call):
        with_subject, alone = _LET_GO
    elif call.state is CallState.FAILED and call.adopted:
        with_subject, alone = _NOT_FOLLOWED
    subject = one_line(call.subject or "", SUBJECT_LIMIT)
    return voice.text(with_subject, subject=subject) if subject else voice.text(alone)


def since_line(call: Call, style: CardStyle) -> Text:
    """Since when there is a meeting: who opened it while nobody is there, else when people came."""
    voice = style.voice
    if call.state is CallState.ACTIVE:
        clock = voice.clock(_begin(call), near=call.started_ts)
        return voice.text("Since {clock} ({zone}).", clock=clock, zone=voice.zone)
    return Text.join(" ", [_asked_line(call, style), _nobody_yet(call, voice)])


def _asked_line(call: Call, style: CardStyle) -> Text:
    voice = style.voice
    clock = voice.clock(call.started_ts)
    if call.adopted:
        return voice.text("Followed since {clock} ({zone}).", clock=clock, zone=voice.zone)
    who = safe_name(call.started_by_name) if style.names != "never" else ""
    if who:
        return voice.text("By {who}, at {clock} ({zone}).", who=who, clock=clock, zone=voice.zone)
    return voice.text("At {clock} ({zone}).", clock=clock, zone=voice.zone)


def is_awaited(call: Call) -> bool:
    """Whether the link that the room follows leads to no meeting yet."""
    return call.adopted and call.sfu_room is None and not call.unseen


def _nobody_yet(call: Call, voice: Voice) -> Text:
    if call.unseen:
        return voice.text("Attendance is not shown.")
    if is_awaited(call):
        return voice.text("The meeting does not exist in Visio yet.")
    # While the SFU is silent nobody knows whether somebody is there; the alert says so.
    return voice.text("Nobody is there yet.") if call.stale_since_ts is None else NOTHING


def _open(call: Call, style: CardStyle, named: bool) -> Message:
    voice = style.voice
    if _is_ours(call):
        stop = voice.text("Stop: `{prefix} end`. Help: `{prefix} help`.")
    else:
        stop = voice.text("Stop following: `{prefix} end`. Help: `{prefix} help`.")
    return Message.of(
        headline(call, voice).strong(),
        since_line(call, style),
        join_line(call.url, voice),
        ways_in(call, style),
        alerts_line(call, style),
        stop,
        encryption_line(call, style),
    )


def _active(call: Call, style: CardStyle, named: bool) -> Message:
    voice = style.voice
    return Message.of(
        headline(call, voice).strong(),
        since_line(call, style),
        people_line(call, voice, named=named),
        join_line(call.url, voice),
        ways_in(call, style),
        alerts_line(call, style),
        encryption_line(call, style),
    )


def _ended(call: Call, style: CardStyle, named: bool) -> Message:
    voice = style.voice
    came = NOTHING if call.unseen else came_line(call, voice, named=named)
    goes_on = NOTHING
    if _was_let_go(call) or call.end_reason is EndReason.UNTIED:
        goes_on = voice.text("This room no longer follows the meeting, which may go on.")
    return Message.of(
        headline(call, voice).strong(),
        Text.join(" ", [_when_line(call, voice), came]),
        goes_on,
        voice.text("New meeting: type `{prefix}`"),
    )


def _when_line(call: Call, voice: Voice) -> Text:
    begin = _begin(call)
    end = max(call.ended_ts or begin, begin)
    start, until = voice.clock(begin), voice.clock(end, near=begin)
    # The length agrees with the two times as they are shown, to the minute.
    minutes = end // _MINUTE - begin // _MINUTE
    if call.unseen:
        # How long the meeting itself was, nobody can tell.
        if not minutes:
            brief = mark("The link stood here for less than a minute, at {clock} ({zone}).")
            return voice.text(brief, clock=start, zone=voice.zone)
        return voice.text(
            "The link stood here from {start} to {end} ({zone}).", start=start, end=until, zone=voice.zone
        )
    length = voice.duration(minutes * _MINUTE)
    if not minutes:
        return voice.text("At {clock} ({zone}), {duration}.", clock=start, zone=voice.zone, duration=length)
    return voice.text(
        "From {start} to {end} ({zone}), {duration}.",
        start=start,
        end=until,
        zone=voice.zone,
        duration=length,
    )


def _failed(call: Call, style: CardStyle, named: bool) -> Message:
    voice = style.voice
    if call.adopted:
        lines = not_followed_lines(voice, call.failure, support=style.support, reference=call.reference)
    else:
        lines = failure_lines(
            voice,
            call.failure,
            visio_url=style.visio_url,
            support=style.support,
            reference=call.reference,
        )
    return Message.of(headline(call, voice).strong(), *lines)


_LINES = {
    CallState.OPEN: _open,
    CallState.ACTIVE: _active,
    CallState.ENDED: _ended,
    CallState.FAILED: _failed,
}


def _begin(call: Call) -> int:
    return call.started_ts if call.first_join_ts is None else call.first_join_ts


def _is_ours(call: Call) -> bool:
    """Whether ending the call ends the meeting for everybody in it."""
    return not call.adopted and not call.unseen


def _was_let_go(call: Call) -> bool:
    """Whether the room stopped following a meeting that was not ours to end, and no more is known of it."""
    if call.unseen:
        return True
    return call.adopted and call.end_reason in (EndReason.COMMAND, EndReason.ADMIN, EndReason.UNTIED)
