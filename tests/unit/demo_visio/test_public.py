"""What Visio's page gets to see, as Meet answers."""

from __future__ import annotations

import re
import uuid
from typing import Any

import jwt
import pytest

from bridge.demo.visio.tickets import KeptOut
from bridge.demo.visio.world import Role
from tests.unit.demo_visio.caller import Caller

ROOMS = "/api/v1.0/rooms/"

COLOUR = re.compile(
    r"^hsl\(([0-9]|[1-9][0-9]|[1-2][0-9][0-9]|3[0-5][0-9]|360),\s*([5-7][0-9]|50|75)%,\s*([2-5][0-9]|60)%\)$"
)
"""What Visio's page accepts (``getParticipantColor.ts``)."""


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


async def test_anybody_gets_a_token_for_a_public_meeting(caller: Caller) -> None:
    room = caller.visio.world.add_room(access_level="public")
    for key in (room.slug, room.slug.upper(), room.id, room.id.replace("-", "")):
        got = await caller.ask("GET", f"{ROOMS}{key}/?username=Jean")
        assert got.status == 200
        way_in = got.body.pop("livekit")
        assert got.body == {
            "id": room.id,
            "name": room.slug,
            "slug": room.slug,
            "configuration": {},
            "access_level": "public",
            "pin_code": None,
        }
        assert (way_in["url"], way_in["room"]) == (caller.visio.sfu.url, room.id)
    claims = claims_of(way_in["token"])
    assert COLOUR.match(claims["attributes"].pop("color"))
    assert claims["exp"] - claims["nbf"] == 6 * 3600
    assert claims | {"nbf": 0, "exp": 0} == {
        "iss": caller.visio.sfu.key,
        "sub": str(uuid.UUID(claims["sub"])),
        "nbf": 0,
        "exp": 0,
        "name": "Jean",
        "video": {
            "room": room.id,
            "roomJoin": True,
            "roomAdmin": False,
            "canPublish": True,
            "canSubscribe": True,
            "canPublishData": True,
            "canPublishSources": ["camera", "microphone", "screen_share", "screen_share_audio"],
            "canUpdateOwnMetadata": False,
        },
        "attributes": {"room_role": None, "is_authenticated": "false"},
    }


@pytest.mark.parametrize("access", ["trusted", "restricted"])
async def test_a_meeting_with_a_lobby_shows_itself_but_gives_no_token(caller: Caller, access: str) -> None:
    caller.visio.switches.room_telephony_enabled = True
    room = caller.visio.world.add_room(access_level=access, telephony=True)
    got = await caller.ask("GET", f"{ROOMS}{room.slug}/")
    assert set(got.body) == {"id", "name", "slug", "configuration", "access_level"}
    with pytest.raises(KeptOut):
        await caller.visio.ticket(room, "Jean")


async def test_who_is_logged_in_enters_a_trusted_meeting_and_its_owner_a_restricted_one(
    caller: Caller,
) -> None:
    visio = caller.visio
    ada = visio.world.add_user("ada@stand-in.example", "Ada Lovelace")
    trusted = visio.world.add_room(access_level="trusted")
    claims = (await visio.ticket(trusted, user=ada)).claims
    assert (claims["sub"], claims["name"]) == (ada.sub, "Ada Lovelace")
    assert claims["attributes"]["is_authenticated"] == "true"
    assert claims["video"]["roomAdmin"] is False
    restricted = visio.world.add_room(access_level="restricted")
    with pytest.raises(KeptOut):
        await visio.ticket(restricted, user=ada)
    restricted.roles[ada.id] = Role.OWNER
    claims = (await visio.ticket(restricted, "A. L.", user=ada)).claims
    assert (claims["name"], claims["attributes"]["room_role"]) == ("A. L.", "owner")
    assert claims["video"]["roomAdmin"] is True


async def test_the_identity_of_a_provisional_user_is_none(caller: Caller) -> None:
    user = caller.visio.world.add_user("new@stand-in.example", provisional=True)
    room = caller.visio.world.add_room(access_level="trusted")
    assert (await caller.visio.ticket(room, user=user)).identity == "None"


async def test_a_slug_that_nobody_registered_is_found_only_where_that_is_allowed(caller: Caller) -> None:
    got = await caller.ask("GET", f"{ROOMS}Abc-defg-hij/")
    assert (got.status, got.body) == (404, {"detail": "No Room matches the given query."})
    caller.visio.switches.allow_unregistered_rooms = True
    got = await caller.ask("GET", f"{ROOMS}Abc-defg-hij/")
    way_in = got.body.pop("livekit")
    assert got.body == {
        "id": None,
        "slug": "abc-defg-hij",
        "is_administrable": False,
        "access_level": "public",
    }
    assert way_in["room"] == claims_of(way_in["token"])["video"]["room"] == "abc-defg-hij"


async def test_an_organiser_lets_people_in_from_the_lobby(caller: Caller) -> None:
    visio = caller.visio
    room = visio.world.add_room(access_level="restricted")
    entry = f"{ROOMS}{room.slug}/request-entry/"
    got = await caller.ask("POST", entry, json={"username": "Jean"})
    assert (got.body["status"], got.body["livekit"]) == ("waiting", None)
    cookie = {"Cookie": f"lobbyParticipantId={got.body['id']}"}
    caller.session.headers.update(cookie)
    assert visio.admit(room) == ["Jean"]
    assert visio.admit(room) == []
    again = await caller.ask("POST", entry, json={"username": "Jean"})
    assert again.body["status"] == "accepted"
    assert claims_of(again.body["livekit"]["token"])["sub"] == got.body["id"]


async def test_the_configuration_tells_the_number_to_dial(caller: Caller) -> None:
    assert (await caller.ask("GET", "/api/v1.0/config/")).body["telephony"] == {"enabled": False}
    caller.visio.switches.room_telephony_enabled = True
    assert (await caller.ask("GET", "/api/v1.0/config/")).body["telephony"] == {
        "enabled": True,
        "default_country": "FR",
        "international_phone_number": "+33170001234",
    }


async def test_a_meetings_link_leads_to_a_page(caller: Caller) -> None:
    room = caller.visio.world.add_room()
    got = await caller.ask("GET", f"/{room.slug}")
    assert (got.status, "<form" in got.body) == (200, True)
    user = caller.visio.world.add_user("ada@stand-in.example")
    got = await caller.ask("GET", f"/{room.slug}?account={user.email}")
    assert "meet_sessionid=" in got.headers["Set-Cookie"]


async def test_an_application_token_opens_nothing_here(caller: Caller) -> None:
    room = caller.visio.world.add_room(owner=caller.visio.service, access_level="restricted")
    got = await caller.ask("GET", f"{ROOMS}{room.id}/", await caller.token())
    assert "livekit" not in got.body
