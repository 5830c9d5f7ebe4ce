from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.rtc.identities import ROOM_SLOT
from bridge.rtc.refusals import Refusal
from bridge.rtc.requests import Ask, Delay, delegate_delayed_leave, get_token, sfu_get

OPENID = {
    "access_token": "secret",
    "token_type": "Bearer",
    "matrix_server_name": "example.org",
    "expires_in": 3600,
}
SFU_GET: dict[str, Any] = {"room": "!room:example.org", "openid_token": OPENID, "device_id": "PHONE"}
MEMBER = {"id": "m1", "claimed_user_id": "@alice:example.org", "claimed_device_id": "PHONE"}
GET_TOKEN: dict[str, Any] = {
    "room_id": "!room:example.org",
    "slot_id": ROOM_SLOT,
    "openid_token": OPENID,
    "member": MEMBER,
}
DELAY = {"delay_id": "syd_1", "delay_timeout": 8000}


def refused(read: Callable[[bytes], Ask], body: object) -> Refusal:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(Refusal) as caught:
        read(raw)
    return caught.value


def test_the_early_form_asks_for_the_rooms_own_call() -> None:
    ask = sfu_get(json.dumps(SFU_GET).encode())
    assert ask == Ask("!room:example.org", ROOM_SLOT, "secret", "example.org", "PHONE")


def test_the_new_form_names_the_membership() -> None:
    ask = get_token(json.dumps(GET_TOKEN).encode())
    assert (ask.member_id, ask.claimed_user_id, ask.device_id) == ("m1", "@alice:example.org", "PHONE")


def test_an_ask_shows_no_token_when_it_is_logged() -> None:
    assert "secret" not in repr(sfu_get(json.dumps(SFU_GET).encode()))


@pytest.mark.parametrize(
    "body",
    [
        b"{not json",
        b"[]",
        b"",
        b'{"room": "\\ud800"}',
        SFU_GET | {"surprise": 1},
        SFU_GET | {"openid_token": OPENID | {"surprise": 1}},
        SFU_GET | {"device_id": 7},
        SFU_GET | {"openid_token": OPENID | {"expires_in": True}},
        SFU_GET | {"openid_token": "secret"},
    ],
)
def test_what_is_not_the_expected_json_is_told_so(body: object) -> None:
    refusal = refused(sfu_get, body)
    assert (refusal.status, refusal.errcode) == (400, "M_NOT_JSON")


@pytest.mark.parametrize(
    "body",
    [
        {},
        SFU_GET | {"room": ""},
        SFU_GET | {"room": None},
        SFU_GET | {"room": "!" + "r" * 300},
        SFU_GET | {"openid_token": {}},
        SFU_GET | {"openid_token": OPENID | {"access_token": ""}},
        SFU_GET | {"openid_token": OPENID | {"matrix_server_name": "x" * 300}},
        SFU_GET | {"device_id": ""},
        SFU_GET | {"device_id": "PHONE\n"},
        SFU_GET | {"delay_id": "syd_1"},
        SFU_GET | {"delay_timeout": 8000},
    ],
)
def test_what_is_missing_or_unusable_is_told_so(body: object) -> None:
    refusal = refused(sfu_get, body)
    assert (refusal.status, refusal.errcode) == (400, "M_BAD_JSON")


@pytest.mark.parametrize("lacking", ["room_id", "slot_id", "openid_token", "member"])
def test_the_new_form_needs_all_its_fields(lacking: str) -> None:
    body = {key: value for key, value in GET_TOKEN.items() if key != lacking}
    assert refused(get_token, body).errcode == "M_BAD_JSON"


@pytest.mark.parametrize("lacking", ["id", "claimed_user_id", "claimed_device_id"])
def test_the_new_form_needs_the_whole_member(lacking: str) -> None:
    member = {key: value for key, value in MEMBER.items() if key != lacking}
    assert refused(get_token, GET_TOKEN | {"member": member}).errcode == "M_BAD_JSON"


def test_a_device_with_a_colon_would_read_as_another_server() -> None:
    assert refused(sfu_get, SFU_GET | {"device_id": "evil.example:PHONE"}).errcode == "M_BAD_JSON"


def test_a_handed_over_leave_is_read_and_its_address_ignored() -> None:
    body = SFU_GET | DELAY | {"delay_cs_api_url": "http://127.0.0.1"}
    assert sfu_get(json.dumps(body).encode()).delay == Delay("syd_1", 8000)


def test_handing_over_a_leave_needs_one() -> None:
    assert delegate_delayed_leave(json.dumps(GET_TOKEN | DELAY).encode()).delay == Delay("syd_1", 8000)
    assert refused(delegate_delayed_leave, GET_TOKEN).errcode == "M_BAD_JSON"


_ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*SFU_GET, *GET_TOKEN, *MEMBER]), inner),
)


@given(_ANY_JSON)
def test_whatever_comes_is_read_or_refused(body: object) -> None:
    for read in (sfu_get, get_token, delegate_delayed_leave):
        with contextlib.suppress(Refusal):
            read(json.dumps(body).encode())
