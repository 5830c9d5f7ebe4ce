"""What hostile clients send over the signalling, and in the bodies of the authorization service."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol.rtc import SignalRequest, SubscriptionPermission, TrackPermission

from bridge.rtc.frames import Translator
from bridge.rtc.refusals import Refusal
from bridge.rtc.requests import Ask, delegate_delayed_leave, get_token, sfu_get
from bridge.rtc.roster import Roster
from tests.unit.rtc.house import Table

MARIE, GHOST = "5f0c9b3e-marie", "@visio_abc:example.org:VISIO"
_UNKNOWN = b"\xc2\x3e\x03new"
"""Field 1000, which no version knows yet."""

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_PERMISSIONS = st.builds(
    TrackPermission,
    participant_identity=st.sampled_from([MARIE, GHOST]) | _TEXTS,
    participant_sid=_TEXTS,
    all_tracks=st.booleans(),
)
_REQUESTS = st.builds(
    lambda permissions, everybody: SignalRequest(
        subscription_permission=SubscriptionPermission(
            track_permissions=permissions, all_participants=everybody
        )
    ),
    st.lists(_PERMISSIONS, max_size=5),
    st.booleans(),
)


def translator() -> Translator:
    return Translator(Roster(Table({MARIE: GHOST})))


@given(_REQUESTS, st.booleans())
def test_of_what_a_client_says_the_sfu_reads_the_same_but_for_identities(
    message: SignalRequest, unknown: bool
) -> None:
    frame = message.SerializeToString() + (_UNKNOWN if unknown else b"")
    out = translator().up(frame)
    for permission in message.subscription_permission.track_permissions:
        if permission.participant_identity == GHOST:
            permission.participant_identity = MARIE
    expected = message.SerializeToString() + (_UNKNOWN if unknown else b"")
    assert SignalRequest.FromString(out) == SignalRequest.FromString(expected)
    assert out.endswith(_UNKNOWN) is unknown


@given(_REQUESTS.map(SignalRequest.SerializeToString), st.data())
def test_a_request_that_is_cut_off_comes_out_as_it_came_in(frame: bytes, data: st.DataObject) -> None:
    cut = frame[: data.draw(st.integers(0, len(frame)))]
    out = translator().up(cut)
    try:
        SignalRequest.FromString(cut)
    except DecodeError:
        assert out is cut


@given(_REQUESTS.map(SignalRequest.SerializeToString).filter(bool), st.data())
def test_a_request_with_a_wrong_byte_is_read_or_comes_out_as_it_came_in(
    frame: bytes, data: st.DataObject
) -> None:
    spoilt = bytearray(frame)
    spoilt[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    out = translator().up(bytes(spoilt))
    try:
        SignalRequest.FromString(bytes(spoilt))
    except DecodeError:
        assert out == bytes(spoilt)


@pytest.mark.parametrize("read", [sfu_get, get_token, delegate_delayed_leave])
@given(
    st.binary(max_size=300)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | _TEXTS, lambda inner: st.lists(inner, max_size=3)
    )
    .map(json.dumps)
    .map(str.encode)
)
def test_a_body_that_is_no_request_is_refused_as_such(read: Callable[[bytes], Ask], body: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        read(body)
    assert caught.value.status == 400
    # An empty object is JSON, and lacks everything.
    assert caught.value.errcode in ("M_NOT_JSON", "M_BAD_JSON")
