"""Making what people wrote safe for display: one line, no tricks, not too long.

A name on the card is read as the bridge's own words, so a name must not be able to look like
anything else: another person, a link, a mention, a second line, or text that runs backwards.
HTML is escaped later, by `bridge.locale.text.Text`, at the one place where text becomes HTML.
"""

from __future__ import annotations

import re
import unicodedata

from bridge.calls.model import Participant, ParticipantKind
from bridge.locale import Voice, mark

NAME_LIMIT = 40
"""Most characters of a name (CONTRACT §6)."""

SUBJECT_LIMIT = 100
"""Most characters of a subject (CONTRACT §4)."""

# Hostile texts are tens of kilobytes long; nothing after this many characters is looked at.
_LOOK = 1000
# Letters and symbols that show as nothing: Hangul fillers, the blank Braille cell, the grapheme joiner.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
# Variation selectors change how the character before looks (text or picture) and are invisible.
_SELECTORS = frozenset(chr(code) for code in (*range(0xFE00, 0xFE10), *range(0x180B, 0x1810)))
# Cc control, Cf direction marks and zero-width, Cs surrogates, Co private, Cn unassigned.
_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_ACCENT = r"[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_STACK = re.compile(f"({_ACCENT}{{3}}){_ACCENT}+")
_ROOM = re.compile("@room", re.IGNORECASE)
_BRACKETS = str.maketrans("", "", "[]")
_QUOTES = str.maketrans(dict.fromkeys('«»“”„‟"‹›', "'"))
# What clients turn into links and mentions by themselves: addresses, domains, user and room names.
_ADDRESS = re.compile(r":/+|[@#]")
_DOMAIN = re.compile(r"(?<=\w)\.(?=[^\W\d_]{2})")

_NOTES = {
    ParticipantKind.GUEST: (mark("“{name}” (guest)"), mark("{name} (guest)")),
    ParticipantKind.PHONE: (mark("“{name}” (phone)"), mark("{name} (phone)")),
    ParticipantKind.VISIO: (mark("“{name}” (not verified)"), mark("{name} (not verified)")),
}


def one_line(text: str, limit: int) -> str:
    """One safe line of at most ``limit`` characters; what is cut ends with an ellipsis.

    Taken out: control and format characters (direction marks and zero-width ones are among them),
    private and unassigned characters, ``@room``, stacks of accents, and runs of white space.
    """
    line = unicodedata.normalize("NFC", "".join(map(_shown, text[:_LOOK])))
    line = " ".join(_STACK.sub(r"\1", line).split())
    while _ROOM.search(line):
        line = " ".join(_ROOM.sub("", line).split())
    if len(line) > limit:
        line = line[: limit - 1].rstrip() + "…"
    return line


def _shown(character: str) -> str:
    if character in _BLANK:
        return " "
    if character in _SELECTORS:
        return ""
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) in _DROPPED else character


def safe_name(name: str) -> str:
    """A name as data (``participants[].name`` of the card): at most 40 characters, maybe empty."""
    return one_line(name[:_LOOK].translate(_BRACKETS), NAME_LIMIT)


def person(voice: Voice, name: str) -> str:
    """How somebody known, such as a Matrix user, is called in a sentence; never empty."""
    return safe_name(name) or voice.text("somebody without a name").plain


def display_name(voice: Voice, participant: Participant) -> str:
    """How a participant is called in a sentence; never empty.

    Verified names stand bare. Others stand in quotation marks with a note that says what is known
    of them; inside the quotation marks nothing can close them, mention somebody or be a link.
    """
    if participant.verified:
        return person(voice, participant.name)
    name = _harmless(participant.name)
    note = participant.kind if participant.kind in _NOTES else ParticipantKind.VISIO
    quoted, nameless = _NOTES[note]
    if not name:
        return voice.text(nameless, name=person(voice, "")).plain
    return voice.text(quoted, name=name).plain


def quoted_name(voice: Voice, name: str) -> str:
    """A name of which nothing is known, in quotation marks and as harmless as in `display_name`."""
    return voice.text("“{name}”", name=_harmless(name) or person(voice, "")).plain


def _harmless(name: str) -> str:
    """A name that cannot close quotation marks, mention anybody, or be turned into a link."""
    line = one_line(name[:_LOOK].translate(_BRACKETS), _LOOK)
    return safe_name(_DOMAIN.sub(". ", _ADDRESS.sub(" ", line)).translate(_QUOTES))
