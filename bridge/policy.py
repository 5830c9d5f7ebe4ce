"""Who may do what: rules of patterns to rights, and how the most specific one wins. Pure."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass


class Right(enum.IntEnum):
    """What somebody may do; each right includes those below it."""

    NONE = 0
    """Nothing: not even listen."""
    SUBSCRIBE = 1
    """See and hear, mute and shown as listening."""
    PUBLISH = 2
    """Speak, show, share the screen."""
    START = 3
    """Open a call, or tie one to a room."""
    MODERATE = 4
    """End calls and act on participants without the room's power level."""
    ADMIN = 5
    """Everything, in every room."""


DEFAULT_OWN = Right.START
"""What users of the bridge's own homeserver may do without a rule."""

DEFAULT_OTHER = Right.NONE
"""What everybody else may do without a rule."""


class UnknownRight(ValueError):
    """A rule names a right that does not exist."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """One pattern, ready to be compared.

    A pattern is a server's (``*.example.org``) or, with an ``@`` first, a user's (``@marie:*``). ``*`` stands
    for any characters, dots included, ``?`` for one.
    """

    for_users: bool
    literals: int
    wildcards: int
    right: Right
    regex: re.Pattern[str]
    servers: re.Pattern[str]
    """The servers whose users it can be about."""

    @property
    def rank(self) -> tuple[bool, bool, int, int, int]:
        """Rules of higher rank are more specific.

        A user's rule before a server's; a name before a pattern; of two patterns the one with more literal
        characters, then with fewer wildcards. Of equals the one that grants less.
        """
        return (self.for_users, not self.wildcards, self.literals, -self.wildcards, -self.right)


class Policy:
    """The admin's rules.

    Server names are compared without regard to case and whole, port included; local parts exactly. The own
    homeserver's default counts as a rule for its exact name, so that ``*`` does not lock its users out.

    Args:
        rules: Patterns and the names of rights, as in the settings.
        own_server: The bridge's own homeserver.

    Raises:
        UnknownRight: a rule's right does not exist.
    """

    def __init__(self, rules: Mapping[str, str], own_server: str) -> None:
        defaults = {own_server.lower(): DEFAULT_OWN.name.lower()}
        exact = {
            pattern if pattern.startswith("@") else pattern.lower(): word for pattern, word in rules.items()
        }
        merged = defaults | exact
        parsed = (_rule(pattern, word) for pattern, word in merged.items())
        self._rules = tuple(sorted(parsed, key=lambda rule: rule.rank, reverse=True))

    def right_of(self, user_id: str) -> Right:
        """What a user may do. Something that is no user id may do nothing."""
        local, colon, server = user_id.partition(":")
        if not colon or not server or not local.startswith("@"):
            return Right.NONE
        server = server.lower()
        whole = f"{local}:{server}"
        for rule in self._rules:
            if rule.regex.fullmatch(whole if rule.for_users else server):
                return rule.right
        return DEFAULT_OTHER

    def knows(self, server: str) -> bool:
        """Whether any user of a server may do anything; servers of which that is not so are not asked."""
        server = server.lower()
        if self.right_of(f"@:{server}") > Right.NONE:
            return True
        named = (rule for rule in self._rules if rule.for_users and rule.right > Right.NONE)
        return any(rule.servers.fullmatch(server) for rule in named)


def _rule(pattern: str, word: str) -> _Rule:
    try:
        right = Right[word.upper()]
    except KeyError:
        known = ", ".join(right.name.lower() for right in Right)
        raise UnknownRight(f"{pattern}: “{word}” is not a right; one of {known}") from None
    for_users = pattern.startswith("@")
    if for_users:
        local, _, server = pattern.partition(":")
        pattern = f"{local}:{server.lower()}"
    wildcards = pattern.count("*") + pattern.count("?")
    return _Rule(
        for_users=for_users,
        literals=len(pattern) - wildcards,
        wildcards=wildcards,
        right=right,
        regex=_compiled(pattern),
        servers=_compiled(pattern.partition(":")[2] if for_users else pattern),
    )


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(map(_translated, pattern)), re.DOTALL)


def _translated(character: str) -> str:
    return {"*": ".*", "?": "."}.get(character, re.escape(character))
