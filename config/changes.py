"""Defaults that changed from one edition of the sample to the next.

A file states the edition that it was written for (``defaults: 1``). Who changes a default adds a `Change`
here with the next number, so that nobody's bridge behaves differently without a word.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """One default that changed.

    Attributes:
        edition: The edition that brought it.
        key: The setting, with dots.
        before: Its default until then, as it would stand in the file.
        after: Its default since.
        why: One sentence for the admin.
    """

    edition: int
    key: str
    before: str
    after: str
    why: str


CHANGES: tuple[Change, ...] = ()

CURRENT = max((change.edition for change in CHANGES), default=1)
"""The edition that a sample written today states."""


def changes_since(
    edition: int, given: frozenset[str], changes: Iterable[Change] = CHANGES
) -> tuple[Change, ...]:
    """The changes that a file written for an edition has not seen, but for settings that it states itself."""
    return tuple(change for change in changes if change.edition > edition and change.key not in given)
