"""The states of a call and what moves it from one to the next. Pure.

``OPENING`` → ``OPEN`` → ``ACTIVE`` → ``ENDED``, or ``OPENING`` → ``FAILED``. Only a command, the
grace after the last one left, or the open time-out ends a call; an SFU room that is gone is an
empty one, and an SFU that does not answer ends nothing.

Hidden participants neither start a call nor keep it: a meeting of listeners alone has nobody to
listen to. Whoever ends a call therefore also puts them out, or they would listen unseen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bridge.calls.model import Call, CallState, EndReason
from bridge.calls.ports import Meeting

NEVER: Final = 253_402_300_799_000
"""The end of the year 9999: a look that is not to come."""


@dataclass(frozen=True, slots=True)
class Timings:
    """How long things last, in milliseconds (``calls.*`` in the settings).

    Attributes:
        grace_ms: From the last one's leaving to the end of the call.
        open_timeout_ms: How long a call waits for its first participant.
        resume_window_ms: How long after its end a call's link can bring a new card.
        clock_ms: The slow clock: time between looks when nothing hints.
        second_look_ms: When to look again after somebody was missed once.
        poll_ms: Time between looks at a call that is not over, where no webhooks hint; None: the slow clock.
        unseen_ms: How long a call lasts in which nobody can tell who is in.
    """

    grace_ms: int = 5 * 60_000
    open_timeout_ms: int = 2 * 3_600_000
    resume_window_ms: int = 12 * 3_600_000
    clock_ms: int = 30_000
    second_look_ms: int = 2_000
    poll_ms: int | None = None
    unseen_ms: int = 12 * 3_600_000


def opened(call: Call, meeting: Meeting) -> Call:
    """The call once the provider has made its meeting.

    A call that was ended or that failed in the meantime comes back unchanged; the caller then
    closes the meeting again.
    """
    if call.state is not CallState.OPENING:
        return call
    return call.but(
        state=CallState.OPEN,
        url=meeting.url,
        sfu_room=meeting.sfu_room,
        secret=meeting.secret or call.secret,
        access=meeting.access,
        adopted=call.adopted or meeting.adopted,
        unseen=meeting.unseen,
        ownerless=meeting.ownerless,
        dial_in=meeting.dial_in,
    )


def located(call: Call, meeting: Meeting) -> Call:
    """The call once its meeting is found elsewhere, or for the first time; its link stays."""
    return call.but(
        sfu_room=meeting.sfu_room or call.sfu_room,
        access=meeting.access or call.access,
        dial_in=meeting.dial_in or call.dial_in,
    )


def advance(call: Call, now: int, timings: Timings) -> Call:
    """The call after the passing of time and the last `bridge.calls.observation.merge`."""
    if call.state is CallState.OPEN:
        return _advance_open(call, now, timings)
    if call.state is CallState.ACTIVE:
        return _advance_active(call, now, timings)
    return call


def _advance_open(call: Call, now: int, timings: Timings) -> Call:
    if call.unseen:
        return end(call, now, EndReason.TIMEOUT) if now >= call.started_ts + timings.unseen_ms else call
    if call.visible:
        first = min(p.joined_ts for p in call.visible)
        if not call.adopted:
            # The SFU's clock may be behind ours, and nobody was in before the meeting was.
            first = max(first, call.started_ts)
        return call.but(state=CallState.ACTIVE, first_join_ts=first, empty_since_ts=None)
    if call.stale_since_ts is None and now >= call.started_ts + timings.open_timeout_ms:
        return end(call, now, EndReason.TIMEOUT)
    return call


def _advance_active(call: Call, now: int, timings: Timings) -> Call:
    if call.visible:
        return call.but(empty_since_ts=None)
    if call.stale_since_ts is not None:
        return call
    if call.empty_since_ts is None:
        call = call.but(empty_since_ts=now)
    if now >= _grace_end(call, timings):
        return end(call, now, EndReason.EMPTY)
    return call


def end(call: Call, now: int, reason: EndReason) -> Call:
    """The call ended, once: one that is over already comes back unchanged.

    For reason ``EMPTY`` the end is when the last one left, not when the grace ran out, because
    that is how long people say that a meeting lasted. Nobody is in an ended call, so the roster
    goes; the numbers stay. The link goes too, to ``former_url`` if the call can be resumed; else the
    telephone's PIN is forgotten, and the link's secret unless people are in a meeting that goes on
    without the room (``UNTIED``).
    """
    if call.state.is_over:
        return call
    ended_ts = now
    if reason is EndReason.EMPTY and call.empty_since_ts is not None:
        ended_ts = call.empty_since_ts
    by_itself = reason in (EndReason.EMPTY, EndReason.TIMEOUT)
    resumable = by_itself and call.sfu_room is not None and not call.unseen
    lingers = reason is EndReason.UNTIED and bool(call.secret and call.participants) and not call.adopted
    return call.but(
        state=CallState.ENDED,
        ended_ts=ended_ts,
        end_reason=reason,
        url=None,
        former_url=call.url if resumable else None,
        secret=call.secret if resumable or lingers else "",
        dial_in=call.dial_in if resumable else None,
        lingers=lingers,
        peak=call.peak - call.doubt,
        doubt=0,
        participants=(),
        empty_since_ts=None,
        stale_since_ts=None,
        recording=False,
        transcription=False,
    )


def linger(call: Call, inside: bool, now: int, timings: Timings) -> Call:
    """A meeting that goes on without its room, after a look; once it has been empty for the grace it closes.

    Args:
        call: A call that ``lingers``.
        inside: Whether somebody is in who can be seen by the others.
        now: Milliseconds since the epoch.
        timings: How long things last.
    """
    if inside:
        return call.but(empty_since_ts=None)
    if call.empty_since_ts is None:
        call = call.but(empty_since_ts=now)
    if now < _grace_end(call, timings):
        return call
    return call.but(lingers=False, closing=True, secret="", empty_since_ts=None, denied=())


def fail(call: Call, cause: str, reference: str, now: int) -> Call:
    """The call whose meeting could not be opened; one that is past ``OPENING`` comes back unchanged.

    Args:
        call: The call.
        cause: Key of the user's sentence (`bridge.calls.ports.ProviderFailure`).
        reference: What the message shows so that the log can be found.
        now: Milliseconds since the epoch.
    """
    if call.state is not CallState.OPENING:
        return call
    return call.but(state=CallState.FAILED, failure=cause, reference=reference, ended_ts=now)


def next_look(call: Call, now: int, timings: Timings) -> int:
    """When to look at the call if nothing hints before: always later than ``now``.

    The slow clock, or earlier if a grace or time-out ends before or somebody was missed once.
    A call that is over is looked at on the slow clock while it can be resumed or lingers; for all
    others that are over the answer is `NEVER`.
    """
    if call.state.is_over and not call.lingers:
        return _tick(now, timings.clock_ms) if resumable(call, now, timings) else NEVER
    if call.unseen:
        return max(call.started_ts + timings.unseen_ms, now + 1)
    # A meeting that does not exist yet is nothing that could hint.
    period = timings.clock_ms if call.sfu_room is None else timings.poll_ms or timings.clock_ms
    due = [now + period if call.participants else _tick(now, period)]
    if any(p.missed for p in call.participants):
        due.append(now + timings.second_look_ms)
    if call.state is CallState.OPEN:
        due.append(call.started_ts + timings.open_timeout_ms)
    if call.empty_since_ts is not None:
        due.append(_grace_end(call, timings))
    # What is past already waits for an SFU that answers.
    return min(moment for moment in due if moment > now)


def resumable(call: Call, now: int, timings: Timings) -> bool:
    """Whether people who gather behind this call's link get a new card.

    Only a call that ended by itself, within the window, and only once. Whether the Matrix room has
    another call by now is for the caller to see.
    """
    return (
        call.state is CallState.ENDED
        and call.end_reason in (EndReason.EMPTY, EndReason.TIMEOUT)
        and call.former_url is not None
        and call.ended_ts is not None
        and now < call.ended_ts + timings.resume_window_ms
    )


def resumed(call: Call, now: int, new_id: str) -> Call:
    """A new call behind the link of one that is over: same link, same SFU room, new card.

    Merge a look into it and `advance` it to get it going. Store `spent` of the old call with it.

    Raises:
        ValueError: the old call has no link to resume.
    """
    if call.former_url is None:
        raise ValueError("a call without a former link cannot be resumed")
    return Call(
        id=new_id,
        room_id=call.room_id,
        state=CallState.OPEN,
        provider=call.provider,
        started_by=call.started_by,
        started_by_name=call.started_by_name,
        started_ts=now,
        adopted=call.adopted,
        subject=call.subject,
        url=call.former_url,
        sfu_room=call.sfu_room,
        secret=call.secret,
        thread_id=call.thread_id,
        encrypted_room=call.encrypted_room,
        access=call.access,
        ownerless=call.ownerless,
        dial_in=call.dial_in,
    )


def spent(call: Call) -> Call:
    """The old call once its link has gone over to a new one."""
    return call.but(former_url=None, dial_in=None)


def _tick(now: int, period_ms: int) -> int:
    """The next tick of a clock that is the same for all calls.

    Empty meetings are looked at together, because one question to the SFU does for many of them.
    """
    return (now // period_ms + 1) * period_ms


def _grace_end(call: Call, timings: Timings) -> int:
    return (call.empty_since_ts or 0) + timings.grace_ms
