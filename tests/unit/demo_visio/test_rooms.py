"""Meetings in the external API, as Meet answers."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest

from tests.unit.demo_visio.caller import ROOMS, TOKEN, Caller


async def test_a_meeting_has_a_random_slug_and_belongs_to_the_user(caller: Caller) -> None:
    token = await caller.token()
    got = await caller.ask("POST", ROOMS, token, json={"name": "Ignored", "access_level": "public"})
    assert got.status == 201
    room = got.body
    assert re.fullmatch(r"[a-z]{3}-[a-z]{4}-[a-z]{3}", room["slug"])
    assert room == {
        "id": str(uuid.UUID(room["id"])),
        "name": room["slug"],
        "slug": room["slug"],
        "access_level": "public",
        "configuration": {},
        "url": f"{caller.visio.url}/{room['slug']}",
    }
    assert (await caller.ask("GET", f"{ROOMS}{room['id']}/", token)).body == room
    assert (await caller.ask("GET", ROOMS, token)).body["results"] == [room]


async def test_nothing_has_to_be_asked_for(caller: Caller) -> None:
    got = await caller.ask("POST", ROOMS, await caller.token())
    assert (got.status, got.body["access_level"]) == (201, "trusted")


async def test_where_people_can_dial_in_a_meeting_has_a_number_and_a_pin(caller: Caller) -> None:
    caller.visio.switches.room_telephony_enabled = True
    got = await caller.ask("POST", ROOMS, await caller.token())
    telephony = got.body["telephony"]
    assert re.fullmatch(r"\d{10}", telephony.pop("pin_code"))
    assert telephony == {"enabled": True, "phone_number": "+33170001234", "default_country": "FR"}


async def test_without_a_base_address_meetings_have_no_link(caller: Caller) -> None:
    caller.visio.switches.application_base_url = ""
    assert "url" not in (await caller.ask("POST", ROOMS, await caller.token())).body


@pytest.mark.parametrize(
    ("body", "key", "said"),
    [
        ({"access_level": "open"}, "access_level", '"open" is not a valid choice.'),
        ({"configuration": {"lobby": True}}, "configuration", "Extra inputs are not permitted"),
        ({"configuration": {"everyone_can_mute": "often"}}, "configuration", "valid boolean"),
        ([], "non_field_errors", "Expected a dictionary, but got list."),
    ],
)
async def test_what_a_meeting_cannot_be_is_said(caller: Caller, body: Any, key: str, said: str) -> None:
    got = await caller.ask("POST", ROOMS, await caller.token(), json=body)
    assert got.status == 400
    assert set(got.body) == {key}
    assert said in str(got.body[key][0])


async def test_public_meetings_may_be_switched_off(caller: Caller) -> None:
    token = await caller.token()
    caller.visio.switches.external_api_allow_public_access = False
    got = await caller.ask("POST", ROOMS, token, json={"access_level": "public"})
    said = "Public rooms are disabled for the external API."
    assert (got.status, got.body) == (400, {"access_level": [said]})
    caller.visio.switches.external_api_default_access_level = "public"
    assert (await caller.ask("POST", ROOMS, token)).body["access_level"] == "public"


async def test_a_list_has_twenty_a_page_whatever_is_asked(caller: Caller) -> None:
    for _ in range(21):
        caller.visio.world.add_room(owner=caller.visio.service)
    token = await caller.token()
    first = (await caller.ask("GET", f"{ROOMS}?page_size=100", token)).body
    assert (first["count"], len(first["results"]), first["previous"]) == (21, 20, None)
    assert first["next"] == f"{caller.visio.url}{ROOMS}?page_size=100&page=2"
    second = (await caller.ask("GET", f"{ROOMS}?page=2", token)).body
    assert (len(second["results"]), second["next"]) == (1, None)
    assert second["previous"] == caller.visio.url + ROOMS
    got = await caller.ask("GET", f"{ROOMS}?page=3", token)
    assert (got.status, got.body) == (404, {"detail": "Invalid page."})


async def test_a_slug_is_not_found_and_other_peoples_meetings_are_forbidden(caller: Caller) -> None:
    other = caller.visio.world.add_user("ada@stand-in.example")
    room = caller.visio.world.add_room(owner=other)
    token = await caller.token()
    got = await caller.ask("GET", f"{ROOMS}{room.slug}/", token)
    assert (got.status, got.body) == (404, {"detail": "Not found."})
    got = await caller.ask("GET", f"{ROOMS}{room.id}/", token)
    said = "You do not have permission to perform this action."
    assert (got.status, got.body) == (403, {"detail": said})
    got = await caller.ask("GET", f"{ROOMS}{uuid.uuid4()}/", token)
    assert (got.status, got.body) == (404, {"detail": "No Room matches the given query."})
    assert (await caller.ask("GET", ROOMS, token)).body["count"] == 0


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_meeting_can_be_neither_changed_nor_deleted(caller: Caller, method: str) -> None:
    room = caller.visio.world.add_room(owner=caller.visio.service)
    got = await caller.ask(method, f"{ROOMS}{room.id}/", await caller.token(), json={})
    assert (got.status, got.body) == (405, {"detail": f'Method "{method}" not allowed.'})


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", ROOMS, "rooms:list"),
        ("POST", ROOMS, "rooms:create"),
        ("GET", f"{ROOMS}68deb543-86b1-4abf-a7c2-5c6a841d15e1/", "rooms:retrieve"),
    ],
)
async def test_each_request_needs_its_scope(caller: Caller, method: str, path: str, scope: str) -> None:
    caller.visio.application.scopes = ("rooms:update",)
    got = await caller.ask(method, path, await caller.token())
    said = f"Insufficient permissions. Required scope: {scope}"
    assert (got.status, got.body) == (403, {"detail": said})
    caller.visio.application.scopes = ()
    got = await caller.ask(method, path, await caller.token())
    assert (got.status, got.body) == (403, {"detail": "Insufficient permissions."})


@pytest.mark.parametrize("path", [ROOMS, TOKEN, "/api/v1.0/rooms/abc-defg-hij/"])
async def test_without_its_last_slash_an_address_is_moved(caller: Caller, path: str) -> None:
    got = await caller.ask("GET", f"{path.rstrip('/')}?username=x")
    assert (got.status, got.headers["Location"]) == (301, f"{path}?username=x")
