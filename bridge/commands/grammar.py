"""What a chat message asks of the bridge: text → command, a pure function (CONTRACT §4).

A word counts as a command only alone or with a valid argument, so that ``!visio fin de projet`` is
a meeting about the end of a project. Words that make no sense as the start of a subject (``lier``,
``appeler``, ``langue``, ``muet``, ``expulser``) always count; a bad argument gets their usage line.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from bridge.commands import mentions as people
from bridge.commands.words import ASKED_ABOUT, LANGUAGES, SHY, SPELLED, WORDS, Verb, fold
from bridge.projections.names import SUBJECT_LIMIT, one_line


@dataclass(frozen=True, slots=True)
class Open:
    """Open the room's call, or answer with the link to the open one."""

    subject: str | None = None
    mentions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenSeparate:
    """Open a meeting although an encrypted native call is running."""


@dataclass(frozen=True, slots=True)
class Help:
    """Say what can be asked."""


@dataclass(frozen=True, slots=True)
class Link:
    """Repeat the link."""


@dataclass(frozen=True, slots=True)
class Status:
    """Say who is in."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Say that the service is there."""


@dataclass(frozen=True, slots=True)
class Version:
    """Say which version runs."""


@dataclass(frozen=True, slots=True)
class Ring:
    """Call these users (never empty; the answer mentions at most ten)."""

    mentions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Adopt:
    """Follow the existing meeting behind a web address."""

    url: str


@dataclass(frozen=True, slots=True)
class End:
    """End the call; ``confirmed`` answers the question about many people inside."""

    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Mute:
    """Mute somebody: by the name written, or by the one user mentioned."""

    name: str
    mentions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kick:
    """Remove somebody from the meeting: by the name written, or by the one user mentioned."""

    name: str
    mentions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SetLanguage:
    """Speak another language in this room: ``fr``, ``en`` or ``de``."""

    code: str


@dataclass(frozen=True, slots=True)
class Usage:
    """A word that always counts came with a bad argument."""

    verb: Verb


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A lone word that looks like a mistyped command; ``word`` is the command it is close to."""

    word: str


Command = (
    Open | OpenSeparate | Help | Link | Status | Ping | Version | Ring | Adopt | End | Mute | Kick
    | SetLanguage | Usage
)  # fmt: skip

_ALONE: dict[Verb, Command] = {
    Verb.HELP: Help(),
    Verb.LINK: Link(),
    Verb.STATUS: Status(),
    Verb.PING: Ping(),
    Verb.VERSION: Version(),
    Verb.OPEN_SEPARATE: OpenSeparate(),
    Verb.END: End(),
}
_CODES: dict[str, Command] = {name: SetLanguage(code) for code, names in LANGUAGES.items() for name in names}
_OPTIONAL: dict[Verb, dict[str, Command]] = {
    Verb.END: dict.fromkeys(("oui", "yes", "ja"), End(confirmed=True)),
}
_LONGEST_WORD = max(map(len, WORDS))
_PUNCTUATION = " \u00a0\u202f\t.,;:!?…"
_QUOTES = " \u00a0\u202f\"'«»“”„‘’"
_GAP = "[ \u00a0\u202f]?"
# How alike a lone word must be to be asked about: "hlep" is, "kickoff" and "budget" are not.
_NEAR = 0.75
_NEAR_END = 0.8
_LOOK = 2000
_LONGEST_URL = 1000
_BARE_URL = re.compile(r"[\w-]+(\.[\w-]+)*\.[a-z]{2,}(:\d{1,5})?/\S+", re.IGNORECASE)


def concerns_us(text: str, prefix: str, direct: bool) -> bool:
    """Whether `parse` could accept a text; for nearly all of a homeserver's messages one comparison.

    Args:
        text: ``body`` of an ``m.text``.
        prefix: ``commands.prefix``.
        direct: The room is a direct chat with the bot.
    """
    if not direct and text[:1] not in (prefix[:1], ">") and not prefix[:1].isalnum():
        return False
    line = _command_line(text)
    return _after_prefix(line, prefix, direct) is not None or (direct and _bare_word(line) is not None)


def parse(
    text: str,
    *,
    prefix: str,
    direct: bool = False,
    mentions: Sequence[str] = (),
    formatted: str | None = None,
) -> Command | NearMiss | None:
    """What a message asks for; None when it is not for the bridge.

    Args:
        text: ``body`` of an ``m.text``.
        prefix: ``commands.prefix``, in any case in the text.
        direct: The room is a direct chat with the bot: the prefix may lose its sign (``visio …``)
            and a word of the grammar may stand without it.
        mentions: ``m.mentions.user_ids``.
        formatted: ``formatted_body``, which shows what of the text is a mention.
    """
    line = _command_line(text)
    rest = _after_prefix(line, prefix, direct)
    if rest is None:
        return _command(line.strip(), mentions, formatted) if direct and _bare_word(line) else None
    argument = rest[:_LOOK].strip()
    if argument.startswith(":"):
        return _open(argument[1:], mentions, formatted)
    return _command(argument, mentions, formatted)


def _command(argument: str, mentions: Sequence[str], formatted: str | None) -> Command | NearMiss:
    first = argument.split(None, 1)[0] if argument else ""
    word = fold(first.strip(_PUNCTUATION))
    tail = argument[len(first) :].strip()
    if not word and not tail.strip(_PUNCTUATION):
        return Help() if "?" in argument else Open(mentions=people.find("", mentions, formatted).users)
    alone = not tail.strip(_PUNCTUATION)
    command = _known(word, tail, alone, mentions, formatted)
    if command is not None:
        return command
    if alone and word in LANGUAGES:
        return Usage(Verb.LANGUAGE)  # a language without its command; far from a subject, and from "end"
    if alone and word in ASKED_ABOUT:
        return NearMiss(ASKED_ABOUT[word])
    if alone and word not in WORDS:
        near = difflib.get_close_matches(word, WORDS, n=1, cutoff=_NEAR)
        # Ending is no guess to make lightly: "fini" is close enough, "final" is a subject.
        if near and (WORDS[near[0]] is not Verb.END or _alike(word, near[0]) >= _NEAR_END):
            return NearMiss(SPELLED.get(near[0], near[0]))
    return _open(argument, mentions, formatted)


def _alike(word: str, other: str) -> float:
    return difflib.SequenceMatcher(None, word, other).ratio()


def _known(
    word: str, tail: str, alone: bool, mentions: Sequence[str], formatted: str | None
) -> Command | None:
    """The command of a known word, or None when the word is the start of a subject here."""
    verb = WORDS.get(word)
    if verb is None:
        return None
    if alone and verb in _ALONE:
        return _ALONE[verb]
    if verb in _OPTIONAL:
        return _OPTIONAL[verb].get(fold(tail.strip(_PUNCTUATION)))
    if verb in _ALWAYS:
        command = _ALWAYS[verb](tail, people.find(tail, mentions, formatted).users)
        return command or (Usage(verb) if alone or word not in SHY else None)
    return None


def _ring(tail: str, users: tuple[str, ...]) -> Command | None:
    return Ring(users) if users else None


def _adopt(tail: str, users: tuple[str, ...]) -> Command | None:
    url = _web_address(tail)
    return Adopt(url) if url else None


def _mute(tail: str, users: tuple[str, ...]) -> Command | None:
    name = _name(tail)
    return Mute(name, users) if name else None


def _kick(tail: str, users: tuple[str, ...]) -> Command | None:
    name = _name(tail)
    return Kick(name, users) if name else None


def _set_language(tail: str, users: tuple[str, ...]) -> Command | None:
    return _CODES.get(fold(tail.strip(_PUNCTUATION)))


_ALWAYS = {
    Verb.RING: _ring,
    Verb.ADOPT: _adopt,
    Verb.MUTE: _mute,
    Verb.KICK: _kick,
    Verb.LANGUAGE: _set_language,
}


def _name(tail: str) -> str:
    return one_line(tail.strip(_QUOTES), SUBJECT_LIMIT)


def _open(argument: str, mentions: Sequence[str], formatted: str | None) -> Open | NearMiss:
    argument = argument[:_LOOK].strip()
    mentioned = people.find(argument, mentions, formatted)
    bare = people.take_out(argument, mentioned)
    if bare != argument and fold(bare) in WORDS:
        # "!visio lien @Marie": neither the command alone nor, in all likelihood, a subject.
        return NearMiss(SPELLED.get(fold(bare), fold(bare)))
    return Open(one_line(bare, SUBJECT_LIMIT) or None, mentioned.users)


def _web_address(argument: str) -> str | None:
    """The one http(s) address that an argument consists of, else None."""
    candidate = argument.strip().strip("<>")
    if _BARE_URL.fullmatch(candidate):
        candidate = f"https://{candidate}"
    if len(candidate) > _LONGEST_URL or not candidate.isprintable() or " " in candidate:
        return None
    try:
        parts = urlsplit(candidate)
        parts.port  # noqa: B018 - raises when it is no number
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        return None
    return candidate


def _command_line(text: str) -> str:
    """The first line that the author wrote: a quoted reply fallback is somebody else's text."""
    if not text.startswith(">"):
        return text.split("\n", 1)[0]
    for line in text.split("\n"):
        if line.strip() and not line.startswith(">"):
            return line
    return ""


@functools.lru_cache(maxsize=8)
def _pattern(prefix: str, direct: bool) -> re.Pattern[str]:
    sign = re.match(r"\W*", prefix)[0]  # type: ignore[index]  # always matches
    name = prefix[len(sign) :]
    head = f"{re.escape(sign)}{_GAP}" if sign else ""
    if direct:
        head = f"(?:{head})?"
    return re.compile(rf"{head}{re.escape(name)}(?=[\s:]|\Z)", re.IGNORECASE)


def _after_prefix(line: str, prefix: str, direct: bool) -> str | None:
    found = _pattern(prefix, direct).match(line)
    return None if found is None else line[found.end() :]


def _bare_word(line: str) -> str | None:
    """The word of the grammar that a line consists of (direct chats), else None."""
    if len(line) > 2 * _LONGEST_WORD:
        return None
    word = fold(line.strip())
    return word if word in WORDS else None
