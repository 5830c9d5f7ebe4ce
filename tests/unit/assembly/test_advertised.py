"""What the check of the settings learns from the homeserver."""

from __future__ import annotations

import pytest

import config
from appservice.client import Client
from appservice.errors import HomeserverUnreachable, MatrixError
from bridge.assembly.advertised import with_what_is_advertised
from bridge.rtc.transports import Advertised
from tests.unit.assembly.conftest import SFU, Load

OURS = "https://bridge.example.org/livekit"


def keys(
    load: Load, monkeypatch: pytest.MonkeyPatch, answer: Advertised | Exception, *, enabled: bool = True
) -> dict[str, str]:
    async def asked(_client: Client) -> Advertised:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("bridge.rtc.transports.advertised", asked)
    settings = load(sfu=SFU, rtc={"enabled": enabled})
    found = with_what_is_advertised(settings, config.notices(settings))
    return {notice.key: notice.fact for notice in found}


def test_where_clients_find_the_bridge_nothing_is_left_to_say(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert keys(load, monkeypatch, Advertised((OURS,))) == {}


def test_where_they_do_not_it_is_said_why(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "https://elsewhere" in keys(load, monkeypatch, Advertised(("https://elsewhere",)))["rtc.enabled"]


@pytest.mark.parametrize(
    "answer", [HomeserverUnreachable("away"), MatrixError(401, "M_UNKNOWN_TOKEN", ""), TimeoutError()]
)
def test_a_homeserver_that_cannot_be_asked_leaves_it_at_what_it_has_to_say(
    load: Load, monkeypatch: pytest.MonkeyPatch, answer: Exception
) -> None:
    assert "Clients find the bridge only" in keys(load, monkeypatch, answer)["rtc.enabled"]


def test_where_native_calls_are_off_nobody_is_asked(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keys(load, monkeypatch, AssertionError("asked"), enabled=False) == {}
