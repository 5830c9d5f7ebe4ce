from __future__ import annotations

from typing import Any, cast

import jwt
import pytest

from appservice.federation.errors import AddressRefused, ServerTooSlow, WrongServer
from bridge.rtc.authorization import Authorization, Granted
from bridge.rtc.delegation import Delegation
from bridge.rtc.identities import alias, hashed_identity, listening_identity
from bridge.rtc.refusals import Refusal
from bridge.rtc.requests import Ask, Delay
from bridge.rtc.restraint import Restraint
from tests.unit.rtc_service.parts import ADDRESSES, ALICE, BOB, ROOM, House, ask_of, call, view

ADDRESS = "192.0.2.1"


def claims(granted: Granted) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(granted.jwt, options={"verify_signature": False})
    return found


async def refused(authorization: Authorization, ask: Ask) -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        await authorization.grant(ask, ADDRESS)
    return caught.value.status, caught.value.errcode


async def test_a_room_without_the_bot_is_served_as_by_lk_jwt_service() -> None:
    house = House()
    granted = await house.authorization().grant(ask_of(), ADDRESS)
    assert granted.url == ADDRESSES.sfu
    assert claims(granted)["sub"] == f"{ALICE}:PHONE"
    assert claims(granted)["video"]["room"] == alias(ROOM)
    assert house.sfu.made == [alias(ROOM)]


async def test_a_sticky_membership_has_the_hashed_identity() -> None:
    ask = ask_of(member_id="m1", claimed_user_id=ALICE)
    granted = await House().authorization().grant(ask, ADDRESS)
    assert claims(granted)["sub"] == hashed_identity(ALICE, "PHONE", "m1")


async def test_a_room_with_the_bot_is_served_through_the_gateway() -> None:
    house = House(rooms={ROOM: view()})
    granted = await house.authorization().grant(ask_of(), ADDRESS)
    assert granted.url == ADDRESSES.gateway
    assert house.passes.verify(granted.jwt).identity == f"{ALICE}:PHONE"
    assert claims(granted)["video"]["room"] == alias(ROOM)
    assert house.sfu.made == []


async def test_always_means_rooms_without_the_bot_too() -> None:
    granted = await House().authorization("always").grant(ask_of(), ADDRESS)
    assert granted.url == ADDRESSES.gateway


async def test_without_the_gateway_a_native_call_never_leads_into_a_meeting() -> None:
    house = House(rooms={ROOM: view(call())})
    granted = await house.authorization(False).grant(ask_of(), ADDRESS)
    assert (granted.url, claims(granted)["video"]["room"]) == (ADDRESSES.sfu, alias(ROOM))


async def test_another_slot_keeps_to_its_own_sfu_room() -> None:
    house = House(rooms={ROOM: view(call())})
    granted = await house.authorization().grant(ask_of(slot_id="m.call#other"), ADDRESS)
    assert (granted.url, claims(granted)["video"]["room"]) == (ADDRESSES.sfu, alias(ROOM, "m.call#other"))


async def test_while_a_meeting_is_open_its_room_is_where_the_native_call_takes_place() -> None:
    house = House(rooms={ROOM: view(call())})
    granted = await house.authorization().grant(ask_of(), ADDRESS)
    assert claims(granted)["video"]["room"] == "visio-room"
    assert house.sfu.made == []


async def test_the_payload_can_be_read_with_a_plain_atob() -> None:
    house = House(rooms={ROOM: view()})
    for device in ("PHONE", "???>>>~~~", "????", "~~~~~"):
        granted = await house.authorization().grant(ask_of(device_id=device), ADDRESS)
        assert not set("-_") & set(granted.jwt.split(".")[1])


async def test_a_server_that_may_listen_gets_a_hidden_second_identity_and_is_named() -> None:
    house = House(rooms={ROOM: view()}, rules={"other.example": "subscribe"})
    granted = await house.authorization().grant(ask_of("bob"), ADDRESS)
    found = house.passes.verify(granted.jwt)
    assert found.identity == listening_identity(f"{BOB}:PHONE", ADDRESSES.service)
    assert not found.publish
    assert claims(granted)["video"]["hidden"]
    assert house.refused == [(ROOM, "other.example")]


async def test_a_server_that_policy_does_not_know_is_never_asked_but_named_to_the_room() -> None:
    house = House(rooms={ROOM: view()})
    assert await refused(house.authorization(), ask_of("bob")) == (403, "M_FORBIDDEN")
    assert house.looked_up == []
    assert house.refused == [(ROOM, "other.example")]


async def test_nobody_can_have_the_bot_say_any_name_in_a_room() -> None:
    house = House(rooms={ROOM: view()})
    authorization = house.authorization(restraint=Restraint(failures=3))
    for number in range(3):
        ask = ask_of("eve", server_name=f"buy-{number}.example")
        assert await refused(authorization, ask) == (403, "M_FORBIDDEN")
    assert await refused(authorization, ask_of("eve")) == (429, "M_LIMIT_EXCEEDED")
    assert house.refused == []


async def test_one_user_of_an_unknown_server_may_be_known() -> None:
    house = House(rules={"@bob:other.example": "publish"})
    assert (await house.authorization().grant(ask_of("bob"), ADDRESS)).url == ADDRESSES.sfu
    house.tokens["bob"] = "@mallory:other.example"
    assert await refused(house.authorization(), ask_of("bob")) == (403, "M_FORBIDDEN")


async def test_a_claim_on_another_servers_user_is_refused_before_anybody_is_asked() -> None:
    house = House()
    ask = ask_of(member_id="m1", claimed_user_id=BOB)
    assert await refused(house.authorization(), ask) == (401, "M_UNAUTHORIZED")
    assert house.looked_up == []


async def test_a_claim_that_the_token_does_not_bear_out_is_refused() -> None:
    ask = ask_of(member_id="m1", claimed_user_id="@albert:example.org")
    assert await refused(House().authorization(), ask) == (401, "M_UNAUTHORIZED")


@pytest.mark.parametrize("failure", [WrongServer("x"), AddressRefused("x")])
async def test_what_will_not_heal_is_unauthorised(failure: Any) -> None:
    assert await refused(House(failure=failure).authorization(), ask_of()) == (401, "M_UNAUTHORIZED")


async def test_while_the_homeserver_does_not_answer_clients_are_told_to_try_again() -> None:
    house = House(failure=ServerTooSlow("x"))
    with pytest.raises(Refusal) as caught:
        await house.authorization().grant(ask_of(), ADDRESS)
    assert caught.value.status == 503
    assert caught.value.retry_after_ms


async def test_who_is_not_in_the_room_gets_nothing() -> None:
    house = House(rooms={ROOM: view()}, joined={(ROOM, ALICE): False})
    assert await refused(house.authorization(), ask_of()) == (403, "M_FORBIDDEN")


async def test_while_nobody_can_say_who_is_in_the_room_clients_are_told_to_try_again() -> None:
    house = House(rooms={ROOM: view()}, joined={(ROOM, ALICE): None})
    assert await refused(house.authorization(), ask_of()) == (503, "M_UNKNOWN")


async def test_the_meetings_own_door_holds() -> None:
    rules = {"other.example": "subscribe"}
    house = House(rooms={ROOM: view(call(access="trusted"))}, rules=rules)
    assert await refused(house.authorization(), ask_of("bob")) == (403, "M_FORBIDDEN")


async def test_who_was_put_out_stays_out() -> None:
    house = House(rooms={ROOM: view(call(denied=(ALICE,)))})
    assert await refused(house.authorization(), ask_of()) == (403, "M_FORBIDDEN")


async def test_who_keeps_failing_is_not_looked_up_any_more() -> None:
    house = House()
    authorization = house.authorization(restraint=Restraint(failures=3))
    for _ in range(3):
        assert await refused(authorization, ask_of(openid_token="forged")) == (401, "M_UNAUTHORIZED")
    assert await refused(authorization, ask_of(openid_token="forged")) == (429, "M_LIMIT_EXCEEDED")
    assert len(house.looked_up) == 3
    assert (await authorization.grant(ask_of(), "192.0.2.9")).url == ADDRESSES.sfu


async def test_a_user_who_asks_without_end_is_slowed_down() -> None:
    authorization = House().authorization(restraint=Restraint(burst=1, per_second=0.001))
    await authorization.grant(ask_of(), ADDRESS)
    assert await refused(authorization, ask_of()) == (429, "M_LIMIT_EXCEEDED")


async def test_a_leave_that_nobody_would_send_is_not_taken_over() -> None:
    ask = ask_of(delay=Delay("syd_1", 8000))
    assert await refused(House().authorization(), ask) == (400, "M_BAD_JSON")


class Desk:
    """Stands for the delegation."""

    def __init__(self) -> None:
        self.offered = True
        self.taken: list[tuple[str, str, str, Delay]] = []

    async def is_offered(self) -> bool:
        return self.offered

    async def take(self, room_id: str, identity: str, hashed: str, delay: Delay) -> None:
        self.taken.append((room_id, identity, hashed, delay))


LEAVE = Delay("syd_1", 8000)


def with_desk(house: House, desk: Desk) -> Authorization:
    return house.authorization(delegation=cast(Delegation, cast(Any, desk)))


async def test_a_leave_is_taken_over_under_both_identities() -> None:
    desk = Desk()
    authorization = with_desk(House(), desk)
    await authorization.delegate(ask_of(member_id="m1", claimed_user_id=ALICE, delay=LEAVE), ADDRESS)
    await authorization.grant(ask_of(delay=LEAVE), ADDRESS)
    hashed = hashed_identity(ALICE, "PHONE", "m1")
    assert desk.taken == [(ROOM, f"{ALICE}:PHONE", hashed, LEAVE), (ROOM, f"{ALICE}:PHONE", "", LEAVE)]


@pytest.mark.parametrize("rules", [{"other.example": "subscribe"}, {"other.example": "publish"}, {}])
async def test_to_users_of_other_homeservers_delegation_is_not_offered(rules: dict[str, str]) -> None:
    desk, house = Desk(), House(rules=rules)
    authorization = with_desk(house, desk)
    ask = ask_of("bob", member_id="m1", claimed_user_id=BOB, delay=LEAVE)
    with pytest.raises(Refusal) as caught:
        await authorization.delegate(ask, ADDRESS)
    # Clients that get anything but 404 leave it to us to end their membership.
    assert (caught.value.status, caught.value.errcode) == (404, "M_UNRECOGNIZED")
    assert house.looked_up == []
    if rules:
        assert await refused(authorization, ask) == (400, "M_BAD_JSON")
    assert desk.taken == []


async def test_leaves_of_listeners_are_not_taken_over() -> None:
    desk = Desk()
    authorization = with_desk(House(rules={"example.org": "subscribe"}), desk)
    ask = ask_of(member_id="m1", claimed_user_id=ALICE, delay=LEAVE)
    with pytest.raises(Refusal) as caught:
        await authorization.delegate(ask, ADDRESS)
    assert (caught.value.status, caught.value.errcode) == (403, "M_FORBIDDEN")
    assert await refused(authorization, ask) == (400, "M_BAD_JSON")
    assert desk.taken == []


async def test_who_asks_for_the_plain_identity_in_a_meeting_is_told_of() -> None:
    house = House(rooms={ROOM: view(call())})
    authorization = house.authorization()
    await authorization.grant(ask_of(member_id="m1", claimed_user_id=ALICE), ADDRESS)
    assert house.plainly == []
    await authorization.grant(ask_of(), ADDRESS)
    assert house.plainly == [(ROOM, f"{ALICE}:PHONE")]
