"""Making the name that a guest typed fit to be shown to everybody."""

from __future__ import annotations

import unicodedata

MAX_NAME = 40
"""Longest name, in characters (`CONTRACT` §6)."""

_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")
"""Fillers that Unicode files under letters and symbols although nothing is drawn for them."""

_DROPPED = ("Cc", "Cf", "Cs", "Co", "Cn")
"""Categories without a visible form: control, format (direction marks among them), unassigned."""


def clean_name(typed: str) -> str:
    """One line of at most `MAX_NAME` visible characters, or ``""`` if nothing legible is left.

    Control and direction characters go, every kind of space becomes a plain one, and a name needs
    at least one letter or digit: a row of accents or dots cannot be read out or written about.
    """
    text = unicodedata.normalize("NFC", typed)
    spaced = (" " if char.isspace() else char for char in text)
    kept = "".join(char for char in spaced if not _is_invisible(char))
    name = " ".join(kept.split())[:MAX_NAME].rstrip()
    return name if any(char.isalnum() for char in name) else ""


def _is_invisible(char: str) -> bool:
    return char in _BLANK_LETTERS or unicodedata.category(char) in _DROPPED
