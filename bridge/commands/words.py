"""The words that people type, in French, English and German, and what they mean."""

from __future__ import annotations

import unicodedata
from enum import Enum, auto
from typing import Final


class Verb(Enum):
    """What the words mean."""

    HELP = auto()
    LINK = auto()
    STATUS = auto()
    PING = auto()
    VERSION = auto()
    OPEN_SEPARATE = auto()
    END = auto()
    RING = auto()
    ADOPT = auto()
    MUTE = auto()
    KICK = auto()
    LANGUAGE = auto()


_WORDS = {
    Verb.HELP: ("aide", "help", "hilfe"),
    Verb.LINK: ("lien", "link"),
    Verb.STATUS: ("statut", "status"),
    Verb.PING: ("ping",),
    Verb.VERSION: ("version",),
    Verb.OPEN_SEPARATE: ("ouvrir", "open", "offnen"),
    Verb.END: ("fin", "end", "stop", "terminer", "arreter", "stopper", "ende", "beenden"),
    Verb.RING: ("appeler", "call", "inviter", "invite", "anrufen", "einladen"),
    Verb.ADOPT: ("lier", "adopt", "folgen"),
    Verb.MUTE: ("muet", "mute", "stumm"),
    Verb.KICK: ("expulser", "kick", "entfernen"),
    Verb.LANGUAGE: ("langue", "lang", "sprache"),
}
WORDS: Final = {word: verb for verb, words in _WORDS.items() for word in words}
"""Every word of the grammar, folded, and what it means."""

SPELLED: Final = {"arreter": "arrêter", "offnen": "öffnen"}
"""How a word is shown that is written with accents."""

SHY: Final = frozenset({"anrufen", "einladen", "folgen", "sprache"})
"""Words that begin subjects too ("Sprache und Kultur"): they count alone or with a valid argument only."""

ASKED_ABOUT: Final = {
    **dict.fromkeys(("quitter", "sortir", "partir", "fermer", "annuler", "raccrocher"), "fin"),
    **dict.fromkeys(("leave", "quit", "exit", "close", "cancel", "hangup"), "end"),
    **dict.fromkeys(("verlassen", "schliessen", "abbrechen", "auflegen"), "ende"),
}
"""What people type who want out, and what they are asked about: they may mean to leave alone."""

LANGUAGES: Final = {
    "fr": ("fr", "francais", "french", "franzosisch"),
    "en": ("en", "anglais", "english", "englisch"),
    "de": ("de", "allemand", "german", "deutsch"),
}
"""Languages that can be chosen, and what they are called."""


def fold(word: str) -> str:
    """A word without case and accents, to compare."""
    if word.isascii():
        return word.lower()
    decomposed = unicodedata.normalize("NFKD", word)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()
