"""What the bridge answers in chat: pure functions, voice → message. What it must refuse: `refusals`.

Each says what is and what to do next, in as few words as it takes, and blames nobody. What people
wrote (names, subjects) is made safe here, not by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import quote

from bridge.calls.model import ActionKind, Call, CallState, Participant
from bridge.commands import refusals
from bridge.commands.words import Verb
from bridge.locale import LANGUAGES, Message, Text, Voice, mark
from bridge.locale.text import NOTHING, link
from bridge.projections.card_words import headline, since_line
from bridge.projections.names import SUBJECT_LIMIT, display_name, one_line, person, quoted_name
from bridge.projections.roster import alerts_line, people_line, tells_who
from bridge.projections.style import MAX_NAMES, CardStyle
from bridge.projections.ways_in import join_line

MOST_RUNG = 10
"""Most people that one message may call (CONTRACT §4)."""

_USAGE = {
    Verb.RING: mark("To call somebody, type @ and choose their name in the list: `{prefix} call @Marie`"),
    Verb.ADOPT: mark("To follow an existing Visio meeting, give its link: `{prefix} adopt <link>`"),
    Verb.MUTE: mark("To mute somebody, give their name as the card shows it: `{prefix} mute <name>`"),
    Verb.KICK: mark("To remove somebody, give their name as the card shows it: `{prefix} kick <name>`"),
}


def to_content(
    message: Message,
    *,
    mentions: Sequence[str] = (),
    msgtype: Literal["m.notice", "m.text"] = "m.notice",
    thread: str | None = None,
    reply_to: str | None = None,
) -> dict[str, Any]:
    """The content of the ``m.room.message`` event.

    Args:
        message: What to say.
        mentions: User ids to notify. ``m.mentions`` is always there, empty if nobody is: without it
            clients fall back to looking for names in the text.
        msgtype: ``m.text`` only where devices shall ring; everything else is ``m.notice``.
        thread: Event id of the thread's root, if the answer belongs into one (MSC3440).
        reply_to: Event id of the message answered.
    """
    content: dict[str, Any] = {
        "msgtype": msgtype,
        "body": message.body,
        "format": "org.matrix.custom.html",
        "formatted_body": message.html,
        "m.mentions": {"user_ids": list(mentions)} if mentions else {},
    }
    if thread is not None:
        content["m.relates_to"] = {
            "rel_type": "m.thread",
            "event_id": thread,
            "is_falling_back": reply_to is None,
            "m.in_reply_to": {"event_id": reply_to or thread},
        }
    elif reply_to is not None:
        content["m.relates_to"] = {"m.in_reply_to": {"event_id": reply_to}}
    return content


def welcome(
    voice: Voice, *, organisation: str = "", can_decrypt: bool = False, adopt_links: bool = False
) -> Message:
    """Said once, when the bot has joined a room: what it is for, what it reads, how to be rid of it."""
    if organisation:
        hello = voice.text("Hello, I am {organisation}'s Visio service.", organisation=organisation)
    else:
        hello = voice.text("Hello, I am the Visio service.")
    privacy = voice.text(_PRIVACY[can_decrypt, adopt_links])
    return Message.of(
        Text.join(
            " ",
            [
                hello,
                voice.text("For a video meeting, type `{prefix}` (or `{prefix} Budget review`)."),
                voice.text("I post the link here, who is in, then the end."),
                privacy,
                voice.text("Help: `{prefix} help`."),
                voice.text("To remove me, kick me from the room."),
            ],
        )
    )


_PRIVACY = {
    (False, False): mark(
        "I receive this room's messages; I act only on `{prefix}` commands and keep no message."
    ),
    (False, True): mark(
        "I receive this room's messages; I act only on `{prefix}` commands and Visio links"
        " and keep no message."
    ),
    (True, False): mark(
        "I receive this room's messages and can decrypt them;"
        " I act only on `{prefix}` commands and keep no message."
    ),
    (True, True): mark(
        "I receive this room's messages and can decrypt them;"
        " I act only on `{prefix}` commands and Visio links and keep no message."
    ),
}


def direct_chat_hint(voice: Voice, bot: str) -> Message:
    """Said once in a direct chat: how a room gets the service."""
    return Message.of(
        voice.text(
            "For `{prefix}` to work in a room, one of its administrators must invite me: {bot}", bot=bot
        )
    )


def help_text(voice: Voice, *, support: str = "", adopt: bool = True, organisers: bool = True) -> Message:
    """Every command in one line each.

    Args:
        voice: How to say it.
        support: Where people ask (``bot.support``), a web address or words; left out when empty.
        adopt: Existing meetings can be followed here.
        organisers: Participants can be muted and removed here.
    """
    return Message.of(
        voice.text("`{prefix}`: open or find the meeting"),
        voice.text("`{prefix} Budget @Marie`: open it with a subject and notify Marie"),
        voice.text("`{prefix} call @Marie`: notify her now"),
        voice.text("`{prefix} link`: repeat the link"),
        voice.text("`{prefix} status`: who is in"),
        voice.text("`{prefix} adopt <link>`: follow an existing Visio meeting") if adopt else NOTHING,
        voice.text("`{prefix} end`: end it for everyone"),
        voice.text("Organisers: `{prefix} mute <name>`, `{prefix} kick <name>`") if organisers else NOTHING,
        # Translators: offers another language, in that language.
        voice.text("`{prefix} lang fr`: passer en français"),
        voice.text("Questions? {support}", support=link(support, support)) if support else NOTHING,
    )


def already_open(voice: Voice, call: Call, *, wanted: str | None = None) -> Message:
    """Somebody wants to open a meeting where there is one.

    Args:
        voice: How to say it.
        call: The open one.
        wanted: The subject that they gave; it is said that the open meeting does not take it.
    """
    if call.state is CallState.OPENING:
        return being_opened(voice, call)
    subject = one_line(call.subject or "", SUBJECT_LIMIT)
    if subject:
        first = voice.text("A meeting is already open: {subject}", subject=subject)
        keeps = voice.text("The open meeting keeps its subject.")
    else:
        first = voice.text("A meeting is already open.")
        keeps = voice.text("The open meeting stays without a subject.")
    hint = keeps if wanted and one_line(wanted, SUBJECT_LIMIT) != subject else NOTHING
    return Message.of(first, join_line(call.url, voice), hint)


def link_again(voice: Voice, call: Call) -> Message:
    """The link, once more."""
    if call.state is CallState.OPENING:
        return being_opened(voice, call)
    return Message.of(headline(call, voice).strong(), join_line(call.url, voice))


def being_opened(voice: Voice, call: Call) -> Message:
    """Somebody asked, the meeting is not there yet, or cannot be made yet."""
    if call.warned:
        return Message.of(
            voice.text(
                "Visio is not answering at the moment."
                " I keep trying; the link will be here once the meeting is open."
            )
        )
    return Message.of(voice.text("The meeting is being opened; its link will be here in a moment."))


def status(call: Call, style: CardStyle, *, named: bool = True) -> Message:
    """State, since when, and who is in, by the rules of the card.

    Args:
        call: The room's call.
        style: How this room wants it.
        named: Names may be said in a message that nobody will edit; never with ``names: never``.
    """
    voice = style.voice
    if call.state is CallState.OPENING:
        return being_opened(voice, call)
    if call.state.is_over:
        return refusals.nothing_open(voice)
    people = NOTHING
    if call.state is CallState.ACTIVE:
        people = people_line(call, voice, named=named and style.names != "never" and tells_who(call))
    return Message.of(
        headline(call, voice).strong(),
        since_line(call, style),
        people,
        alerts_line(call, style),
    )


def pong(voice: Voice) -> Message:
    """The answer to ``ping``."""
    return Message.of(voice.text("I am here."))


def too_many_commands(voice: Voice) -> Message:
    """More was asked in this room than one reads; for a while only what cannot wait is done."""
    return Message.of(
        voice.text(
            "Too many commands in this room. Wait a minute; until then only opening and `{prefix} end` work."
        )
    )


def version(voice: Voice, number: str) -> Message:
    """Which version runs."""
    return Message.of(voice.text("Passerelle {version}", version=number))


def usage(voice: Voice, verb: Verb) -> Message:
    """How to write a command whose argument was missing or not understood."""
    if verb is Verb.LANGUAGE:
        languages = [f"{code} ({voice.language_name(code)})" for code in LANGUAGES]
        return Message.of(
            voice.text(
                "To change my language in this room, choose one of {languages}: `{prefix} lang en`",
                languages=", ".join(languages),
            )
        )
    return Message.of(voice.text(_USAGE[verb]))


def near_miss(voice: Voice, word: str) -> Message:
    """A lone word that looks like a mistyped command."""
    return Message.of(voice.text("Did you mean `{prefix} {word}`?", word=word))


def confirm_end(voice: Voice, count: int) -> Message:
    """Ending would cut off others: ask first."""
    return Message.of(
        voice.plural(
            "End it for the one person inside? Type `{prefix} end yes` (1 minute).",
            "End it for all {count} people? Type `{prefix} end yes` (1 minute).",
            count,
        )
    )


def native_call_running(voice: Voice, count: int) -> Message:
    """An encrypted call is running in the room's own client: a second meeting must be wanted."""
    return Message.of(
        voice.plural(
            "An encrypted call is running ({count} person)."
            " Open a separate, unencrypted meeting? Type `{prefix} open`",
            "An encrypted call is running ({count} people)."
            " Open a separate, unencrypted meeting? Type `{prefix} open`",
            count,
        )
    )


def language_changed(voice: Voice) -> Message:
    """Said in the new language."""
    return Message.of(
        voice.text(
            "From now on I speak {language} in this room.", language=voice.language_name(voice.language)
        )
    )


def ring(voice: Voice, people: Sequence[tuple[str, str]], caller: str, call: Call) -> Message:
    """The one message that rings: send it as ``m.text`` with these people as its mentions.

    Args:
        voice: How to say it.
        people: (user id, display name) of those called; the first ten are.
        caller: Display name of who calls them.
        call: The meeting they are called to.
    """
    pills = [_pill(user_id, person(voice, name)) for user_id, name in people[:MOST_RUNG]]
    subject = one_line(call.subject or "", SUBJECT_LIMIT)
    values: dict[str, Text | str] = {"people": Text.join(", ", pills), "caller": person(voice, caller)}
    if subject:
        line = voice.text(
            "{people}: {caller} is calling you to the meeting “{subject}”.", subject=subject, **values
        )
    else:
        line = voice.text("{people}: {caller} is calling you to the meeting.", **values)
    return Message.of(line, join_line(call.url, voice))


def too_many_called(voice: Voice) -> Message:
    """More people were mentioned than one message may call."""
    return Message.of(
        voice.text(
            "I have called the first {most} people. For the others, type `{prefix} call` again.",
            most=MOST_RUNG,
        )
    )


def not_in_room(voice: Voice, names: Sequence[str]) -> Message:
    """People were called who would not hear it."""
    return Message.of(
        voice.plural(
            "{names} is not in this room and does not hear the call: invite them first.",
            "{names} are not in this room and do not hear the call: invite them first.",
            len(names),
            names=voice.names([quoted_name(voice, name) for name in names]),
        )
    )


def called_just_now(voice: Voice, names: Sequence[str]) -> Message:
    """People were called whom somebody in this room has called within the last minute."""
    return Message.of(
        voice.text(
            "{names}: called less than a minute ago. Wait a little before calling again.",
            names=voice.names([person(voice, name) for name in names]),
        )
    )


def muted(voice: Voice, who: Participant | str) -> Message:
    """Somebody's microphone was turned off; a bare string is a name of which nothing is known."""
    return Message.of(voice.text("Microphone of {name} turned off.", name=_called(voice, who)))


def kicked(voice: Voice, who: Participant | str) -> Message:
    """Somebody was removed from the meeting; a bare string is a name of which nothing is known."""
    return Message.of(voice.text("I removed {name} from the meeting.", name=_called(voice, who)))


def ambiguous_name(
    voice: Voice, kind: ActionKind, name: str, candidates: Sequence[Participant], *, near: int
) -> Message:
    """A name fits several participants; nothing was done. They are told apart by when they came.

    Args:
        voice: How to say it.
        kind: What was asked.
        name: The name that was given.
        candidates: Whom it fits, in the order that their numbers follow.
        near: A time of the meeting; only times of another day than that carry their date.
    """
    listed = [
        voice.text(
            "{number}: {name}, since {clock}",
            number=number,
            name=display_name(voice, candidate),
            clock=voice.clock(candidate.joined_ts, near=near),
        )
        for number, candidate in enumerate(candidates[:MAX_NAMES], 1)
    ]
    again = voice.text(_BY_NUMBER[kind], name=person(voice, name))
    return Message.of(voice.text("This name fits several people:"), *listed, again)


_BY_NUMBER = {
    ActionKind.MUTE: mark("I did nothing. To say who, add the number: `{prefix} mute {name} 2`"),
    ActionKind.KICK: mark("I did nothing. To say who, add the number: `{prefix} kick {name} 2`"),
}


def nobody_called(voice: Voice, name: str) -> Message:
    """A name fits no participant."""
    return Message.of(
        voice.text(
            "Nobody in the meeting is called {name}. To see who is in, type `{prefix} status`",
            name=quoted_name(voice, name),
        )
    )


def followed_already(voice: Voice) -> Message:
    """The link is that of the meeting whose card stands in the room."""
    return Message.of(voice.text("This room follows this meeting already."))


def _called(voice: Voice, who: Participant | str) -> str:
    return quoted_name(voice, who) if isinstance(who, str) else display_name(voice, who)


def _pill(user_id: str, name: str) -> Text:
    return Text(name, link(f"https://matrix.to/#/{quote(user_id, safe='@:')}", name).html)
