from __future__ import annotations

from typing import Any

import pytest

import config
from config.section import model_of
from config.settings import Settings
from tests.unit.config.conftest import Load


def test_the_shortest_settings_need_no_word(load: Load) -> None:
    assert config.notices(load()) == ()
    assert config.notices(load({"profile": "tchap"})) == ()


@pytest.fixture(params=["rtc", "federation", "limits"])
def unused(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """A section that this version does not act on, and a key in it."""
    name: str = request.param
    section = model_of(Settings.model_fields[name])
    assert section is not None
    monkeypatch.setattr(section, "in_use", False)
    return name, next(iter(section.model_fields))


def test_a_setting_that_this_version_does_not_use_is_said_to_have_no_effect(
    load: Load, monkeypatch: pytest.MonkeyPatch, unused: tuple[str, str]
) -> None:
    section, key = unused
    settings = load()
    monkeypatch.setattr(settings, "_given", frozenset({section, f"{section}.{key}"}))
    (notice,) = config.notices(settings)
    assert notice.key == section
    assert f"{section}.{key} has no effect yet" in notice.fact
    assert notice.advice


@pytest.mark.parametrize("changes", [{"ghosts": "none"}, {"ghosts": "authenticated"}])
def test_ghosts_are_said_to_need_native_calls(load: Load, changes: dict[str, Any]) -> None:
    assert [notice.key for notice in config.notices(load(changes))] == ["ghosts"]


def test_notices_stand_in_the_order_of_the_sample(
    load: Load, monkeypatch: pytest.MonkeyPatch, unused: tuple[str, str]
) -> None:
    settings = load()
    monkeypatch.setattr(settings, "_given", frozenset({"ghosts", ".".join(unused)}))
    order = list(Settings.model_fields)
    found = [notice.key for notice in config.notices(settings)]
    assert found == sorted(found, key=order.index)
    assert len(found) == 2


def test_with_native_calls_the_homeserver_has_something_to_say(load: Load) -> None:
    (notice,) = config.notices(load({"rtc.enabled": True, "ghosts": "none"}))
    assert notice.key == "rtc.enabled"
    assert "https://visio.example.org/livekit" in notice.advice
    assert "rtc.gateway: false" in notice.advice


def test_ringing_without_native_calls_is_said_to_do_nothing(load: Load) -> None:
    assert [notice.key for notice in config.notices(load({"rtc.ring": "ring"}))] == ["rtc.ring"]
    native = {"rtc.enabled": True, "rtc.ring": "ring"}
    assert "rtc.ring" not in [notice.key for notice in config.notices(load(native))]
    plain = native | {"rtc.gateway": False}
    assert "rtc.ring" in [notice.key for notice in config.notices(load(plain))]
