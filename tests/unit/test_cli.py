from __future__ import annotations

import re
import stat
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import click
import pytest
import yaml
from click.testing import CliRunner, Result
from sqlalchemy.exc import OperationalError, ProgrammingError

import bridge
import config
from bridge import cli, demo
from bridge.calls.model import Call
from config.changes import Change
from tests.unit.calls.people import a_call

Passerelle = Callable[..., Result]

FILE = """
homeserver: {url: "http://127.0.0.1:8008", server_name: agency.test}
web: {public_url: "https://visio.agency.test"}
sfu: {url: "wss://sfu.agency.test", key: passerelle, secret: ssssssssssssssssssssssssssssssssssssssss}
"""


@pytest.fixture
def passerelle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Passerelle:
    """Run the command in a folder of its own, with a right settings file in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "passerelle.yaml").write_text(FILE, encoding="utf-8")

    def passerelle(*words: str, **environ: str) -> Result:
        return CliRunner().invoke(cli.main, list(words), env=environ, catch_exceptions=False)

    return passerelle


@dataclass
class Line:
    HEADER: ClassVar[tuple[str, ...]] = ("ID", "SUBJECT", "STATE")
    cells: tuple[str, ...]

    def row(self) -> tuple[str, ...]:
        return self.cells


def stand_in(monkeypatch: pytest.MonkeyPatch, package: types.ModuleType, name: str, **content: Any) -> None:
    module = types.ModuleType(f"{package.__name__}.{name}")
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(package, name, module, raising=False)


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A database with one call and one quarantined event; what was asked lands under ``asked``."""
    state: dict[str, Any] = {
        "asked": [],
        "lines": [Line(("c1", "Point budget", "open")), Line(("c22", "a\nb", "active"))],
    }

    async def lines(url: str) -> list[Line]:
        state["asked"].append(url)
        if "fails" in state:
            raise state["fails"]
        return list(state["lines"])

    async def one(url: str, key: str) -> bool:
        state["asked"].append((url, key))
        return key == "c1"

    async def ended(url: str, key: str) -> Call | None:
        return a_call(adopted="adopted" in state) if await one(url, key) else None

    stand_in(
        monkeypatch,
        bridge,
        "admin",
        list_calls=lines,
        end_call=ended,
        list_quarantine=lines,
        retry_quarantine=one,
        drop_quarantine=one,
    )
    return state


def test_the_version_is_the_package_s(passerelle: Passerelle) -> None:
    assert passerelle("--version").output.startswith("passerelle, version 0.")


@pytest.mark.parametrize("profile", ["generic", "tchap"])
def test_a_printed_sample_lacks_only_what_the_admin_alone_knows(
    passerelle: Passerelle, tmp_path: Path, profile: str
) -> None:
    printed = passerelle("config", "sample", "--profile", profile)
    assert printed.exit_code == 0
    (tmp_path / "passerelle.yaml").write_text(printed.stdout, encoding="utf-8")
    checked = passerelle("config", "check")
    assert checked.exit_code == 0
    assert re.findall(r"^(\S+)\n  note: This is still", checked.stdout, re.MULTILINE) == [
        "homeserver.server_name",
        "web.public_url",
        "sfu.url",
        "sfu.secret",
    ]
    filled = printed.stdout.replace("example.org", "agency.test").replace("replace-this-by", "s" * 32)
    (tmp_path / "passerelle.yaml").write_text(filled, encoding="utf-8")
    checked = passerelle("config", "check")
    assert "This is still" not in checked.stdout
    assert checked.stdout.splitlines()[-1] == "ok"


def test_the_check_says_what_has_no_effect_and_is_content(passerelle: Passerelle) -> None:
    checked = passerelle("config", "check", PASSERELLE_PRESENCE="{}", PASSERELLE_GHOSTS="none")
    assert checked.exit_code == 0
    assert "\nghosts\n  note: Ghosts are in native calls only" in checked.stdout
    assert checked.stdout.splitlines()[-1] == "ok"


def test_every_command_has_a_line_of_help_that_is_not_cut_off() -> None:
    groups: list[click.Group] = [cli.main]
    for group in groups:
        listed = CliRunner().invoke(group, ["--help"]).output
        assert "..." not in listed.partition("Commands:")[2]
        groups += [command for command in group.commands.values() if isinstance(command, click.Group)]
    assert len(groups) >= 4


def test_the_check_prints_every_problem_and_exits_with_2(passerelle: Passerelle, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("homserver: {}\ncalls: {names: keeep}\n", encoding="utf-8")
    checked = passerelle("config", "check", "-c", "bad.yaml", PASSERELLE_BOT__LANGUAGE="es")
    assert checked.exit_code == 2
    assert checked.stdout.startswith("bad.yaml: 6 problems\n")
    assert (
        "\n\nbot.language (from PASSERELLE_BOT__LANGUAGE)\n"
        "  wrong: “es” is not a language of the bridge\n"
        "  write: one of: fr, en, de\n"
    ) in checked.stdout
    assert "did you mean homeserver?" in checked.stdout


def test_the_check_lists_defaults_that_changed(
    passerelle: Passerelle, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = Change(2, "calls.grace", "5m", "2m", "Rooms were held too long.")
    monkeypatch.setattr(config, "changes_since", lambda edition, given: (change,) if edition < 2 else ())
    checked = passerelle("config", "check")
    assert checked.exit_code == 0
    assert "  calls.grace: 5m became 2m. Rooms were held too long.\n" in checked.stdout
    assert "write defaults: 2" in checked.stdout


def test_the_settings_file_may_be_named_before_or_after_the_command(
    passerelle: Passerelle, tmp_path: Path
) -> None:
    (tmp_path / "passerelle.yaml").rename(tmp_path / "other.yaml")
    assert passerelle("config", "check").exit_code == 2
    assert passerelle("-c", "other.yaml", "config", "check").exit_code == 0
    assert passerelle("config", "check", "-c", "other.yaml").exit_code == 0
    assert passerelle("-c", "gone.yaml", "config", "check", "--config", "other.yaml").exit_code == 0


def test_without_a_file_the_environment_is_enough(passerelle: Passerelle, tmp_path: Path) -> None:
    (tmp_path / "passerelle.yaml").unlink()
    environ = {
        "PASSERELLE_HOMESERVER__URL": "http://127.0.0.1:8008",
        "PASSERELLE_HOMESERVER__SERVER_NAME": "agency.test",
        "PASSERELLE_WEB__PUBLIC_URL": "https://visio.agency.test",
        "PASSERELLE_SFU__URL": "wss://sfu.agency.test",
        "PASSERELLE_SFU__KEY": "k",
        "PASSERELLE_SFU__SECRET": "s" * 32,
    }
    assert passerelle("config", "check", **environ).exit_code == 0
    broken = passerelle("config", "check", **(environ | {"PASSERELLE_SFU__SECRET": "short"}))
    assert broken.stdout.startswith("the environment: 1 problem\n")


def test_register_writes_a_private_file_and_keeps_the_tokens(passerelle: Passerelle, tmp_path: Path) -> None:
    path = tmp_path / "registration.yaml"
    assert passerelle("register").exit_code == 0
    first = path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "nothing to write" in passerelle("register", "-o", "registration.yaml").stdout
    assert path.read_text(encoding="utf-8") == first
    assert "same tokens" in passerelle("register", PASSERELLE_APPSERVICE__URL="http://bridge:1").stdout
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["as_token"] == yaml.safe_load(first)["as_token"]
    assert "new tokens" in passerelle("register", "--rotate").stdout
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["as_token"] != yaml.safe_load(first)["as_token"]


def test_register_never_prints_a_token(passerelle: Passerelle, tmp_path: Path) -> None:
    printed = passerelle("register").output
    content = yaml.safe_load((tmp_path / "registration.yaml").read_text(encoding="utf-8"))
    assert content["as_token"] not in printed
    assert content["hs_token"] not in printed


def test_register_elsewhere_says_how_the_bridge_finds_it(passerelle: Passerelle, tmp_path: Path) -> None:
    printed = passerelle("register", "-o", "elsewhere.yaml").stdout
    assert f"write appservice.registration: {tmp_path / 'elsewhere.yaml'}" in printed


def test_register_refuses_the_file_of_another_service(passerelle: Passerelle) -> None:
    passerelle("register", PASSERELLE_APPSERVICE__ID="irc")
    refused = passerelle("register")
    assert refused.exit_code == 1
    assert "“irc”" in refused.stderr


def test_register_says_when_the_settings_have_tokens_of_their_own(passerelle: Passerelle) -> None:
    tokens = {"PASSERELLE_APPSERVICE__AS_TOKEN": "aaa", "PASSERELLE_APPSERVICE__HS_TOKEN": "hhh"}
    assert "tokens of their own" in passerelle("register", **tokens).stdout


def run_with(monkeypatch: pytest.MonkeyPatch, code: int) -> list[config.Settings]:
    seen: list[config.Settings] = []

    def run(settings: config.Settings) -> int:
        seen.append(settings)
        return code

    stand_in(monkeypatch, bridge, "app", run=run)
    return seen


def test_run_hands_the_registered_tokens_to_the_bridge(
    passerelle: Passerelle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = run_with(monkeypatch, 7)
    passerelle("register")
    assert passerelle("run").exit_code == 7
    content = yaml.safe_load((tmp_path / "registration.yaml").read_text(encoding="utf-8"))
    token = seen[0].appservice.as_token
    assert token is not None
    assert token.get_secret_value() == content["as_token"]


def test_run_takes_tokens_from_the_settings_first(
    passerelle: Passerelle, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = run_with(monkeypatch, 0)
    tokens = {"PASSERELLE_APPSERVICE__AS_TOKEN": "aaa", "PASSERELLE_APPSERVICE__HS_TOKEN": "hhh"}
    assert passerelle("run", **tokens).exit_code == 0
    assert len(seen) == 1


def test_run_and_check_refuse_a_registration_that_is_missing_or_out_of_date(
    passerelle: Passerelle, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = run_with(monkeypatch, 0)
    missing = passerelle("run")
    assert missing.exit_code == 2
    assert "passerelle register -o registration.yaml" in missing.stderr
    passerelle("register")
    for command in (("run",), ("config", "check")):
        stale = passerelle(*command, PASSERELLE_APPSERVICE__BOT="rendezvous")
        assert stale.exit_code == 2
        assert "differ in: bot" in stale.stderr
    assert seen == []


def test_run_with_wrong_settings_exits_with_2_before_anything_starts(
    passerelle: Passerelle, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = run_with(monkeypatch, 0)
    assert passerelle("run", PASSERELLE_CALLS__GRACE="soon").exit_code == 2
    assert seen == []


def test_calls_are_listed_in_columns(passerelle: Passerelle, admin: dict[str, Any]) -> None:
    listed = passerelle("calls", "list")
    assert listed.stdout.splitlines() == [
        "ID   SUBJECT       STATE",
        "c1   Point budget  open",
        "c22  a b           active",
    ]
    assert admin["asked"] == ["sqlite+aiosqlite:///passerelle.db"]


def test_an_empty_list_is_said_in_words(passerelle: Passerelle, admin: dict[str, Any]) -> None:
    admin["lines"] = []
    assert passerelle("calls", "list").stdout == "No call is open.\n"
    assert passerelle("quarantine", "list").stdout == "Nothing is in quarantine.\n"


@pytest.mark.parametrize("command", [("calls", "end"), ("quarantine", "retry"), ("quarantine", "drop")])
def test_an_order_for_something_unknown_exits_with_1(
    passerelle: Passerelle, admin: dict[str, Any], command: tuple[str, str]
) -> None:
    assert passerelle(*command, "c1").exit_code == 0
    unknown = passerelle(*command, "c9")
    assert unknown.exit_code == 1
    assert "c9" in unknown.stderr
    assert [asked[1] for asked in admin["asked"]] == ["c1", "c9"]


def test_ending_a_meeting_that_is_only_followed_is_said_to_leave_it(
    passerelle: Passerelle, admin: dict[str, Any]
) -> None:
    assert "closes the meeting" in passerelle("calls", "end", "c1").stdout
    admin["adopted"] = True
    assert "goes on" in passerelle("calls", "end", "c1").stdout


def test_a_database_that_is_away_is_told_in_one_line(passerelle: Passerelle, admin: dict[str, Any]) -> None:
    admin["fails"] = OperationalError("SELECT secrets", {}, RuntimeError("disk I/O error\nmore"))
    told = passerelle("calls", "list")
    assert told.exit_code == 1
    assert told.stderr.splitlines()[0] == "The database does not answer: disk I/O error"
    admin["fails"] = ConnectionRefusedError(111, "Connection refused")
    assert "Connection refused" in passerelle("quarantine", "list").stderr


class UndefinedTable(Exception):
    sqlstate = "42P01"


@pytest.mark.parametrize("cause", [RuntimeError("no such table: calls"), UndefinedTable()])
def test_a_database_that_the_bridge_has_never_used_is_told_as_such(
    passerelle: Passerelle, admin: dict[str, Any], cause: Exception
) -> None:
    admin["fails"] = ProgrammingError("SELECT secrets", {}, cause)
    told = passerelle("calls", "list")
    assert told.exit_code == 1
    assert told.stderr.splitlines()[0] == "The database holds nothing of the bridge yet."
    admin["fails"] = FileNotFoundError("/x/passerelle.db does not exist")
    assert "runs for the first time" in passerelle("calls", "list").stderr


@pytest.mark.parametrize("headless", [True, False])
def test_the_demo_is_started_with_its_options(
    passerelle: Passerelle, monkeypatch: pytest.MonkeyPatch, headless: bool
) -> None:
    seen: list[tuple[bool, str]] = []

    def main(*, headless: bool, visio: str) -> int:
        seen.append((headless, visio))
        return 3

    stand_in(monkeypatch, demo, "story", main=main)
    options = ["--headless"] if headless else []
    assert passerelle("demo", *options).exit_code == 3
    assert passerelle("demo", *options, "--visio", "none").exit_code == 3
    assert seen == [(headless, "stand-in"), (headless, "none")]
