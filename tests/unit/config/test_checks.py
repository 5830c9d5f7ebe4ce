from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.config.conftest import Load, Problems

VISIO = {"url": "https://visio.example.org", "client_id": "x", "client_secret": "y"}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"appservice.bot": "visio_bot"}, "appservice.ghost_prefix"),
        ({"appservice.ghost_prefix": "visio"}, "appservice.ghost_prefix"),
        ({"appservice.as_token": "a"}, "appservice.hs_token"),
        ({"appservice.hs_token": "a"}, "appservice.as_token"),
        ({"appservice.as_token": "a", "appservice.hs_token": "a"}, "appservice.hs_token"),
        ({"appservice.listen": "0.0.0.0:29400"}, "appservice.url"),
        ({"web.listen": "127.0.0.1:29400"}, "web.listen"),
        ({"web.listen": "0.0.0.0:29400"}, "web.listen"),
        ({"web.public_url": "http://visio.example.org"}, "web.public_url"),
        ({"sfu.url": "ws://sfu.example.org"}, "sfu.url"),
        ({"sfu.secret": "s" * 31}, "sfu.secret"),
        ({"calls.provider": "visio"}, "visio"),
        ({"sfu": None}, "sfu"),
        ({"web": None}, "web.public_url"),
        ({"rtc.enabled": True, "calls.provider": "visio", "visio": VISIO, "sfu": None}, "sfu"),
        ({"rtc.enabled": True, "calls.provider": "visio", "visio": VISIO, "web": None}, "web.public_url"),
        ({"calls.clock": "500ms"}, "calls.clock"),
        ({"calls.grace": "10s"}, "calls.grace"),
        ({"calls.open_timeout": "10s"}, "calls.open_timeout"),
        ({"homeserver.ca_file": "gone.pem"}, "homeserver.ca_file"),
        ({"database.url": "sqlite+aiosqlite:////nowhere/at/all/p.db"}, "database.url"),
        ({"database.url": "sqlite+aiosqlite://"}, "database.url"),
        ({"database.url": "sqlite+aiosqlite:///:memory:"}, "database.url"),
        ({"database.url": "sqlite:///p.db"}, "database.url"),
        ({"database.url": "postgres://u@h/p"}, "database.url"),
        ({"database.url": "postgresql+asyncpg://u@h"}, "database.url"),
        ({"database.url": "postgresql+asyncpg://u@h:x/p"}, "database.url"),
        ({"database.url": "passerelle.db"}, "database.url"),
    ],
)
def test_settings_that_do_not_fit_are_one_problem(
    problems: Problems, changes: dict[str, Any], key: str
) -> None:
    assert list(problems(changes)) == [key]


@pytest.mark.parametrize(
    "changes",
    [
        {"web.public_url": "http://localhost:29401"},
        {"web.public_url": "http://127.0.0.1:29401/visio"},
        {"sfu.url": "ws://127.0.0.1:7880"},
        {"appservice.listen": "0.0.0.0:29400", "appservice.url": "http://passerelle:29400"},
        {"web.listen": "127.0.0.2:29400"},
        {"appservice.listen": "127.0.0.1:0", "web.listen": "127.0.0.1:0"},
        {"calls.provider": "visio", "visio": VISIO, "sfu": None, "web": None},
        {"database.url": "postgresql+asyncpg://u:p@h:5432/p"},
        {"database.url": "postgresql+asyncpg://u:p@/p?host=/run/postgresql"},
    ],
)
def test_settings_that_fit_are_taken(load: Load, changes: dict[str, Any]) -> None:
    load(changes)


def test_an_absolute_sqlite_path_is_looked_at_where_it_is(load: Load, tmp_path: Path) -> None:
    load({"database.url": f"sqlite+aiosqlite:///{tmp_path}/p.db"})


def test_an_sqlite_file_has_to_stand_in_a_folder_that_exists(problems: Problems, tmp_path: Path) -> None:
    found = problems({"database.url": "sqlite+aiosqlite:///data/p.db"})["database.url"]
    assert f"there is no folder “{tmp_path}/data”" in found.wrong
