from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import config
from config.placeholders import placeholders
from tests.unit.config.conftest import complete


def keys(given: dict[str, Any]) -> list[str]:
    return [notice.key for notice in placeholders(given)]


def test_every_placeholder_of_the_sample_is_named_once_everything_in_it_is_put_in_force() -> None:
    in_force = re.sub(r"^( *)#(?=\w|  \w)", r"\1", config.sample(), flags=re.MULTILINE)
    assert keys(yaml.safe_load(in_force)) == [
        "homeserver.server_name",
        "appservice.as_token",
        "appservice.hs_token",
        "web.public_url",
        "bot.avatar",
        "bot.organisation",
        "bot.support",
        "sfu.url",
        "sfu.secret",
        "sfu.ice_servers",
        "visio.hosts",
        "visio.client_secret",
        "visio.service_email",
        "visio.emails",
        "federation.servers",
        "federation.proxy",
        "policy",
    ]


def test_what_an_admin_may_well_mean_is_no_placeholder() -> None:
    assert keys(complete() | {"federation": {"networks": ["10.0.0.0/8"]}, "bot": {"language": "fr"}}) == [
        # These settings are those of the sample but for the secret.
        "homeserver.server_name",
        "web.public_url",
        "sfu.url",
    ]
    given = {"homeserver": {"url": "http://127.0.0.1:8008", "server_name": "hs.example.org"}}
    assert keys(given | {"sfu": {"key": "passerelle"}}) == []


def test_a_notice_says_what_the_setting_is_and_never_shows_a_secret() -> None:
    server_name, secret = placeholders(
        {
            "homeserver": {"server_name": "example.org"},
            "sfu": {"secret": "replace-this-by-the-secret-of-that-key"},
        }
    )
    assert server_name.fact == "This is still “example.org”, the sample's placeholder."
    assert server_name.advice == "Write your own (its name: what stands after the colon in user ids)."
    assert secret.fact == "This is still the sample's placeholder."


@pytest.mark.parametrize("value", [5, None, ["x"], "text", {"server_name": {"a": ["example.org", 5]}}])
def test_values_that_make_no_sense_are_left_to_others(value: object) -> None:
    found = keys({"homeserver": value, "policy": value})
    assert found == (["homeserver.server_name"] if isinstance(value, dict) else [])


def test_a_file_that_is_not_filled_in_is_noticed_and_can_be_used(tmp_path: Path) -> None:
    # Somebody's test network may well be called example.org.
    path = tmp_path / "passerelle.yaml"
    path.write_text(yaml.safe_dump(complete()), encoding="utf-8")
    settings = config.load(path, {})
    assert settings.homeserver.server_name == "example.org"
    assert [notice.key for notice in settings.placeholders] == [
        "homeserver.server_name",
        "web.public_url",
        "sfu.url",
    ]
