"""Who is in a meeting, in words, and what people must know before they speak there."""

from __future__ import annotations

from bridge.calls.model import Call, Participant
from bridge.locale import Text, Voice
from bridge.projections.names import display_name
from bridge.projections.style import MAX_NAMES, CardStyle


def people_line(call: Call, voice: Voice, *, named: bool) -> Text:
    """How many are in and, where names may be said, who."""
    if not call.count:
        return voice.text("Nobody at the moment.")
    return counted(voice, voice.people(call.count), call.count, call.visible if named else ())


def counted(voice: Voice, people: str, count: int, shown: tuple[Participant, ...]) -> Text:
    """``3 people: Ada, Bob and 1 other.``, or ``3 people.`` when nobody is named."""
    if not shown:
        return voice.text("{people}.", people=people)
    names = [display_name(voice, participant) for participant in shown[:MAX_NAMES]]
    return voice.text("{people}: {names}.", people=people, names=voice.names(names, count - len(names)))


def came_line(call: Call, voice: Voice, *, named: bool) -> Text:
    """How many came while it lasted and, where names are kept, who."""
    if not call.came:
        return voice.text("Nobody came.")
    came = voice.plural("{count} person came", "{count} people came", call.came).plain
    return counted(voice, came, call.came, call.visible if named else ())


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


def tells_who(call: Call) -> bool:
    """Whether it is ours to tell who is in.

    Whoever knows a link can have its meeting followed. Where nobody enters without being let in, the link
    alone must not show who has been: the card then counts, and names nobody. A level that is not known, or
    that a later Visio invents, counts as the strictest.
    """
    return not call.adopted or call.access in ("public", "trusted")


def is_full(call: Call, max_participants: int | None) -> bool:
    """Whether the meeting takes nobody else; the limit of Visio's own meetings is not known here."""
    return call.provider != "visio" and bool(max_participants) and call.count >= (max_participants or 0)
