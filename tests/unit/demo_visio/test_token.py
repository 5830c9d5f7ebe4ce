"""Tokens of the external API, as Meet answers."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from bridge.demo.visio.stand_in import SERVICE_EMAIL
from bridge.demo.visio.world import Application
from tests.unit.demo_visio.caller import ROOMS, TOKEN, Caller


async def test_a_token_acts_for_the_user_of_an_email_address(caller: Caller) -> None:
    got = await caller.ask("POST", TOKEN, json=caller.request(scope=SERVICE_EMAIL.upper()))
    assert got.status == 200
    assert set(got.body) == {"access_token", "token_type", "expires_in", "scope"}
    assert (got.body["token_type"], got.body["expires_in"]) == ("Bearer", 3600)
    assert got.body["scope"] == "rooms:create rooms:list rooms:retrieve"
    claims = jwt.decode(got.body["access_token"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 3600
    assert claims | {"iat": 0, "exp": 0} == {
        "client_id": caller.visio.application.client_id,
        "delegated": True,
        "iat": 0,
        "exp": 0,
        "user_id": caller.visio.service.id,
        "iss": "lasuite-meet",
        "scope": got.body["scope"],
    }


async def test_the_newest_version_takes_a_form_too_and_the_released_one_does_not(caller: Caller) -> None:
    assert (await caller.ask("POST", TOKEN, data=caller.request())).status == 200
    caller.visio.switches.token_takes_forms = False
    got = await caller.ask("POST", TOKEN, data=caller.request())
    said = 'Unsupported media type "application/x-www-form-urlencoded" in request.'
    assert (got.status, got.body) == (415, {"detail": said})
    got = await caller.ask("POST", TOKEN, data=b"x", kind="text/plain")
    assert got.status == 415


@pytest.mark.parametrize(
    ("over", "status", "body"),
    [
        ({"scope": "not-an-address"}, 400, {"error": "Scope should be a valid email address."}),
        ({"client_secret": "wrong"}, 401, {"detail": "Invalid credentials"}),
        ({"client_id": "wrong"}, 401, {"detail": "Invalid credentials"}),
        ({"scope": "nobody@stand-in.example"}, 404, {"detail": "User not found."}),
        ({"grant_type": "password"}, 400, {"grant_type": ['"password" is not a valid choice.']}),
        ({"scope": ""}, 400, {"scope": ["This field may not be blank."]}),
    ],
)
async def test_what_is_wrong_with_a_token_request_is_said_in_meets_words(
    caller: Caller, over: dict[str, Any], status: int, body: dict[str, Any]
) -> None:
    got = await caller.ask("POST", TOKEN, json=caller.request(**over))
    assert (got.status, got.body) == (status, body)


async def test_a_request_without_its_fields_gets_each_of_them_named(caller: Caller) -> None:
    got = await caller.ask("POST", TOKEN, json={})
    assert got.status == 400
    assert set(got.body) == {"client_id", "client_secret", "grant_type", "scope"}
    got = await caller.ask("POST", TOKEN, data=b"{", kind="application/json")
    assert got.status == 400
    assert got.body["detail"].startswith("JSON parse error - ")


async def test_an_application_acts_only_in_its_domains(caller: Caller) -> None:
    caller.visio.application.domains = ("Ministry.example",)
    got = await caller.ask("POST", TOKEN, json=caller.request())
    said = "This application is not authorized for this email domain."
    assert (got.status, got.body) == (403, {"error": said})
    caller.visio.world.add_user("ada@ministry.example")
    assert await caller.token("ada@ministry.example")


async def test_an_application_that_was_switched_off_gets_no_tokens_and_its_old_ones_are_refused(
    caller: Caller,
) -> None:
    token = await caller.token()
    caller.visio.application.is_active = False
    got = await caller.ask("POST", TOKEN, json=caller.request())
    assert (got.status, got.body) == (401, {"detail": "Application is inactive"})
    got = await caller.ask("GET", ROOMS, token)
    assert (got.status, got.body) == (401, {"detail": "Application is disabled."})
    assert got.headers["WWW-Authenticate"] == "Bearer"
    caller.visio.world.applications[:] = [Application()]
    got = await caller.ask("GET", ROOMS, token)
    assert (got.status, got.body) == (401, {"detail": "Application not found."})


async def test_without_the_application_switch_there_is_no_token_and_tokens_are_not_understood(
    caller: Caller,
) -> None:
    token = await caller.token()
    caller.visio.switches.application_enabled = False
    got = await caller.ask("POST", TOKEN, json=caller.request())
    assert (got.status, got.body) == (404, {"detail": "Not found."})
    got = await caller.ask("GET", ROOMS, token)
    assert (got.status, got.body) == (401, {"detail": "Resource Server is improperly configured"})


async def test_without_the_external_api_there_is_a_page_that_says_not_found(caller: Caller) -> None:
    caller.visio.switches.external_api_enabled = False
    got = await caller.ask("POST", TOKEN, json=caller.request())
    assert got.status == 404
    assert "<h1>Not Found</h1>" in got.body


async def test_an_unknown_user_becomes_a_provisional_one_where_that_is_allowed(caller: Caller) -> None:
    caller.visio.switches.application_allow_user_creation = True
    assert await caller.token("new@stand-in.example")
    user = caller.visio.world.user_by_email("new@stand-in.example")
    assert user is not None
    assert user.sub is None


async def test_tokens_expire(caller: Caller) -> None:
    token = await caller.token()
    caller.visio.switches.clock_skew_seconds = 3601
    got = await caller.ask("GET", ROOMS, token)
    assert (got.status, got.body) == (401, {"detail": "Token expired."})
    fresh = await caller.token()
    assert (await caller.ask("GET", ROOMS, fresh)).status == 200
    caller.visio.tokens.expire_all()
    got = await caller.ask("GET", ROOMS, fresh)
    assert (got.status, got.body) == (401, {"detail": "Token expired."})
    assert (await caller.ask("GET", ROOMS, await caller.token())).status == 200


async def test_tokens_that_cannot_be_read_are_taken_for_those_of_a_resource_server(caller: Caller) -> None:
    got = await caller.ask("GET", ROOMS, "garbage")
    assert (got.status, got.body) == (401, {"detail": "Resource Server is improperly configured"})
    token = await caller.token()
    caller.visio.switches.application_jwt_secret_key = "another-key-of-at-least-32-characters"
    got = await caller.ask("GET", ROOMS, token)
    assert (got.status, got.body) == (401, {"detail": "Resource Server is improperly configured"})


async def test_without_a_token_none_was_provided(caller: Caller) -> None:
    got = await caller.ask("GET", ROOMS)
    said = "Authentication credentials were not provided."
    assert (got.status, got.body) == (401, {"detail": said})
