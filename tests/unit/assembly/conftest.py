from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

import config

Load = Callable[..., config.Settings]

SFU = {"url": "wss://sfu.example.org", "key": "passerelle", "secret": "s" * 40}
VISIO = {"url": "https://visio.example.org", "client_id": "passerelle", "client_secret": "secret"}


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Settings with these sections, in an empty folder."""

    def load(**sections: Any) -> config.Settings:
        ours = {
            "homeserver": {"url": "http://127.0.0.1:8008", "server_name": "example.org"},
            "appservice": {"as_token": "a" * 40, "hs_token": "h" * 40},
            "web": {"public_url": "https://bridge.example.org"},
            "database": {"url": f"sqlite+aiosqlite:///{tmp_path / 'passerelle.db'}"},
        }
        path = tmp_path / "passerelle.yaml"
        path.write_text(yaml.safe_dump(ours | sections), encoding="utf-8")
        return config.load(path, {})

    return load


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Closes what was opened."""
    async with AsyncExitStack() as made:
        yield made
