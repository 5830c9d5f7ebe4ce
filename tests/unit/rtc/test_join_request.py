from __future__ import annotations

import base64
import gzip
from contextlib import suppress
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol.models import ClientInfo
from livekit.protocol.rtc import JoinRequest, WrappedJoinRequest

from bridge.rtc.join_request import MOST_UNPACKED, BadJoinRequest, JoinAttempt, read

GZIP, NONE = WrappedJoinRequest.Compression.GZIP, WrappedJoinRequest.Compression.NONE


def wrapped(content: bytes, compression: WrappedJoinRequest.Compression) -> str:
    message = WrappedJoinRequest(join_request=content, compression=compression)
    return base64.urlsafe_b64encode(message.SerializeToString()).decode()


def v1(wish: JoinRequest, *, packed: bool = True) -> str:
    content = wish.SerializeToString()
    return wrapped(gzip.compress(content), GZIP) if packed else wrapped(content, NONE)


def read_v1(text: str) -> JoinAttempt:
    return read([("access_token", "t"), ("join_request", text)], needs_join_request=True)


def test_what_a_client_wants_is_passed_on_and_its_token_is_not() -> None:
    attempt = read(
        [("access_token", "secret"), ("protocol", "16"), ("sdk", "js"), ("os", "a b&c")],
        needs_join_request=False,
    )
    assert parse_qsl(attempt.query) == [("protocol", "16"), ("sdk", "js"), ("os", "a b&c")]
    assert not attempt.resume


@pytest.mark.parametrize("name", ["publish", "attributes", "access_token"])
def test_what_would_change_who_joins_is_not_passed_on(name: str) -> None:
    assert read([(name, "x"), ("sdk", "js")], needs_join_request=False).query == "sdk=js"


@pytest.mark.parametrize("value", ["1", "true"])
def test_a_resumption_is_known_by_its_parameter(value: str) -> None:
    attempt = read([("reconnect", value), ("sid", "PA_1")], needs_join_request=False)
    assert attempt == JoinAttempt(f"reconnect={value}&sid=PA_1", resume=True)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("resume", [True, False])
def test_a_resumption_is_known_by_its_join_request(packed: bool, resume: bool) -> None:
    text = v1(JoinRequest(reconnect=resume, participant_sid="PA_1"), packed=packed)
    attempt = read_v1(text)
    assert attempt.resume is resume
    assert parse_qsl(attempt.query) == [("join_request", text)]


@pytest.mark.parametrize(("name", "sdk"), [("js", ClientInfo.SDK.JS), ("rust", ClientInfo.SDK.RUST)])
def test_a_browser_is_known_by_its_sdk_in_either_form(name: str, sdk: ClientInfo.SDK) -> None:
    plainly = read([("sdk", name)], needs_join_request=False)
    wrapped_up = read_v1(v1(JoinRequest(client_info=ClientInfo(sdk=sdk))))
    assert plainly.livekit_client is wrapped_up.livekit_client is (name == "js")


def test_nobody_describes_themselves_to_the_sfu() -> None:
    text = v1(JoinRequest(metadata="I am", participant_attributes={"room_role": "owner"}, reconnect=True))
    passed_on = dict(parse_qsl(read_v1(text).query))["join_request"]
    message = WrappedJoinRequest.FromString(base64.urlsafe_b64decode(passed_on))
    assert JoinRequest.FromString(message.join_request) == JoinRequest(reconnect=True)


def test_a_join_request_is_unpacked_within_a_limit() -> None:
    bomb = gzip.compress(bytes(MOST_UNPACKED + 1))
    assert len(bomb) < 2000
    with pytest.raises(BadJoinRequest, match="too large"):
        read_v1(wrapped(bomb, GZIP))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="none"),
        pytest.param("abc", id="not base64"),
        pytest.param(wrapped(b"\xff", NONE), id="no join request"),
        pytest.param(wrapped(b"\xff", GZIP), id="not compressed"),
        pytest.param(wrapped(gzip.compress(b"x" * 99)[:-9], GZIP), id="cut off"),
        pytest.param(wrapped(b"", 7), id="compressed in another way"),  # type: ignore[arg-type]
    ],
)
def test_a_join_request_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(BadJoinRequest):
        read_v1(text)


@given(st.text(max_size=500))
def test_no_join_request_is_too_strange(text: str) -> None:
    with suppress(BadJoinRequest):
        read_v1(text)


@given(st.binary(max_size=500), st.sampled_from([GZIP, NONE]))
def test_no_contents_are_too_strange(content: bytes, compression: WrappedJoinRequest.Compression) -> None:
    with suppress(BadJoinRequest):
        read_v1(wrapped(content, compression))
