from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol.rtc import JoinResponse, Ping, SignalRequest, SignalResponse

from bridge.rtc.wire import Malformed, outer_fields


def test_the_outermost_field_says_which_kind_a_frame_is() -> None:
    assert outer_fields(SignalResponse(join=JoinResponse(server_version="1.13")).SerializeToString()) == {1}
    assert outer_fields(SignalRequest(ping=-1).SerializeToString()) == {14}
    assert outer_fields(SignalRequest(ping_req=Ping(timestamp=1)).SerializeToString()) == {16}


def test_every_kind_of_field_is_walked_over() -> None:
    varint, fixed64, text, fixed32 = b"\x08\x96\x01", b"\x11" + bytes(8), b"\x1a\x01x", b"\x25" + bytes(4)
    assert outer_fields(varint + fixed64 + text + fixed32) == {1, 2, 3, 4}


def test_nothing_has_no_fields() -> None:
    assert outer_fields(b"") == frozenset()


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(b"\x0a", id="no length"),
        pytest.param(b"\x0a\x05abc", id="shorter than it says"),
        pytest.param(b"\x08\x80", id="a number without an end"),
        pytest.param(b"\x11\x00", id="half a number"),
        pytest.param(b"\x02\x00", id="field zero"),
        pytest.param(b"\x0b\x0c", id="a group"),
        pytest.param(b"\x0a" + b"\xff" * 10 + b"\x01", id="a length of eleven bytes"),
        pytest.param(b"\x08\x00" * 65, id="more fields than any message has"),
    ],
)
def test_what_is_no_message_is_called_so(frame: bytes) -> None:
    with pytest.raises(Malformed):
        outer_fields(frame)


@given(st.binary(max_size=2000))
def test_no_bytes_are_too_strange(frame: bytes) -> None:
    with suppress(Malformed):
        assert all(number > 0 for number in outer_fields(frame))
