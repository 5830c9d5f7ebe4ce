from __future__ import annotations

import base64
import json
from datetime import timedelta

import jwt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from livekit.api import TokenVerifier

from bridge.sfu.tokens import ADMIN_TTL_MS, ApiKey, JoinPass, admin_token, join_token

KEY = ApiKey("key", "a-secret-of-at-least-thirty-two-characters")
NOW = 4_000_000_000_000


def claims(token: str) -> dict[str, object]:
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))  # type: ignore[no-any-return]


def join(**fields: object) -> JoinPass:
    return JoinPass(**{"room": "r", "identity": "guest-a", "name": "Ada", "ttl_ms": 600_000, **fields})  # type: ignore[arg-type]


def test_a_join_token_says_who_where_and_how_long() -> None:
    assert claims(join_token(KEY, join(), NOW)) == {
        "iss": "key",
        "sub": "guest-a",
        "name": "Ada",
        "nbf": NOW // 1000,
        "exp": NOW // 1000 + 600,
        "video": {
            "roomJoin": True,
            "room": "r",
            "canPublish": True,
            "canSubscribe": True,
            "canPublishData": True,
            "canUpdateOwnMetadata": False,
        },
    }


def test_livekits_own_reader_understands_a_join_token() -> None:
    read = TokenVerifier(KEY.id, KEY.secret, leeway=timedelta(days=40_000)).verify(
        join_token(KEY, join(attributes={"a": "b"}, hidden=True, can_publish=False), NOW)
    )
    assert (read.identity, read.name, read.attributes) == ("guest-a", "Ada", {"a": "b"})
    assert read.video is not None
    assert (read.video.room, read.video.room_join, read.video.hidden) == ("r", True, True)
    assert read.video.can_publish is False


@pytest.mark.parametrize("rights", [{}, {"hidden": True}, {"can_publish": False, "can_publish_data": False}])
def test_nobody_gets_room_admin_or_their_own_metadata(rights: dict[str, object]) -> None:
    video = claims(join_token(KEY, join(**rights), NOW))["video"]
    assert isinstance(video, dict)
    assert not {"roomAdmin", "roomCreate", "roomList", "roomRecord"} & video.keys()
    assert video["canUpdateOwnMetadata"] is False


def test_a_token_is_ascii_whatever_the_name() -> None:
    payload = base64.urlsafe_b64decode(join_token(KEY, join(name="Zoé \u202e"), NOW).split(".")[1] + "==")
    assert payload.isascii()
    assert json.loads(payload)["name"] == "Zoé \u202e"


@pytest.mark.parametrize("missing", [{"room": ""}, {"identity": ""}])
def test_a_token_for_any_room_or_nobody_is_not_signed(missing: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="needs a room and an identity"):
        join_token(KEY, join(**missing), NOW)


def test_a_part_of_a_second_is_given_not_taken() -> None:
    assert claims(join_token(KEY, join(ttl_ms=1), NOW))["exp"] == NOW // 1000 + 1


def test_an_admin_token_is_short_lived_and_has_the_grants_asked_for() -> None:
    token = admin_token(KEY, {"roomAdmin": True, "room": "r"}, NOW)
    assert claims(token)["video"] == {"roomAdmin": True, "room": "r"}
    assert claims(token)["exp"] == (NOW + ADMIN_TTL_MS) // 1000


def test_another_secret_does_not_verify() -> None:
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(join_token(KEY, join(), NOW), "another-secret-of-thirty-two-characters", ["HS256"])


def test_a_key_does_not_show_its_secret() -> None:
    assert "secret" not in repr(KEY)


@given(st.text(max_size=40))
@example("Ada?")
@example("a>b~c?d>e~f?\x7f")
def test_a_plain_atob_reads_the_claims_whatever_the_name(name: str) -> None:
    token = join_token(KEY, join(name=name or "Ada", attributes={"a": name}), NOW)
    payload = token.split(".")[1]
    assert not set("-_") & set(payload)
    read = claims(token)
    assert (read["name"], read["attributes"]) == (name or "Ada", {"a": name})
