"""The sample's placeholders that nobody has replaced yet.

The sample shows an example wherever only the admin knows the value. Most of them are valid, so nothing else
notices them: the bridge would wait for ``example.org`` for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo

from config.problems import Notice
from config.section import is_secret, model_of
from config.settings import Settings
from config.sources import Tree

_PLACEHOLDER = re.compile(r"\bexample\.(?:org|com|net)\b|\bExample\b|^replace-this|-random-word")
"""How an example shows that it is one; others, such as ``10.0.0.0/8``, may well be somebody's real value."""


def placeholders(given: Tree) -> Iterator[Notice]:
    """Every setting that holds its example, in the order of the sample.

    Args:
        given: What file and environment say, secrets from files included; nothing in it need be valid.
    """
    for name, field in Settings.model_fields.items():
        value = given.get(name)
        section = model_of(field)
        if section is None:
            yield from _judged(name, field, value)
        elif isinstance(value, dict):
            for key, inner in section.model_fields.items():
                yield from _judged(f"{name}.{key}", inner, value.get(key))


def _judged(key: str, field: FieldInfo, value: Any) -> Iterator[Notice]:
    examples = {text for text in _texts(field.examples or []) if _PLACEHOLDER.search(text)}
    left = [text for text in _texts(value) if text in examples]
    if left:
        what = "the sample's placeholder" if is_secret(field) else f"“{left[0]}”, the sample's placeholder"
        yield Notice(key, f"This is still {what}.", f"Write your own ({_meaning(field)}).")


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, keys of mappings included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts([*value, *value.values()])
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _meaning(field: FieldInfo) -> str:
    """What the setting is, in the first words of its description."""
    words = re.split(r"[.;] ", field.description or "")[0].rstrip(".")
    return words[:1].lower() + words[1:]
