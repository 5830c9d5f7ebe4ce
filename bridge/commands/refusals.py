"""What the bridge says when something cannot be done: pure functions, voice → message.

Each says what is and what to do next, and blames nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from urllib.parse import urlsplit

from bridge.calls.model import Call
from bridge.locale import Message, Text, Voice, mark
from bridge.locale.text import NOTHING
from bridge.projections.names import SUBJECT_LIMIT, one_line, person


def nothing_open(voice: Voice) -> Message:
    """There is no meeting to end, to show or to repeat the link of."""
    return Message.of(voice.text("No meeting is open here. Type `{prefix}` to open one."))


def not_yours(voice: Voice, who: str) -> Message:
    """Only the one who opened the meeting, and moderators, may end it."""
    return Message.of(
        voice.text(
            "Only {who} and moderators can end this meeting; you can simply leave it.", who=person(voice, who)
        )
    )


def not_an_organiser(voice: Voice, who: str) -> Message:
    """Only the one who opened the meeting, and moderators, may act on its participants or call people."""
    return Message.of(
        voice.text("In this meeting only {who} and moderators can do that. Ask them.", who=person(voice, who))
    )


def not_a_moderator(voice: Voice) -> Message:
    """Only moderators may change the room's language."""
    return Message.of(voice.text("In this room only moderators can do that. Ask one of them."))


def not_allowed_to_open(voice: Voice, *, servers: Sequence[str] = (), ask: str = "") -> Message:
    """The policy does not let this user open a meeting here.

    Args:
        voice: How to say it.
        servers: Homeservers whose members may; empty when moderators may.
        ask: Display name of somebody who can open one, if anybody is known.
    """
    if servers:
        rule = voice.text(
            "In this room only members of {servers} can open a meeting.", servers=voice.names(servers)
        )
    else:
        rule = voice.text("In this room only moderators can open a meeting.")
    return Message.of(
        Text.join(" ", [rule, voice.text("Ask {name}.", name=person(voice, ask)) if ask else NOTHING])
    )


def cannot_speak(voice: Voice, server: str, organisation: str) -> Message:
    """The policy lets members of a homeserver listen at most."""
    return Message.of(
        voice.text(
            "Members of {server} cannot speak in this meeting ({organisation}'s rule).",
            server=server,
            organisation=organisation,
        )
    )


def missed_command(voice: Voice) -> Message:
    """A command came while the bridge was down, too long ago to be done now."""
    return Message.of(voice.text("I was down when you typed `{prefix}`. Type it again if you still need it."))


def cannot_read_here(voice: Voice) -> Message:
    """Said once in an encrypted room that the bot cannot read."""
    return Message.of(
        voice.text(
            "This room is end-to-end encrypted and I cannot read its messages yet,"
            " so `{prefix}` does not work here. Use it in a room that is not encrypted."
        )
    )


def unreadable(voice: Voice, reference: str) -> Message:
    """One encrypted message could not be read."""
    return Message.of(
        Text.join(
            " ",
            [
                voice.text(
                    "I could not read your encrypted message. Send it again;"
                    " if it persists, verify your device (Settings > Sessions)."
                ),
                _reference(voice, reference),
            ],
        )
    )


def peer_not_answering(voice: Voice, reference: str) -> Message:
    """The meeting cannot be opened yet; the bridge goes on trying."""
    said = voice.text("Visio is not answering. I will keep trying for 1 minute; no need to repeat.")
    return Message.of(Text.join(" ", [said, _reference(voice, reference)]))


def no_visio_link(voice: Voice, link_: str, visio_url: str) -> Message:
    """A link that cannot be followed: not Visio's, or Visio's without the name of a meeting.

    Args:
        voice: How to say it.
        link_: What was given; it is compared here to find the right words, and never requested.
        visio_url: The configured Visio.
    """
    host = urlsplit(visio_url).netloc
    if urlsplit(link_).netloc.lower() == host.lower():
        return Message.of(
            voice.text(
                "This link names no meeting. The link of a meeting looks like this: {example}",
                example=f"{visio_url.rstrip('/')}/abc-defg-hij",
            )
        )
    return Message.of(voice.text("I can follow only meetings of {name}.", name=host))


def another_open(voice: Voice, call: Call) -> Message:
    """The room has a call already, and one is enough."""
    subject = one_line(call.subject or "", SUBJECT_LIMIT)
    if subject:
        first = voice.text("Another meeting is open here: {subject}", subject=subject)
    else:
        first = voice.text("Another meeting is open here.")
    return Message.of(first, voice.text("To follow this link, end that one first: `{prefix} end`"))


def not_allowed_to_follow(voice: Voice, *, servers: Sequence[str]) -> Message:
    """The policy does not let this user tie a meeting to a room."""
    return Message.of(
        voice.text(
            "In this room only members of {servers} can have a meeting followed.",
            servers=voice.names(servers),
        )
    )


def not_our_meeting(voice: Voice) -> Message:
    """The room only follows this meeting: who organises it acts on its participants, there."""
    return Message.of(
        voice.text("I only follow this meeting. Its organisers can do that, inside the meeting.")
    )


def nobody_seen(voice: Voice) -> Message:
    """Without an SFU to ask nobody can be acted on."""
    return Message.of(
        voice.text("I cannot see who is in this meeting. Its organisers can do that, inside the meeting.")
    )


def cannot_adopt(voice: Voice) -> Message:
    """Existing meetings cannot be followed in this installation."""
    return Message.of(
        voice.text("I cannot follow existing meetings here. To open a new one, type `{prefix}`")
    )


def something_went_wrong(voice: Voice, reference: str) -> Message:
    """A command could not be carried out, for a reason that only the log can tell."""
    said = voice.text("Something went wrong and I could not do that. Try again in a few minutes.")
    return Message.of(Text.join(" ", [said, _reference(voice, reference)]))


InvitationRefusal = Literal["server", "user", "room"]
_INVITATION = {
    "server": mark("This service does not accept invitations from your server."),
    "user": mark("This service does not accept your invitation. Ask your administrator."),
    "room": mark("This service does not work in rooms of this kind."),
}


def invitation_refused(voice: Voice, why: InvitationRefusal) -> str:
    """The ``reason`` of the membership event that refuses an invitation."""
    return voice.text(_INVITATION[why]).plain


LeaveReason = Literal["left_room", "banned", "moderator", "retired", "upgraded"]
_LEAVE = {
    "left_room": mark("You are no longer in this meeting's room."),
    "banned": mark("You were banned from this meeting's room."),
    "moderator": mark("An organiser removed you from the meeting."),
    "retired": mark("This service is being shut down. Thank you for having used it."),
    "upgraded": mark("This room was replaced by another, where I go on."),
}


def leave_reason(voice: Voice, why: LeaveReason) -> str:
    """The ``reason`` of a membership event by which somebody is taken out or the bot goes."""
    return voice.text(_LEAVE[why]).plain


def _reference(voice: Voice, reference: str) -> Text:
    return voice.text("Ref. {reference}", reference=reference) if reference else NOTHING
