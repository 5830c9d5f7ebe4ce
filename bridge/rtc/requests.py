"""What clients ask the authorization service, read strictly. Pure.

Two forms: ``/sfu/get`` of Element Call's early days, which it still uses for its own homeserver, and
``/get_token`` (MSC4195). Like lk-jwt-service this refuses a body with fields that it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from bridge.rtc.identities import ROOM_SLOT
from bridge.rtc.refusals import Refusal, bad_json, not_json

MAX_BODY = 64 * 1024
"""Longest body in bytes; the real ones have a hundredth of it."""

_MAX_ID = 255
"""Longest room id, user id or device id, in bytes (Matrix appendices, "Identifier Grammar")."""

_MAX_SERVER_NAME = 255
_TOKEN: Mapping[str, type] = {
    "access_token": str,
    "token_type": str,
    "matrix_server_name": str,
    "expires_in": int,
}
_MEMBER: Mapping[str, type] = {"id": str, "claimed_user_id": str, "claimed_device_id": str}
_DELAY: Mapping[str, type] = {"delay_id": str, "delay_timeout": int, "delay_cs_api_url": str}
_SFU_GET: Mapping[str, type] = {"room": str, "openid_token": dict, "device_id": str, **_DELAY}
_GET_TOKEN: Mapping[str, type] = {
    "room_id": str,
    "slot_id": str,
    "openid_token": dict,
    "member": dict,
    **_DELAY,
}


@dataclass(frozen=True, slots=True)
class Delay:
    """A delayed leave event that the client hands over (MSC4140).

    Attributes:
        delay_id: The homeserver's name for it.
        timeout_ms: After how long it is sent unless somebody restarts it.
    """

    delay_id: str
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for a token.

    Attributes:
        room_id: Matrix room.
        slot_id: Which of its calls.
        openid_token: What the asker's homeserver gave them to prove who they are.
        server_name: That homeserver.
        device_id: The device that their membership names.
        member_id: Id of their membership if that is a sticky event, else None.
        claimed_user_id: Who they say they are, where the form has it.
        delay: What they hand over, if anything.
    """

    room_id: str
    slot_id: str
    openid_token: str = field(repr=False)
    server_name: str
    device_id: str
    member_id: str | None = None
    claimed_user_id: str | None = None
    delay: Delay | None = None


def sfu_get(body: bytes) -> Ask:
    """Read the body of ``/sfu/get``.

    Raises:
        Refusal: it cannot be read or lacks something.
    """
    found = _object(body, _SFU_GET)
    room_id = found.get("room", "")
    if not room_id:
        raise bad_json("Missing room parameter")
    token, server = _openid(found, "Missing OpenID token parameters")
    return Ask(
        room_id=_identifier(room_id, "room"),
        slot_id=ROOM_SLOT,
        openid_token=token,
        server_name=server,
        device_id=_device(found.get("device_id", "")),
        delay=_delay(found),
    )


def get_token(body: bytes) -> Ask:
    """Read the body of ``/get_token``.

    Raises:
        Refusal: it cannot be read or lacks something.
    """
    return _member_request(_object(body, _GET_TOKEN))


def delegate_delayed_leave(body: bytes) -> Ask:
    """Read the body of ``/delegate_delayed_leave``; its ``delay`` is there.

    Raises:
        Refusal: it cannot be read or lacks something.
    """
    ask = _member_request(_object(body, _GET_TOKEN))
    if ask.delay is None:
        raise _lacks_delay()
    return ask


def _member_request(found: Mapping[str, Any]) -> Ask:
    room_id, slot_id = found.get("room_id", ""), found.get("slot_id", "")
    if not room_id or not slot_id:
        raise bad_json("The request body is missing `room_id` or `slot_id`")
    member = _known(found.get("member", {}), _MEMBER)
    member_id, user_id = member.get("id", ""), member.get("claimed_user_id", "")
    device_id = member.get("claimed_device_id", "")
    if not member_id or not user_id or not device_id:
        raise bad_json(
            "The request body `member` is missing a `id`, `claimed_user_id` or `claimed_device_id`"
        )
    token, server = _openid(
        found, "The request body `openid_token` is missing a `access_token` or `matrix_server_name`"
    )
    return Ask(
        room_id=_identifier(room_id, "room_id"),
        slot_id=_identifier(slot_id, "slot_id"),
        openid_token=token,
        server_name=server,
        device_id=_device(device_id),
        member_id=_identifier(member_id, "member.id"),
        claimed_user_id=_identifier(user_id, "member.claimed_user_id"),
        delay=_delay(found),
    )


def _object(body: bytes, fields: Mapping[str, type]) -> Mapping[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise not_json() from None
    return _known(found, fields)


def _known(found: object, fields: Mapping[str, type]) -> Mapping[str, Any]:
    """An object that has none but these fields, of these types; null counts as left out."""
    if not isinstance(found, dict):
        raise not_json()
    for key, value in found.items():
        if key not in fields or not (value is None or type(value) is fields[key]):
            raise not_json()
    return {key: value for key, value in found.items() if value is not None}


def _openid(found: Mapping[str, Any], lacking: str) -> tuple[str, str]:
    token = _known(found.get("openid_token", {}), _TOKEN)
    secret, server = token.get("access_token", ""), token.get("matrix_server_name", "")
    if not secret or not server:
        raise bad_json(lacking)
    if len(server) > _MAX_SERVER_NAME:
        raise bad_json("`matrix_server_name` is no server name")
    return secret, server


def _delay(found: Mapping[str, Any]) -> Delay | None:
    delay_id, timeout_ms = found.get("delay_id", ""), found.get("delay_timeout", 0)
    if not delay_id and timeout_ms <= 0:
        return None
    if not delay_id or timeout_ms <= 0:
        raise _lacks_delay()
    return Delay(_identifier(delay_id, "delay_id"), timeout_ms)


def _lacks_delay() -> Refusal:
    return bad_json("The request body is missing `delay_id`, `delay_timeout` or `delay_cs_api_url`")


def _identifier(value: str, name: str) -> str:
    if len(value.encode()) > _MAX_ID or not value.isprintable():
        raise bad_json(f"`{name}` is no identifier")
    return value


def _device(value: str) -> str:
    """A device id without a colon: the last colon of an SFU identity divides user and device."""
    if not value or ":" in value:
        raise bad_json("Missing or unusable device id")
    return _identifier(value, "device_id")
