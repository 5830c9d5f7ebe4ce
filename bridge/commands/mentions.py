"""Who a message mentions, and what of its text is mentions rather than words.

A client writes a mention three times: in ``m.mentions`` (the user id), in ``formatted_body`` (an
anchor to matrix.to around the display name) and in ``body`` (that display name, bare).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import unquote

_USER_ID = r"@[^\s:@,;<>()\[\]\"']{1,200}:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,200}[A-Za-z0-9])?(?::\d{1,5})?"
_IN_TEXT = re.compile(rf"(?<![\w/]){_USER_ID}")
_WHOLE = re.compile(_USER_ID)
_MATRIX_TO = re.compile(r"https://matrix\.to/#/(@[^\s?)\]]+)[^\s)\]]*", re.IGNORECASE)
_MARKDOWN = re.compile(r"\[([^\[\]]{0,255})\]\(<?https://matrix\.to/#/@[^\s()]{1,300}\)", re.IGNORECASE)
_AT_WORD = re.compile(r"(?<!\w)@[\w.\-]+")
_ROOM = re.compile("@room", re.IGNORECASE)
# Words that a sentence is left hanging on when the mention after them is taken out.
_HANGING = re.compile(
    r"(?:[\s,;:&+-]|(?<!\w)(?:avec|et|pour|with|and|for|mit|und|für)(?!\w))+\Z", re.IGNORECASE
)
_LOOK_HTML = 20_000
_MOST = 50


@dataclass(frozen=True, slots=True)
class Mentioned:
    """What a message says about people.

    Attributes:
        users: User ids, each once, in order of appearance.
        labels: The words that stand for them in the plain text.
        loose: Clients named people without an anchor: any ``@word`` stands for one of them.
    """

    users: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    loose: bool = False


def find(line: str, mentions: Sequence[str] = (), formatted: str | None = None) -> Mentioned:
    """The people that a line mentions.

    Args:
        line: The line of ``body`` that is looked at.
        mentions: ``m.mentions.user_ids``. A reply lists the author it answers there too, so it is
            used only when neither the text nor an anchor names anybody.
        formatted: ``formatted_body``, if any.
    """
    anchors = _anchors(formatted) if formatted else []
    written = [found[0] for found in _IN_TEXT.finditer(line)]
    written += [unquote(found[1]) for found in _MATRIX_TO.finditer(line)]
    named = _users([user for user, _ in anchors] + written)
    labels = tuple(sorted({label for _, label in anchors if label.strip()}, key=len, reverse=True))
    listed = _users(mentions)
    return Mentioned(named or listed, labels, loose=bool(listed) and not anchors)


def labels_of(formatted: str | None) -> dict[str, str]:
    """What a message calls the people that it mentions: user id → words of the anchor."""
    return {user: label.strip() for user, label in _anchors(formatted or "") if label.strip()}


def take_out(line: str, mentioned: Mentioned) -> str:
    """The line without mentions, and without what would be left hanging at its end."""
    rest = _MARKDOWN.sub(" ", line)
    rest = _MATRIX_TO.sub(" ", rest)
    rest = _IN_TEXT.sub(" ", rest)
    for label in mentioned.labels:
        bare = re.escape(label.strip().removeprefix("@"))
        rest = re.sub(rf"(?<!\w)@?{bare}(?!\w)", " ", rest)
    if mentioned.loose:
        rest = _AT_WORD.sub(" ", rest)
    rest = _ROOM.sub(" ", rest)
    if rest == line:
        return line
    rest = " ".join(rest.split())
    return _HANGING.sub("", rest)


def _users(candidates: Iterable[object]) -> tuple[str, ...]:
    """The well-formed user ids among them, each once."""
    found = dict.fromkeys(
        user for user in candidates if isinstance(user, str) and len(user) <= 255 and _WHOLE.fullmatch(user)
    )
    return tuple(found)[:_MOST]


def _anchors(formatted: str) -> list[tuple[str, str]]:
    parser = _Anchors()
    parser.feed(formatted[:_LOOK_HTML])
    parser.close()
    return parser.found[:_MOST]


class _Anchors(HTMLParser):
    """Collects (user id, words) of anchors that lead to a user, outside the quoted message."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, str]] = []
        self._quoted = 0
        self._user: str | None = None
        self._words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember an anchor to a user."""
        if tag == "mx-reply":
            self._quoted += 1
        elif tag == "a" and not self._quoted:
            self._user = _user_of(dict(attrs).get("href") or "")
            self._words = []

    def handle_endtag(self, tag: str) -> None:
        """Close the anchor, or the quoted message."""
        if tag == "mx-reply":
            self._quoted = max(self._quoted - 1, 0)
        elif tag == "a" and self._user is not None:
            self.found.append((self._user, "".join(self._words)))
            self._user = None

    def handle_data(self, data: str) -> None:
        """Collect the anchor's words."""
        if self._user is not None:
            self._words.append(data)


def _user_of(href: str) -> str | None:
    """The user that a permalink leads to (matrix.to, or the ``matrix:`` scheme of the specification)."""
    if href.lower().startswith("https://matrix.to/#/"):
        target = unquote(href[len("https://matrix.to/#/") :].partition("?")[0])
    elif href.lower().startswith("matrix:u/"):
        target = "@" + unquote(href[len("matrix:u/") :].partition("?")[0])
    else:
        return None
    return target if _WHOLE.fullmatch(target) else None
