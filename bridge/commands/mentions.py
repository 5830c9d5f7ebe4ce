"""Who a message mentions, and what of its text is mentions rather than words.

A client writes a mention three times: in ``m.mentions`` (the user id), in ``formatted_body`` (an
anchor to matrix.to around the display name) and in ``body`` (that display name, bare).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

_USER_ID = r"@[^\s:@,;<>()\[\]\"']{1,200}:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,200}[A-Za-z0-9])?(?::\d{1,5})?"
_IN_TEXT = re.compile(rf"(?<![\w/]){_USER_ID}")
_WHOLE = re.compile(_USER_ID)
_MATRIX_TO = re.compile(r"https://matrix\.to/#/(@[^\s?)\]]+)[^\s)\]]*", re.IGNORECASE)
_MARKDOWN = re.compile(r"\[([^\[\]]{0,255})\]\(<?https://matrix\.to/#/@[^\s()]{1,300}\)", re.IGNORECASE)
_AT_WORD = re.compile(r"(?<!\w)@[\w.\-]+")
_ROOM = re.compile("@room", re.IGNORECASE)
# Words that a sentence is left hanging on when the mention after them is taken out.
_HANGING = frozenset({"avec", "et", "pour", "with", "and", "for", "mit", "und", "für"})
_LOOSE_ENDS = " ,;:&+-"
# Each repeats over characters that cannot begin what follows it, so that no text makes them slow.
_ANCHOR = re.compile(r"<a\s([^<>]{1,2000})>([^<>]{0,300})</a", re.IGNORECASE)
_HREF = re.compile(r"""\bhref\s?=\s?(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
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
    return _without_loose_end(" ".join(rest.split()))


def _without_loose_end(text: str) -> str:
    while True:
        text = text.rstrip(_LOOSE_ENDS)
        before, _, last = text.rpartition(" ")
        if last.casefold() not in _HANGING:
            return text
        text = before


def _users(candidates: Iterable[object]) -> tuple[str, ...]:
    """The well-formed user ids among them, each once."""
    found = dict.fromkeys(
        user for user in candidates if isinstance(user, str) and len(user) <= 255 and _WHOLE.fullmatch(user)
    )
    return tuple(found)[:_MOST]


def _anchors(formatted: str) -> list[tuple[str, str]]:
    """(user id, words) of anchors that lead to a user, outside the quoted message.

    No parser: HTML made to be slow or broken is slow or broken for the parser, and everybody waits.
    """
    text = formatted[:_LOOK_HTML].rpartition("</mx-reply>")[2]
    found = []
    for anchor in _ANCHOR.finditer(text):
        href = _HREF.search(anchor[1])
        user = _user_of(html.unescape(href[1] or href[2])) if href else None
        if user is not None:
            found.append((user, html.unescape(anchor[2])))
    return found[:_MOST]


def _user_of(href: str) -> str | None:
    """The user that a permalink leads to (matrix.to, or the ``matrix:`` scheme of the specification)."""
    if href.lower().startswith("https://matrix.to/#/"):
        target = unquote(href[len("https://matrix.to/#/") :].partition("?")[0])
    elif href.lower().startswith("matrix:u/"):
        target = "@" + unquote(href[len("matrix:u/") :].partition("?")[0])
    else:
        return None
    return target if _WHOLE.fullmatch(target) else None
