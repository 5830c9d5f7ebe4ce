from __future__ import annotations

import base64

import jwt
import pytest
from google.protobuf.json_format import MessageToJson
from hypothesis import given, settings
from hypothesis import strategies as st
from livekit.protocol.egress import EgressInfo
from livekit.protocol.models import ParticipantInfo, Room
from livekit.protocol.webhook import WebhookEvent

from bridge.sfu.tokens import ApiKey
from bridge.sfu.webhooks import LEEWAY_MS, Hint, WebhookRefused, peek, room_ahead, verify
from tests.unit.sfu.webhook_parts import JOINED, KEY, NOW, body_of, signed

BODY = body_of(JOINED)


def refusal(body: bytes, authorization: str, now: int = NOW) -> str:
    with pytest.raises(WebhookRefused) as refused:
        verify(body, authorization, KEY, now)
    return refused.value.reason


def test_a_signed_webhook_becomes_a_hint() -> None:
    assert verify(BODY, signed(BODY), KEY, NOW) == Hint(
        kind="participant_joined",
        room_name="passerelle-c1",
        room_sid="RM_1",
        identity="guest-a",
        participant_sid="PA_1",
        event_id="EV_1",
        created_ts=1_700_000_000_000,
    )


def test_the_word_bearer_may_stand_before_the_token() -> None:
    assert verify(BODY, f"Bearer {signed(BODY)}", KEY, NOW).event_id == "EV_1"


def test_what_livekits_own_messages_say_is_read_from_their_json() -> None:
    event = WebhookEvent(
        event="participant_left",
        room=Room(name="r", sid="RM_9"),
        participant=ParticipantInfo(identity="@u:hs:DEV", sid="PA_9"),
        id="EV_9",
        created_at=1_700_000_001,
    )
    assert peek(MessageToJson(event).encode()) == Hint(
        "participant_left", "r", "RM_9", "@u:hs:DEV", "PA_9", "EV_9", 1_700_000_001_000
    )


def test_a_recording_names_its_room_too() -> None:
    event = WebhookEvent(event="egress_started", egress_info=EgressInfo(room_name="r"), id="EV_2")
    hint = peek(MessageToJson(event).encode())
    assert hint is not None
    assert (hint.kind, hint.room_name) == ("egress_started", "r")


@pytest.mark.parametrize("indent", [None, 2])
def test_the_rooms_name_is_found_without_reading_the_rest(indent: int | None) -> None:
    event = WebhookEvent(
        event="participant_joined",
        room=Room(name="0b5a9e0c-1f43-4b52-9d0c-1a2b3c4d5e6f", sid="RM_9", metadata='{"a": 1}'),
        participant=ParticipantInfo(identity="x", attributes={"room": '{"sid":"","name":"y"}'}),
    )
    body = MessageToJson(event, indent=indent).encode()
    assert room_ahead(body) == event.room.name
    assert room_ahead(body[:150]) == event.room.name


NAMES = st.text(max_size=20) | st.sampled_from(['"name":"forged"', '{"sid":"","name":"forged"}', "\\", "é"])


@settings(deadline=None)
@given(name=NAMES, sid=NAMES, other=NAMES, kind=st.sampled_from(["room_started", "egress_updated", "x-y"]))
def test_a_name_found_ahead_is_the_one_that_the_webhook_means(
    name: str, sid: str, other: str, kind: str
) -> None:
    event = WebhookEvent(
        event=kind,
        room=Room(name=name, sid=sid, metadata=other),
        participant=ParticipantInfo(identity=other, name=other, attributes={other: other}),
    )
    for ensure_ascii in (True, False):
        body = MessageToJson(event, ensure_ascii=ensure_ascii).encode()
        meant = peek(body)
        assert meant is not None
        assert room_ahead(body) in {None, meant.room_name}


@settings(deadline=None)
@given(body=st.binary(max_size=200))
def test_nothing_is_found_ahead_in_noise(body: bytes) -> None:
    assert room_ahead(body) is None


def test_an_unknown_kind_with_unknown_fields_is_fine() -> None:
    body = body_of({"event": "room_teleported", "room": {"name": "r", "colour": 3}, "planet": "Mars"})
    assert verify(body, signed(body), KEY, NOW) == Hint("room_teleported", "r")


def test_no_header_is_no_proof() -> None:
    assert refusal(BODY, "") == "missing"
    assert refusal(BODY, "Bearer ") == "missing"


def test_a_wrong_secret_is_no_proof() -> None:
    other = ApiKey(KEY.id, "another-secret-of-thirty-two-characters")
    assert refusal(BODY, signed(BODY, other)) == "signature"


def test_another_key_is_no_proof_even_with_our_secret() -> None:
    assert refusal(BODY, signed(BODY, iss="other")) == "key"
    assert refusal(BODY, signed(BODY, iss=None)) == "malformed"


def test_a_token_without_a_signature_is_no_proof() -> None:
    unsigned = jwt.encode({"iss": "key", "exp": NOW // 1000 + 300}, "", algorithm="none")
    assert refusal(BODY, unsigned) == "malformed"


def test_another_body_is_not_what_was_signed() -> None:
    assert refusal(BODY.replace(b"joined", b"left"), signed(BODY)) == "hash"
    assert refusal(BODY + b" ", signed(BODY)) == "hash"


@pytest.mark.parametrize("sha256", [None, "", 7, "é", "\ud800", base64.b64encode(b"x" * 32).decode()])
def test_a_token_without_the_bodys_hash_is_no_proof(sha256: object) -> None:
    assert refusal(BODY, signed(BODY, sha256=sha256)) == "hash"


def test_an_old_token_is_expired_after_the_leeway() -> None:
    token = signed(BODY)
    last = NOW + 300_000 + LEEWAY_MS
    assert verify(BODY, token, KEY, last).event_id == "EV_1"
    assert refusal(BODY, token, last + 1) == "expired"


def test_a_token_of_the_future_is_refused_beyond_the_leeway() -> None:
    token = signed(BODY)
    assert verify(BODY, token, KEY, NOW - LEEWAY_MS).event_id == "EV_1"
    assert refusal(BODY, token, NOW - LEEWAY_MS - 1) == "expired"


@pytest.mark.parametrize(("claim", "value"), [("exp", None), ("exp", "soon"), ("nbf", "never")])
def test_a_token_that_never_expires_is_refused(claim: str, value: object) -> None:
    assert refusal(BODY, signed(BODY, KEY, NOW, **{claim: value})) in {"malformed", "expired"}


def test_a_header_of_broken_bytes_is_malformed() -> None:
    assert refusal(BODY, "Bearer \udcff\udcfe") == "malformed"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"null", b'{"event": 3}', b"\xff\xfe", b"{" * 5000])
def test_a_body_that_is_no_webhook_is_refused_even_when_signed(body: bytes) -> None:
    assert peek(body) is None
    assert refusal(body, signed(body)) == "body"


@pytest.mark.parametrize(
    "event",
    [
        {"event": "x", "room": "r", "participant": [], "id": 3, "createdAt": {}},
        {"event": "x", "room": {"name": 1, "sid": None}, "createdAt": "-5"},
        {"event": "x", "createdAt": "9" * 400},
        {"event": "x", "createdAt": True, "egressInfo": 1, "ingressInfo": {"roomName": []}},
    ],
)
def test_fields_of_a_wrong_type_count_as_missing(event: object) -> None:
    hint = peek(body_of(event))
    assert hint is not None
    assert (hint.kind, hint.room_name, hint.identity, hint.event_id) == ("x", "", "", "")
    assert hint.created_ts in {0, 1000}


@settings(deadline=None)
@given(body=st.binary(max_size=200), token=st.text(max_size=200))
def test_noise_is_refused_and_raises_nothing_else(body: bytes, token: str) -> None:
    with pytest.raises(WebhookRefused):
        verify(body, token, KEY, NOW)
