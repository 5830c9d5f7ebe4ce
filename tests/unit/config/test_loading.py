from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import config
from config.keys import all_keys, variable_of
from tests.unit.config.conftest import SECRET, Load, Problems


def test_the_shortest_file_gets_the_defaults_of_the_contract(load: Load) -> None:
    settings = load()
    assert settings.appservice.id == "passerelle"
    assert settings.appservice.bot == "visio"
    assert settings.appservice.ghost_prefix == "visio_"
    assert str(settings.appservice.listen) == "127.0.0.1:29400"
    assert settings.appservice.url == "http://127.0.0.1:29400"
    assert str(settings.web.listen) == "127.0.0.1:29401"
    assert (settings.bot.language, settings.bot.timezone) == ("fr", "Europe/Paris")
    assert settings.calls.grace == timedelta(minutes=5)
    assert settings.calls.open_timeout == timedelta(hours=2)
    assert settings.calls.resume_window == timedelta(hours=12)
    assert settings.calls.clock == timedelta(seconds=30)
    assert settings.calls.max_participants == 150
    assert settings.calls.names == "during"
    assert settings.commands.prefix == "!visio"
    assert settings.commands.max_age == timedelta(minutes=15)
    assert settings.ghosts == "authenticated"
    assert settings.database.url.get_secret_value().endswith("/passerelle.db")
    assert settings.sfu is not None
    assert settings.sfu.api_url == "https://sfu.example.org"


def test_the_environment_wins_over_the_file(load: Load) -> None:
    settings = load(
        {"calls.grace": "1m"},
        {"PASSERELLE_CALLS__GRACE": "2m", "passerelle_homeserver__url": "http://hs:8008", "OTHER": "x"},
    )
    assert settings.calls.grace == timedelta(minutes=2)
    assert settings.homeserver.url == "http://hs:8008"


def test_everything_may_stand_in_the_environment() -> None:
    settings = config.load(
        None,
        {
            "PASSERELLE_HOMESERVER__URL": "http://127.0.0.1:8008",
            "PASSERELLE_HOMESERVER__SERVER_NAME": "example.org",
            "PASSERELLE_WEB__PUBLIC_URL": "https://visio.example.org",
            "PASSERELLE_SFU__URL": "wss://sfu.example.org",
            "PASSERELLE_SFU__KEY": "passerelle",
            "PASSERELLE_SFU__SECRET": SECRET,
            "PASSERELLE_SFU__ICE_SERVERS": "[{urls: 'stun:stun.example.org', credential: p}]",
            "PASSERELLE_POLICY": "{'*.example.org': start}",
            "PASSERELLE_FEDERATION__NETWORKS": "10.0.0.0/8, fd00::/8",
            "PASSERELLE_FEDERATION__VERIFY_TLS": "false",
            "PASSERELLE_RTC__GATEWAY": "false",
            "PASSERELLE_APPSERVICE__AS_TOKEN": "0123",
            "PASSERELLE_APPSERVICE__HS_TOKEN": "4567",
            "PASSERELLE_PROFILE": "tchap",
        },
    )
    assert settings.policy == {"*.example.org": "start"}
    assert settings.federation.networks == ["10.0.0.0/8", "fd00::/8"]
    assert settings.federation.verify_tls is False
    assert settings.rtc.gateway is False
    assert settings.appservice.as_token is not None
    assert settings.appservice.as_token.get_secret_value() == "0123"
    assert settings.sfu is not None
    assert settings.sfu.ice_servers[0].urls == ["stun:stun.example.org"]
    assert settings.ghosts == "none"


def test_variables_that_kubernetes_sets_are_left_alone(load: Load) -> None:
    load({}, {"PASSERELLE_PORT": "tcp://10.0.0.1:29400", "PASSERELLE_SERVICE_HOST": "10.0.0.1"})


def test_an_empty_variable_is_none(load: Load) -> None:
    assert load({}, {"PASSERELLE_BOT__LANGUAGE": ""}).bot.language == "fr"


def test_a_variable_with_one_underscore_too_few_is_a_problem(problems: Problems) -> None:
    found = problems({}, {"PASSERELLE_HOMESERVER_URL": "http://hs"})
    assert found["PASSERELLE_HOMESERVER_URL"].write == "PASSERELLE_HOMESERVER__URL=…"


def test_a_variable_for_no_section_is_a_problem(problems: Problems) -> None:
    assert list(problems({}, {"PASSERELLE_HOMESERVERS__URL": "x"})) == ["PASSERELLE_HOMESERVERS__URL"]


def test_a_problem_says_which_variable_it_came_from(problems: Problems) -> None:
    assert (
        problems({}, {"PASSERELLE_CALLS__GRACE": "long"})["calls.grace"].source == "PASSERELLE_CALLS__GRACE"
    )
    assert problems({"calls.grace": "long"})["calls.grace"].source is None


def test_the_tchap_profile_is_a_set_of_defaults(load: Load) -> None:
    visio = {"url": "https://visio.example.org", "client_id": "x", "client_secret": "y"}
    settings = load({"profile": "tchap", "visio": visio})
    assert settings.ghosts == "none"
    assert settings.limits.large_room == 200
    assert settings.visio is not None
    assert (settings.visio.owner, settings.visio.access_level) == ("user", "trusted")
    assert settings.visio.adopt_links == "ask"


def test_what_the_file_says_wins_over_the_profile(load: Load) -> None:
    settings = load({"profile": "tchap", "ghosts": "authenticated", "limits.large_room": 50})
    assert settings.ghosts == "authenticated"
    assert settings.limits.large_room == 50


def test_a_profile_does_not_make_a_section_that_was_left_out(load: Load) -> None:
    assert load({"profile": "tchap"}).visio is None


def test_settings_know_which_of_them_the_admin_gave(load: Load) -> None:
    settings = load({"profile": "tchap", "calls.grace": "5m"}, {"PASSERELLE_BOT__LANGUAGE": "en"})
    assert {"calls.grace", "bot.language", "homeserver.url"} <= settings.given
    assert not {"ghosts", "limits.large_room", "calls.clock"} & settings.given


def test_a_section_left_empty_counts_as_left_out(load: Load) -> None:
    settings = load({"bot": None, "bot.avatar": None, "visio": None})
    assert settings.bot.display_name == "Visio"
    assert settings.visio is None


def test_paths_start_at_the_folder_of_the_file(load: Load, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    settings = load({"homeserver.ca_file": "ca.pem"})
    assert settings.homeserver.ca_file == tmp_path / "ca.pem"
    assert settings.appservice.registration == tmp_path / "registration.yaml"
    assert load({"appservice.registration": "/etc/r.yaml"}).appservice.registration == Path("/etc/r.yaml")


def test_a_secret_may_stand_in_a_file_of_its_own(load: Load, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}-file\n", encoding="utf-8")
    settings = load({}, {"PASSERELLE_SFU__SECRET_FILE": str(tmp_path / "secret")})
    assert settings.sfu is not None
    assert settings.sfu.secret.get_secret_value() == f"{SECRET}-file"
    (tmp_path / "token").write_text("abc", encoding="utf-8-sig")  # as some editors save it
    settings = load({"appservice.as_token_file": "token", "appservice.hs_token": "def"})
    assert settings.appservice.as_token is not None
    assert settings.appservice.as_token.get_secret_value() == "abc"


def test_a_secret_inside_a_list_may_stand_in_a_file_too(load: Load, tmp_path: Path) -> None:
    (tmp_path / "turn").write_text("pass", encoding="utf-8")
    settings = load({"sfu.ice_servers": [{"urls": "turn:t.example.org", "credential_file": "turn"}]})
    assert settings.sfu is not None
    credential = settings.sfu.ice_servers[0].credential
    assert credential is not None
    assert credential.get_secret_value() == "pass"


def test_a_secret_file_that_is_missing_empty_or_doubled_is_a_problem(
    problems: Problems, tmp_path: Path
) -> None:
    (tmp_path / "empty").touch()
    assert (
        "cannot be read" in problems({"appservice.as_token_file": "gone"})["appservice.as_token_file"].wrong
    )
    assert "is empty" in problems({"appservice.as_token_file": "empty"})["appservice.as_token_file"].wrong
    assert "stands beside" in problems({"sfu.secret_file": "empty"})["sfu.secret_file"].wrong
    assert "not a path" in problems({"appservice.hs_token_file": 5})["appservice.hs_token_file"].wrong


def test_a_missing_secret_is_told_once(problems: Problems) -> None:
    found = problems({"sfu": None, "sfu.url": "wss://s", "sfu.key": "k", "sfu.secret_file": "gone"})
    assert list(found) == ["sfu.secret_file"]


def test_secrets_do_not_show_in_the_settings_text_or_problems(load: Load, problems: Problems) -> None:
    given = {"database.url": "postgresql+asyncpg://u:hunter2@db/passerelle", "appservice.as_token": "hunter2"}
    assert "hunter2" not in repr(load({**given, "appservice.hs_token": "x"}))
    given["database.url"] = "mysql://u:hunter2@db/passerelle"
    found = problems({**given, "appservice.hs_token": {"hunter2": 1}, "sfu.secret": "hunter2"})
    assert {"database.url", "appservice.hs_token", "sfu.secret"} <= found.keys()
    assert "hunter2" not in "".join(map(str, found.values()))


def test_every_problem_is_told_in_one_go(problems: Problems) -> None:
    found = problems(
        {
            "homeserver.server_name": "https://example.org",
            "homeserver.urll": "x",
            "appservice.listen": 5,
            "appservice.bot": "visio_bot",
            "web.public_url": "http://visio.example.org",
            "bot.timezone": "Europe/Pariss",
            "sfu.secret": "devsecret",
            "calls.provider": "visio",
            "calls.grace": "soon",
            "commands.prefix": "/visio",
            "ghosts": "all",
            "policy": {"*.gouv.fr": "boss", "https://x": "start"},
            "loging": {},
        }
    )
    assert set(found) == {
        "homeserver.server_name",
        "homeserver.urll",
        "appservice.listen",
        "appservice.ghost_prefix",
        "web.public_url",
        "bot.timezone",
        "sfu.secret",
        "visio",
        "calls.grace",
        "commands.prefix",
        "ghosts",
        "policy.*.gouv.fr",
        "policy.https://x",
        "loging",
    }
    assert all(problem.wrong and problem.write for problem in found.values())


def test_problems_stand_in_the_order_of_the_sample(problems: Problems) -> None:
    found = problems({"calls.grace": "soon", "homeserver.url": 5, "sfu.secret": "short"})
    assert list(found) == ["homeserver.url", "sfu.secret", "calls.grace"]


def test_a_default_that_hangs_on_a_wrong_setting_is_no_second_problem(problems: Problems) -> None:
    assert list(problems({"sfu.url": "sfu"})) == ["sfu.url"]
    assert list(problems({"appservice.listen": "x"})) == ["appservice.listen"]


def test_without_anything_the_required_sections_are_named() -> None:
    with pytest.raises(config.ConfigProblems) as found:
        config.load(None, {})
    assert [problem.key for problem in found.value.problems] == ["homeserver", "web.public_url", "sfu"]
    assert str(found.value).startswith("homeserver: is missing. Write: the section homeserver with url")


def test_tokens_of_the_registration_can_be_put_in(load: Load) -> None:
    settings = load().with_tokens("a", "h")
    assert settings.appservice.as_token is not None
    assert settings.appservice.as_token.get_secret_value() == "a"
    assert settings.appservice.hs_token is not None
    assert settings.appservice.hs_token.get_secret_value() == "h"


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12), st.dates()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3)
    ),
    max_leaves=5,
)
keys = st.sampled_from([*all_keys(), *config.Settings.model_fields, "homeserver.nothing", "nothing"])


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(keys, values, max_size=8))
def test_whatever_stands_in_the_file_only_problems_come_out(
    tmp_path: Path, given_values: dict[str, object]
) -> None:
    tree: dict[str, object] = {}
    for key, value in given_values.items():
        section, _, name = key.rpartition(".")
        below = tree.setdefault(section, {}) if section else tree
        if isinstance(below, dict):
            below[name] = value
    path = tmp_path / "passerelle.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    with pytest.raises(config.ConfigProblems) as found:
        config.load(path, {})
    assert all(problem.key and problem.wrong and problem.write for problem in found.value.problems)


@hypothesis_settings(deadline=None)
@given(st.dictionaries(st.sampled_from(list(all_keys())).map(variable_of), st.text(max_size=12), max_size=6))
def test_whatever_stands_in_the_environment_only_problems_come_out(environ: dict[str, str]) -> None:
    with pytest.raises(config.ConfigProblems):
        config.load(None, environ)
