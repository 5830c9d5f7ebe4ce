from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import config

Load = Callable[..., config.Settings]
Problems = Callable[..., dict[str, config.Problem]]

SECRET = "s" * 40


def complete() -> dict[str, Any]:
    """The shortest settings that are right."""
    return {
        "homeserver": {"url": "http://127.0.0.1:8008", "server_name": "example.org"},
        "web": {"public_url": "https://visio.example.org"},
        "sfu": {"url": "wss://sfu.example.org", "key": "passerelle", "secret": SECRET},
    }


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load the shortest right settings, with changes; keys with dots, None takes one away."""

    def load(changes: dict[str, Any] | None = None, environ: dict[str, str] | None = None) -> config.Settings:
        tree = complete()
        for key, value in (changes or {}).items():
            section, _, name = key.rpartition(".")
            tree = merged(tree, {section: {name: value}} if section else {name: value})
        path = tmp_path / "passerelle.yaml"
        path.write_text(yaml.safe_dump(tree), encoding="utf-8")
        return config.load(path, environ or {})

    return load


@pytest.fixture
def problems(load: Load) -> Problems:
    """The problems of such settings, by key."""

    def problems(
        changes: dict[str, Any] | None = None, environ: dict[str, str] | None = None
    ) -> dict[str, config.Problem]:
        with pytest.raises(config.ConfigProblems) as found:
            load(changes, environ)
        return {problem.key: problem for problem in found.value.problems}

    return problems
