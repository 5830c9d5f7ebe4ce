"""What the bridge answers in chat: pure functions, voice → message. What it must refuse: `refusals`.

Each says what is and what to do next, in as few words as it takes, and blames nobody. What people
wrote (names, subjects) is made safe here, not by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import quote

from bridge.calls.model import Call, CallState, Participant
from bridge.commands import refusals
from bridge.commands.grammar import Verb
from bridge.locale import LANGUAGES, Message, Text, Voice, mark
from bridge.locale.text import NOTHING, link
from bridge.projections import card_words
from bridge.projections.names import SUBJECT_LIMIT, display_name, one_line, person, quoted_name

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


def already_open(voice: Voice, call: Call) -> Message:
    """Somebody wants to open a meeting where there is one."""
    return _with_link(
        voice, call, mark("A meeting is already open: {subject}"), mark("A meeting is already open.")
    )


def link_again(voice: Voice, call: Call) -> Message:
    """The link, once more."""
    if call.state is CallState.OPENING:
        return being_opened(voice)
    return Message.of(card_words.headline(call, voice).strong(), card_words.join_line(call.url, voice))


def being_opened(voice: Voice) -> Message:
    """Somebody asked, the meeting is not there yet."""
    return Message.of(voice.text("The meeting is being opened; its link will be here in a moment."))


def _with_link(voice: Voice, call: Call, with_subject: str, alone: str) -> Message:
    if call.state is CallState.OPENING:
        return being_opened(voice)
    subject = one_line(call.subject or "", SUBJECT_LIMIT)
    first = voice.text(with_subject, subject=subject) if subject else voice.text(alone)
    return Message.of(first, card_words.join_line(call.url, voice))


def status(call: Call, style: card_words.CardStyle, *, named: bool = True) -> Message:
    """State, since when, and who is in, by the rules of the card.

    Args:
        call: The room's call.
        style: How this room wants it.
        named: Names may be said in a message that nobody will edit; never with ``names: never``.
    """
    voice = style.voice
    if call.state is CallState.OPENING:
        return being_opened(voice)
    if call.state.is_over:
        return refusals.nothing_open(voice)
    people = NOTHING
    if call.state is CallState.ACTIVE:
        people = card_words.people_line(call, voice, named=named and style.names != "never")
    return Message.of(
        card_words.headline(call, voice).strong(),
        card_words.since_line(call, style),
        people,
        card_words.alerts_line(call, style),
    )


def pong(voice: Voice) -> Message:
    """The answer to ``ping``."""
    return Message.of(voice.text("I am here."))


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
    return Message.of(line, card_words.join_line(call.url, voice))


def too_many_called(voice: Voice) -> Message:
    """More people were mentioned than one message may call."""
    return Message.of(
        voice.text(
            "I have called the first {most} people. For the others, type `{prefix} call` again.",
            most=MOST_RUNG,
        )
    )


def muted(voice: Voice, who: Participant | str) -> Message:
    """Somebody's microphone was turned off; a bare string is a name of which nothing is known."""
    return Message.of(voice.text("Microphone of {name} turned off.", name=_called(voice, who)))


def kicked(voice: Voice, who: Participant | str) -> Message:
    """Somebody was removed from the meeting; a bare string is a name of which nothing is known."""
    return Message.of(voice.text("I removed {name} from the meeting.", name=_called(voice, who)))


def ambiguous_name(voice: Voice, candidates: Sequence[Participant]) -> Message:
    """A name fits several participants; nothing was done."""
    shown = [display_name(voice, participant) for participant in candidates[: card_words.MAX_NAMES]]
    return Message.of(
        voice.text(
            "This name fits several people: {names}. I did nothing; write the whole name.",
            names=voice.names(shown, len(candidates) - len(shown)),
        )
    )


def nobody_called(voice: Voice, name: str) -> Message:
    """A name fits no participant."""
    return Message.of(
        voice.text(
            "Nobody in the meeting is called {name}. To see who is in, type `{prefix} status`",
            name=quoted_name(voice, name),
        )
    )


def untied(voice: Voice) -> Message:
    """A meeting that the room only followed goes on without it."""
    return Message.of(voice.text("This room no longer follows the meeting, which may go on."))


def _called(voice: Voice, who: Participant | str) -> str:
    return quoted_name(voice, who) if isinstance(who, str) else display_name(voice, who)


def _pill(user_id: str, name: str) -> Text:
    return Text(name, link(f"https://matrix.to/#/{quote(user_id, safe='@:')}", name).html)
