from __future__ import annotations

import base64
import json
from dataclasses import replace

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.api import TokenVerifier

from bridge.rtc.passes import Pass, Passes, PassRefused
from bridge.sfu.tokens import ApiKey, JoinPass, join_token
from tests.unit.rtc.house import SECRET, pass_of

NOW = 4_000_000_000_000
HOUR = 3_600_000


class Clock:
    now = NOW

    def __call__(self) -> int:
        return self.now


def payload(token: str) -> str:
    return token.split(".")[1]


def test_a_pass_says_the_same_to_every_replica() -> None:
    granted = pass_of("alice", sfu_room="visio-1")
    token = Passes(SECRET, Clock()).sign(granted, ttl_ms=HOUR)
    assert Passes(SECRET, Clock()).verify(token) == granted


def test_element_call_finds_identity_and_room_in_it() -> None:
    token = Passes(SECRET, Clock()).sign(pass_of("alice"), ttl_ms=HOUR, shown_room="alias")
    # As atob does: standard base64.
    claims = json.loads(base64.b64decode(payload(token) + "=="))
    assert claims["sub"] == "@alice:example.org:PHONE"
    assert claims["video"]["room"] == "alias"


@given(st.text(max_size=30), st.text(max_size=30))
def test_every_pass_can_be_read_with_atob(user: str, device: str) -> None:
    granted = Pass(user, device, "!r:x", f"{user}:{device}", True, device)
    token = Passes(SECRET, Clock()).sign(granted, ttl_ms=HOUR)
    assert not set("-_") & set(payload(token))
    assert Passes(SECRET, Clock()).verify(token) == granted


def test_the_letters_that_make_it_hard_to_read_are_escaped() -> None:
    granted = replace(pass_of(), device_id="~~~>>>???", identity="~?>~?>")
    token = Passes(SECRET, Clock()).sign(granted, ttl_ms=HOUR)
    assert not set("-_") & set(payload(token))
    assert Passes(SECRET, Clock()).verify(token) == granted


def test_a_pass_does_not_open_the_sfu() -> None:
    token = Passes(SECRET, Clock()).sign(pass_of(), ttl_ms=HOUR)
    with pytest.raises(jwt.InvalidSignatureError):
        TokenVerifier("passerelle", SECRET).verify(token)


def test_the_sfus_tokens_are_no_passes() -> None:
    join = JoinPass("room", "@alice:example.org:PHONE", "", HOUR)
    with pytest.raises(PassRefused):
        Passes(SECRET, Clock()).verify(join_token(ApiKey("passerelle", SECRET), join, NOW))


def test_a_pass_expires() -> None:
    clock = Clock()
    passes = Passes(SECRET, clock)
    token = passes.sign(pass_of(), ttl_ms=HOUR)
    clock.now = NOW + HOUR
    assert passes.verify(token) == pass_of()
    clock.now = NOW + HOUR + 60_000
    with pytest.raises(PassRefused, match="expired") as refused:
        passes.verify(token)
    assert refused.value.expired


def test_a_pass_from_a_clock_that_is_far_ahead_is_refused() -> None:
    clock = Clock()
    passes = Passes(SECRET, clock)
    token = passes.sign(pass_of(), ttl_ms=HOUR)
    clock.now = NOW - 60_000
    with pytest.raises(PassRefused, match="not valid yet"):
        passes.verify(token)


def test_a_pass_that_was_changed_is_refused() -> None:
    passes = Passes(SECRET, Clock())
    head, _, signature = passes.sign(pass_of("alice"), ttl_ms=HOUR).split(".")
    other = payload(passes.sign(pass_of("mallory"), ttl_ms=HOUR))
    with pytest.raises(PassRefused):
        passes.verify(f"{head}.{other}.{signature}")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "\ud800"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(PassRefused):
        Passes(SECRET, Clock()).verify(token)


@given(st.text(max_size=200))
def test_no_text_is_too_strange(text: str) -> None:
    with pytest.raises(PassRefused):
        Passes(SECRET, Clock()).verify(text)
