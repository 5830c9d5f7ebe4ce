"""The words themselves: complete, with the same placeholders, and plain."""

from __future__ import annotations

import io
import re
import string
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po

from bridge.commands.words import WORDS
from bridge.locale import LANGUAGES

ROOT = Path(__file__).parents[3] / "bridge"
FOLDERS = ("projections", "commands", "locale")
# A CLDR pattern is not a sentence.
PATTERNS = {"HH:mm", "d MMMM"}
YES = {"oui", "yes", "ja"}
EXAMPLES = {"Budget", "Point", "Haushalt"}

MessageId = str | tuple[str, ...]


def said_in_the_code() -> set[MessageId]:
    found: set[MessageId] = set()
    keywords = {"text": None, "plural": (1, 2), "mark": None}
    for folder in FOLDERS:
        for path in (ROOT / folder).glob("*.py"):
            source = io.BytesIO(path.read_bytes())
            found.update(message for _, message, _, _ in extract("python", source, keywords=keywords))
    return found


def catalog(language: str) -> Catalog:
    return read_po(io.BytesIO((ROOT / "locale" / f"{language}.po").read_bytes()), locale=language)


def pairs(language: str) -> Iterator[tuple[MessageId, MessageId]]:
    for message in catalog(language):
        if message.id:
            yield _frozen(message.id), _frozen(message.string or "")


def _frozen(message: str | Sequence[str]) -> MessageId:
    return message if isinstance(message, str) else tuple(message)


def forms(message: MessageId) -> tuple[str, ...]:
    return (message,) if isinstance(message, str) else tuple(message)


def placeholders(sentence: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(sentence) if field is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_of_the_code_is_in_every_catalog_and_no_other(language: str) -> None:
    assert {message for message, _ in pairs(language)} == said_in_the_code()


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_every_sentence_is_translated(language: str) -> None:
    assert [message for message, said in pairs(language) if not all(forms(said))] == []
    assert not any(message.fuzzy for message in catalog(language) if message.id)


def test_the_english_sentences_are_the_message_ids() -> None:
    assert not any(text for _, said in pairs("en") for text in forms(said))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_placeholders_of_its_source(language: str) -> None:
    for message, said in pairs(language):
        wanted = set.union(*map(placeholders, forms(message)))
        for text in filter(None, forms(said)):
            assert placeholders(text) <= wanted, text
            if isinstance(message, str):
                assert placeholders(text) == wanted, text


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_has_an_emoji_or_markup(language: str) -> None:
    for message, said in pairs(language):
        for text in (*forms(message), *forms(said)):
            assert not re.search("[\u2190-\u2bff\u3000-\u303f\ufe0f\U0001f000-\U0001faff]", text), text
            assert not re.search(r"<(?!link>|lien>|Link>|name>|nom>|Name>)", text), text
            assert text.count("`") % 2 == 0, text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_command_that_a_sentence_shows_is_one_that_the_bridge_understands(language: str) -> None:
    for message, said in pairs(language):
        for text in (*forms(message), *forms(said)):
            for command in re.findall(r"`\{prefix\} ?([^`]*)`", text):
                word, *rest = command.split() or ["help"]
                assert word in WORDS or word in EXAMPLES or word == "{word}", text
                assert WORDS.get(word) is not WORDS["end"] or not rest or rest[0] in YES, text


def test_french_never_uses_a_straight_apostrophe_or_quotation_mark() -> None:
    for message, said in pairs("fr"):
        if message not in PATTERNS:
            assert not any(mark in text for text in forms(said) for mark in "'\""), said


def test_french_has_a_space_before_high_punctuation() -> None:
    for _, said in pairs("fr"):
        for text in forms(said):
            outside_code = re.sub(r"`[^`]*`", "x", text)
            assert not re.search(r"\S[;?]|[^\s][:](?=\s|$)", outside_code), text
