"""Text that exists twice: as people read it in plain, and as HTML for Matrix's ``formatted_body``.

Both forms are made from the same template in one go, so they cannot say different things, and what
people wrote is escaped at the only place where it enters the HTML.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_CODE = re.compile(r"`([^`]*)`")


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of a line.

    Attributes:
        plain: What screen readers, notifications and text clients show.
        html: The same, safe to put inside an HTML element.
    """

    plain: str
    html: str

    @classmethod
    def of(cls, value: Text | str | int) -> Text:
        """A text from anything that can stand in a sentence; a string is escaped."""
        if isinstance(value, Text):
            return value
        plain = str(value)
        return cls(plain, html.escape(plain, quote=False))

    @classmethod
    def join(cls, separator: str, parts: Iterable[Text]) -> Text:
        """Parts one after the other; parts without a value disappear with their separator."""
        kept = [part for part in parts if part.plain]
        return cls(
            separator.join(part.plain for part in kept),
            html.escape(separator, quote=False).join(part.html for part in kept),
        )

    def __str__(self) -> str:
        return self.plain

    def __bool__(self) -> bool:
        return bool(self.plain)

    def strong(self) -> Text:
        """The same words, emphasised in HTML."""
        return Text(self.plain, f"<strong>{self.html}</strong>")


NOTHING = Text("", "")


def fill(template: str, values: Mapping[str, Text | str | int]) -> Text:
    """Put values into a template's ``{placeholders}``.

    What stands between backticks in the template (never in a value) becomes ``<code>``.

    Raises:
        KeyError: a placeholder has no value.
    """
    texts = {key: Text.of(value) for key, value in values.items()}
    plain = _CODE.sub(r"\1", template)
    markup = _CODE.sub(r"<code>\1</code>", html.escape(template, quote=False))
    return Text(
        plain.format_map({key: text.plain for key, text in texts.items()}),
        markup.format_map({key: text.html for key, text in texts.items()}),
    )


def link(url: str, words: Text | str) -> Text:
    """Words that lead to ``url`` in HTML; only to the web, for anything else they stay words."""
    text = Text.of(words)
    if not url.startswith(("https://", "http://")):
        return text
    return Text(text.plain, f'<a href="{html.escape(url, quote=True)}">{text.html}</a>')


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message: the same lines in plain text and in HTML."""

    body: str
    html: str

    @classmethod
    def of(cls, *lines: Text) -> Message:
        """One paragraph for each line; empty lines disappear."""
        kept = [line for line in lines if line]
        return cls("\n".join(line.plain for line in kept), "".join(f"<p>{line.html}</p>" for line in kept))
