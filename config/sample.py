"""The sample: a complete settings file with comments, generated from the models.

Prose begins with ``# ``, a setting at its default with ``#`` alone, so that taking off the one character puts
it in force.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from config.changes import CURRENT
from config.profiles import ABOUT, EXAMPLES, PROFILES
from config.quantities import format_duration, format_size
from config.section import Section, is_secret, model_of
from config.settings import Settings
from config.values import Listen

_WIDTH = 100

_HEAD = """\
# Settings of Passerelle. Lines that begin with a lone # show defaults, or an example where there is
# no default: take the # off to change one.
# Durations: 500ms, 30s, 5m, 2h, 1d. Sizes: 64MiB.
# Paths of files that are not absolute start at the folder of this file.
# An environment variable wins over this file: homeserver.url is PASSERELLE_HOMESERVER__URL.
# Every secret may stand in a file of its own: for secret, write secret_file and its path.
# “passerelle config check” says what is wrong, and what to write instead.
"""

_IN_FORCE = frozenset({"sfu"})
"""Optional sections that the default provider needs, and so are written out."""

_FORCED = frozenset({"web.public_url"})
"""Settings without a default of their own that the default provider needs."""


def sample(profile: str = "generic") -> str:
    """A complete settings file for a profile, with every setting's description and default.

    Raises:
        KeyError: there is no such profile.
    """
    chosen = PROFILES[profile]
    blocks = [_HEAD]
    for name, field in Settings.model_fields.items():
        section = model_of(field)
        if section is None:
            lines = list(_top_level(name, field, profile, chosen))
        else:
            shown = {**EXAMPLES.get(profile, {}).get(name, {}), **chosen.get(name, {})}
            lines = list(_section(name, field, section, shown))
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _top_level(name: str, field: FieldInfo, profile: str, chosen: Any) -> Iterator[str]:
    about = ABOUT.get(profile, "") if name == "profile" else ""
    yield from _prose(f"{field.description} {about}", "")
    in_force = {"profile": profile, "defaults": CURRENT}
    if name in in_force:
        yield f"{name}: {in_force[name]}"
    else:
        value = chosen.get(name, EXAMPLES.get(profile, {}).get(name, field.get_default()))
        yield f"#{name}: {_written(name, field, value)}"


def _section(name: str, field: FieldInfo, model: type[BaseModel], shown: Any) -> Iterator[str]:
    unused = issubclass(model, Section) and not model.in_use
    about = [
        model.__doc__ or "",
        field.description or "",
        "Not in use yet in this version." if unused else "",
    ]
    yield from _prose(" ".join(filter(None, about)), "")
    if not model.model_fields:
        yield f"#{name}: {{}}"
        return
    optional = field.default is None and name not in _IN_FORCE
    yield f"#{name}:" if optional else f"{name}:"
    for key, inner in model.model_fields.items():
        # In a section that is commented out the lines that it needs are too.
        yield from _prose(_described(key, inner), "  ")
        value = shown.get(key, PydanticUndefined)
        written = f"{key}: {_written(key, inner, value)}"
        in_force = inner.is_required() or f"{name}.{key}" in _FORCED
        if optional:
            yield f"#  {written}"
        else:
            yield f"  {written}" if in_force else f"  #{written}"


def _described(key: str, field: FieldInfo) -> str:
    parts = [field.description or ""]
    if field.is_required():
        parts.append("Required.")
    elif field.get_default() in (None, [], {}) and field.default_factory is None:
        parts.append("Not set by default.")
    if is_secret(field):
        parts.append(f"Or {key}_file.")
    return " ".join(parts)


def _written(key: str, field: FieldInfo, value: Any = PydanticUndefined) -> str:
    """The value as YAML, in one line: the profile's, the default, or where there is none the example."""
    if value is PydanticUndefined:
        value = field.get_default()
    if value is PydanticUndefined or value is None or value in ([], {}):
        value = field.examples[0] if field.examples else value
    if key == "max_body":
        return format_size(value)
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    elif isinstance(value, timedelta):
        value = format_duration(value)
    elif isinstance(value, Listen | Path):
        value = str(value)
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _prose(text: str, indent: str) -> list[str]:
    joined = " ".join(text.split())
    return textwrap.wrap(joined, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
