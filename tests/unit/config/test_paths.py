from __future__ import annotations

from pathlib import Path

import pytest

import config
from config.paths import sqlite_below
from tests.unit.config.conftest import Load


def test_every_path_begins_at_the_folder_of_the_file_wherever_the_bridge_is_started(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    for name in ("ca.pem", "federation.pem"):
        (tmp_path / name).touch()
    (tmp_path / "secret").write_text("s" * 40, encoding="utf-8")
    settings = load(
        {
            "homeserver.ca_file": "ca.pem",
            "federation.ca_file": "federation.pem",
            "sfu.secret": None,
            "sfu.secret_file": "secret",
        }
    )
    assert settings.homeserver.ca_file == tmp_path / "ca.pem"
    assert settings.federation.ca_file == tmp_path / "federation.pem"
    assert settings.appservice.registration == tmp_path / "registration.yaml"
    assert settings.database.url.get_secret_value() == f"sqlite+aiosqlite:///{tmp_path}/passerelle.db"
    assert settings.sfu is not None
    assert settings.sfu.secret.get_secret_value() == "s" * 40


@pytest.mark.parametrize(
    ("url", "below"),
    [
        ("sqlite+aiosqlite:///p.db", "sqlite+aiosqlite:////etc/passerelle/p.db"),
        (
            "sqlite+aiosqlite:///data/p.db?timeout=5",
            "sqlite+aiosqlite:////etc/passerelle/data/p.db?timeout=5",
        ),
        ("sqlite+aiosqlite:////var/lib/p.db", "sqlite+aiosqlite:////var/lib/p.db"),
        ("sqlite+aiosqlite:///:memory:", "sqlite+aiosqlite:///:memory:"),
        ("sqlite+aiosqlite://", "sqlite+aiosqlite://"),
        ("postgresql+asyncpg://u@h/p", "postgresql+asyncpg://u@h/p"),
    ],
)
def test_only_a_relative_sqlite_path_is_moved(url: str, below: str) -> None:
    assert sqlite_below(url, Path("/etc/passerelle")) == below


def test_without_a_file_paths_begin_where_the_bridge_is_started() -> None:
    assert sqlite_below("sqlite+aiosqlite:///p.db", Path()) == "sqlite+aiosqlite:///p.db"


def test_a_database_that_is_no_text_is_still_a_problem(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("database: {url: 5}", encoding="utf-8")
    with pytest.raises(config.ConfigProblems) as found:
        config.load(tmp_path / "p.yaml", {})
    assert "database.url" in {problem.key for problem in found.value.problems}
