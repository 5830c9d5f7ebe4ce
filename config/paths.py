"""Where paths in the settings begin: at the folder of the settings file, not where the bridge is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import SecretStr

from config.section import is_path, model_of
from config.settings import Settings
from config.sources import Tree

_SQLITE = "sqlite+aiosqlite:///"


def anchored(tree: Tree, folder: Path) -> Tree:
    """The same tree with every path, defaults included, beginning at a folder.

    Absolute paths stay as they are. What is not the value it should be stays too, for whoever judges it.
    """
    result = dict(tree)
    for name, field in Settings.model_fields.items():
        section = model_of(field)
        content = result.get(name, {})
        if section is None or not isinstance(content, dict):
            continue
        paths = {
            key: str(folder / value)
            for key, inner in section.model_fields.items()
            if is_path(inner) and isinstance(value := content.get(key, inner.default), str | Path)
        }
        if paths:
            result[name] = {**content, **paths}
    return _with_database(result, folder)


def _with_database(tree: Tree, folder: Path) -> Tree:
    content = tree.get("database", {})
    if not isinstance(content, dict):
        return tree
    default = Settings.model_fields["database"].default.url
    url: Any = content.get("url", default)
    text = url.get_secret_value() if isinstance(url, SecretStr) else url
    if not isinstance(text, str):
        return tree
    return tree | {"database": {**content, "url": sqlite_below(text, folder)}}


def sqlite_below(url: str, folder: Path) -> str:
    """The URL of an SQLite file with its path beginning at a folder; any other URL as it is."""
    path, mark, options = url.removeprefix(_SQLITE).partition("?")
    if not url.startswith(_SQLITE) or path in ("", ":memory:") or path.startswith("file:"):
        return url
    return f"{_SQLITE}{folder / path}{mark}{options}"
