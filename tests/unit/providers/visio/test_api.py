from __future__ import annotations

import asyncio

import pytest

from bridge.calls.model import DialIn
from bridge.demo.visio.faults import Fault, Harm
from bridge.demo.visio.stand_in import SERVICE_EMAIL, StandIn
from bridge.providers.visio.api import Credentials
from bridge.providers.visio.errors import (
    BadCredentials,
    DomainRefused,
    EmailUnclear,
    Nonsense,
    PublicRefused,
    ScopeMissing,
    SwitchedOff,
    UnknownUser,
    Unreachable,
    VisioFailure,
)
from tests.conftest import MakeVisio
from tests.support.waiting import until
from tests.unit.providers.visio.office import HURRIED, client

TOKEN, ROOMS = "/application/token/", "/rooms/"


async def test_a_meeting_is_made_in_somebodys_name(make_visio: MakeVisio) -> None:
    visio = make_visio()
    marie = visio.world.add_user("marie@example.org", "Marie Curie")
    async with client(visio) as ours:
        room = await ours.create("Marie@Example.ORG", "restricted")
    there = visio.room_of(room.url)
    assert (room.id, room.slug, room.access) == (there.id, there.slug, "restricted")
    assert there.role_of(marie) == "owner"
    assert room.dial_in is None


async def test_it_costs_two_requests_and_one_more_for_each_later_one(visio: StandIn) -> None:
    async with client(visio) as ours:
        before = len(visio.visits)
        await ours.create()
        await ours.create()
    assert [(v.method, v.path.rpartition("v1.0")[2]) for v in visio.visits[before:]] == [
        ("POST", TOKEN),
        ("POST", ROOMS),
        ("POST", ROOMS),
    ]


async def test_the_telephone_is_told_where_there_is_one(make_visio: MakeVisio) -> None:
    visio = make_visio(room_telephony_enabled=True)
    async with client(visio) as ours:
        room = await ours.create()
    assert isinstance(room.dial_in, DialIn)
    assert room.dial_in.number == "+33170001234"
    assert room.dial_in.pin.isdigit()


async def test_a_visio_that_does_not_know_its_own_address_gives_no_link(make_visio: MakeVisio) -> None:
    async with client(make_visio(application_base_url="")) as ours:
        assert (await ours.create()).url is None


async def test_many_who_ask_at_once_share_one_token(visio: StandIn) -> None:
    async with client(visio) as ours:
        before = visio.count("POST", TOKEN)
        rooms = await asyncio.gather(*(ours.create() for _ in range(20)))
    assert len({room.id for room in rooms}) == 20
    assert visio.count("POST", TOKEN) - before == 1


async def test_a_token_is_renewed_before_it_expires(make_visio: MakeVisio) -> None:
    visio = make_visio()
    async with client(visio) as ours:
        await ours.create()
        ours.ticks.now += 3_500_000
        await ours.create()
        assert visio.count("POST", TOKEN) == 1
        ours.ticks.now += 50_000
        await ours.create()
    assert visio.count("POST", TOKEN) == 2


@pytest.mark.parametrize("skew", [-86_400, -120, 120, 86_400])
async def test_clocks_that_differ_do_no_harm(make_visio: MakeVisio, skew: float) -> None:
    visio = make_visio(clock_skew_seconds=skew)
    async with client(visio) as ours:
        await ours.create()
        await ours.create()
    assert visio.count("POST", TOKEN) == 1


async def test_an_expired_token_is_replaced_once(make_visio: MakeVisio) -> None:
    visio = make_visio()
    async with client(visio) as ours:
        await ours.create()
        visio.tokens.expire_all()
        await ours.create()
        assert visio.count("POST", TOKEN) == 2
        assert ours.orphans.count == 0


async def test_a_changed_signing_key_only_costs_a_new_token(make_visio: MakeVisio) -> None:
    visio = make_visio()
    async with client(visio) as ours:
        await ours.create()
        visio.switches.application_jwt_secret_key = "another-key-of-at-least-32-characters!"
        await ours.create()
    assert visio.count("POST", TOKEN) == 2


async def test_a_token_that_is_expired_at_once_is_a_matter_of_visios_clocks(make_visio: MakeVisio) -> None:
    visio = make_visio(application_jwt_expiration_seconds=0)
    async with client(visio) as ours:
        with pytest.raises(Nonsense, match="clocks"):
            await ours.create()
    assert visio.count("POST", TOKEN) == 2


async def test_a_form_is_sent_where_json_is_not_read(make_visio: MakeVisio) -> None:
    visio = make_visio(token_takes_forms=True)
    visio.faults.add(Fault(Harm.STATUS, path=TOKEN, status=415, times=1))
    async with client(visio) as ours:
        await ours.create()
        ours.ticks.now += 3_600_000
        await ours.create()
    asked = [visit.body[:1] for visit in visio.visits if visit.path.endswith(TOKEN)]
    assert asked == [b"{", b"c", b"c"]


async def failure_of(visio: StandIn, email: str = SERVICE_EMAIL, access: str = "trusted") -> VisioFailure:
    async with client(visio) as ours:
        with pytest.raises(VisioFailure) as failure:
            await ours.create(email, access)
        assert ours.orphans.count == 0
    return failure.value


async def test_wrong_credentials(make_visio: MakeVisio) -> None:
    visio = make_visio()
    async with client(visio, known=Credentials(visio.application.client_id, "a guess")) as ours:
        with pytest.raises(BadCredentials, match="Invalid credentials"):
            await ours.create()


async def test_an_application_that_was_switched_off(make_visio: MakeVisio) -> None:
    visio = make_visio()
    visio.application.is_active = False
    assert isinstance(await failure_of(visio), BadCredentials)


async def test_credentials_revoked_in_mid_life(make_visio: MakeVisio) -> None:
    visio = make_visio()
    async with client(visio) as ours:
        await ours.create()
        visio.application.is_active = False
        with pytest.raises(BadCredentials):
            await ours.create()
        visio.application.is_active = True
        await ours.create()


async def test_an_unknown_user(make_visio: MakeVisio) -> None:
    failure = await failure_of(make_visio(), "stranger@example.org")
    assert isinstance(failure, UnknownUser)
    assert (failure.cause, failure.retry) == ("visio_unknown_user", False)


async def test_a_user_who_was_disabled_in_mid_life(make_visio: MakeVisio) -> None:
    visio = make_visio()
    async with client(visio) as ours:
        await ours.create()
        visio.service.is_active = False
        with pytest.raises(UnknownUser):
            await ours.create()


async def test_an_unknown_user_is_made_where_visio_makes_them(make_visio: MakeVisio) -> None:
    visio = make_visio(application_allow_user_creation=True)
    async with client(visio) as ours:
        await ours.create("newcomer@example.org")


async def test_a_domain_that_the_application_may_not_act_for(make_visio: MakeVisio) -> None:
    visio = make_visio()
    visio.application.domains = ("beta.gouv.fr",)
    assert isinstance(await failure_of(visio), DomainRefused)


async def test_an_address_that_is_none(make_visio: MakeVisio) -> None:
    assert isinstance(await failure_of(make_visio(), "not an address"), EmailUnclear)


async def test_a_missing_scope(make_visio: MakeVisio) -> None:
    visio = make_visio()
    visio.application.scopes = ("rooms:list",)
    assert isinstance(await failure_of(visio), ScopeMissing)
    visio.application.scopes = ()
    assert isinstance(await failure_of(visio), ScopeMissing)


async def test_public_meetings_that_visio_does_not_allow(make_visio: MakeVisio) -> None:
    failure = await failure_of(make_visio(external_api_allow_public_access=False), access="public")
    assert isinstance(failure, PublicRefused)
    assert "EXTERNAL_API_ALLOW_PUBLIC_ACCESS" in failure.advice


@pytest.mark.parametrize("switch", ["external_api_enabled", "application_enabled"])
async def test_an_api_that_is_switched_off(make_visio: MakeVisio, switch: str) -> None:
    visio = make_visio()
    setattr(visio.switches, switch, False)
    assert isinstance(await failure_of(visio), SwitchedOff)


async def test_applications_that_are_switched_off_in_mid_life(make_visio: MakeVisio) -> None:
    visio = make_visio()
    async with client(visio) as ours:
        await ours.create()
        visio.switches.application_enabled = False
        with pytest.raises(SwitchedOff):
            await ours.create()


async def test_nobody_there(make_visio: MakeVisio) -> None:
    visio = make_visio()
    visio.go_away()
    failure = await failure_of(visio)
    assert isinstance(failure, Unreachable)
    assert failure.retry


@pytest.mark.parametrize("harm", [Harm.HTML, Harm.BROKEN_JSON, Harm.WRONG_JSON, Harm.ENDLESS])
async def test_a_token_that_makes_no_sense(make_visio: MakeVisio, harm: Harm) -> None:
    visio = make_visio()
    visio.faults.add(Fault(harm, path=TOKEN))
    failure = await failure_of(visio)
    assert isinstance(failure, Nonsense)
    assert not failure.retry


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'"token"',
        b'{"access_token": 1, "expires_in": 3600}',
        b'{"access_token": "a\\r\\nHost: evil", "expires_in": 3600}',
        b'{"access_token": "a", "expires_in": "long"}',
        b'{"access_token": "a", "expires_in": true}',
        b'{"access_token": "a", "expires_in": -1}',
        b'{"access_token": "", "expires_in": 1}',
        b"\xff\xfe",
    ],
)
async def test_a_token_that_is_none(make_visio: MakeVisio, body: bytes) -> None:
    visio = make_visio()
    visio.faults.add(Fault(Harm.WRONG_JSON, path=TOKEN, body=body))
    assert isinstance(await failure_of(visio), Nonsense)


async def test_a_token_is_asked_for_again_where_that_can_help(make_visio: MakeVisio) -> None:
    visio = make_visio()
    visio.faults.add(Fault(Harm.STATUS, path=TOKEN, status=503, times=1))
    visio.faults.add(Fault(Harm.CUT_AFTER, path=TOKEN, times=1))
    async with client(visio) as ours:
        await ours.create()
    assert visio.count("POST", TOKEN) == 3


@pytest.mark.parametrize("status", [401, 403])
async def test_a_firewall_before_visio_is_not_taken_for_visio(make_visio: MakeVisio, status: int) -> None:
    visio = make_visio()
    visio.faults.add(Fault(Harm.STATUS, path="/external-api/", status=status))
    assert isinstance(await failure_of(visio), Nonsense)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirection_is_never_followed_elsewhere(make_visio: MakeVisio, status: int) -> None:
    visio, trap = make_visio(), make_visio()
    for path in (TOKEN, ROOMS):
        fault = visio.faults.add(Fault(Harm.REDIRECT, path=path, status=status, to=f"{trap.url}{path}"))
        failure = await failure_of(visio)
        assert isinstance(failure, Nonsense)
        assert trap.url.removeprefix("http://") in failure.advice
        visio.faults.clear()
        assert fault.hits == 1
    assert trap.visits == []


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Harm.CUT_BEFORE, path=ROOMS),
        Fault(Harm.CUT_AFTER, path=ROOMS),
        Fault(Harm.STATUS, path=ROOMS, status=500),
        Fault(Harm.STATUS, path=ROOMS, status=502),
        Fault(Harm.SLOW, path=ROOMS, seconds=2),
    ],
)
async def test_a_meeting_that_may_have_been_made_is_counted_and_not_made_twice(
    make_visio: MakeVisio, fault: Fault
) -> None:
    visio = make_visio()
    async with client(visio) as ours:
        await ours.api.page(SERVICE_EMAIL)
        visio.faults.add(fault)
        with pytest.raises(Unreachable) as failure:
            await ours.create()
        assert failure.value.retry
        assert ours.orphans.count == 1
        assert fault.hits == 1


@pytest.mark.parametrize("harm", [Harm.HTML, Harm.BROKEN_JSON, Harm.WRONG_JSON, Harm.ENDLESS])
async def test_a_meeting_whose_link_makes_no_sense_is_counted(make_visio: MakeVisio, harm: Harm) -> None:
    visio = make_visio()
    visio.faults.add(Fault(harm, method="POST", path=ROOMS))
    async with client(visio) as ours:
        with pytest.raises(Nonsense):
            await ours.create()
        assert ours.orphans.count == 1


async def test_giving_up_in_the_middle_counts_too(make_visio: MakeVisio) -> None:
    visio = make_visio()
    slow = visio.faults.add(Fault(Harm.SLOW, method="POST", path=ROOMS, seconds=5))
    async with client(visio) as ours:
        making = asyncio.create_task(ours.create())
        await until(lambda: slow.hits == 1)
        making.cancel()
        await asyncio.gather(making, return_exceptions=True)
        assert ours.orphans.count == 1


async def test_too_many_requests_leave_no_orphan(make_visio: MakeVisio) -> None:
    visio = make_visio()
    visio.faults.add(Fault(Harm.STATUS, method="POST", path=ROOMS, status=429))
    assert isinstance(await failure_of(visio), Unreachable)


async def test_an_answer_that_comes_too_late_is_not_waited_for(make_visio: MakeVisio) -> None:
    visio = make_visio()
    visio.faults.add(Fault(Harm.SLOW, path=TOKEN, seconds=5))
    async with client(visio, HURRIED) as ours, asyncio.timeout(2):
        with pytest.raises(Unreachable):
            await ours.create()


async def test_rooms_are_retrieved_by_those_who_have_a_role_in_them(make_visio: MakeVisio) -> None:
    visio = make_visio()
    visio.world.add_user("marie@example.org")
    async with client(visio) as ours:
        room = await ours.create()
        assert await ours.api.retrieve(SERVICE_EMAIL, room.id) == room
        assert await ours.api.retrieve("marie@example.org", room.id) is None
        assert await ours.api.retrieve(SERVICE_EMAIL, "00000000-0000-4000-8000-000000000000") is None
        with pytest.raises(ValueError, match="UUID"):
            await ours.api.retrieve(SERVICE_EMAIL, room.slug)


async def test_rooms_are_listed_twenty_at_a_time(make_visio: MakeVisio) -> None:
    visio = make_visio()
    async with client(visio) as ours:
        made = {(await ours.create()).id for _ in range(23)}
        first = await ours.api.page(SERVICE_EMAIL)
        second = await ours.api.page(SERVICE_EMAIL, 2)
    assert (first.count, len(first.rooms), first.more) == (23, 20, True)
    assert (len(second.rooms), second.more) == (3, False)
    assert {room.id for room in (*first.rooms, *second.rooms)} == made


async def test_rooms_that_people_named_themselves_are_listed_too(make_visio: MakeVisio) -> None:
    visio = make_visio()
    visio.world.add_room("point-de-l-equipe", owner=visio.service)
    async with client(visio) as ours:
        (room,) = (await ours.api.page(SERVICE_EMAIL)).rooms
    assert room.slug == "point-de-l-equipe"


async def test_reading_lacks_a_scope(make_visio: MakeVisio) -> None:
    visio = make_visio()
    visio.application.scopes = ("rooms:create",)
    async with client(visio) as ours:
        room = await ours.create()
        with pytest.raises(ScopeMissing):
            await ours.api.retrieve(SERVICE_EMAIL, room.id)
        with pytest.raises(ScopeMissing):
            await ours.api.page(SERVICE_EMAIL)


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{}", b'{"count": 1, "results": [7]}', b'{"count": 1, "results": [{"id": "x", "slug": "y"}]}'],
)
async def test_a_list_that_makes_no_sense(make_visio: MakeVisio, body: bytes) -> None:
    visio = make_visio()
    visio.faults.add(Fault(Harm.WRONG_JSON, path=ROOMS, body=body))
    async with client(visio) as ours:
        with pytest.raises(Nonsense):
            await ours.api.page(SERVICE_EMAIL)


async def test_a_check_asks_for_nobodys_token(make_visio: MakeVisio) -> None:
    visio = make_visio(application_allow_user_creation=True)
    async with client(visio) as ours:
        await ours.api.check()
        assert visio.world.user_by_email("passerelle") is None
        visio.application.is_active = False
        with pytest.raises(BadCredentials):
            await ours.api.check()
        visio.switches.application_enabled = False
        with pytest.raises(SwitchedOff):
            await ours.api.check()
        visio.go_away()
        with pytest.raises(Unreachable):
            await ours.api.check()


async def test_nothing_is_asked_after_the_end(visio: StandIn) -> None:
    async with client(visio) as ours:
        pass
    with pytest.raises(Unreachable, match="stopping"):
        await ours.create()


async def test_failures_and_what_they_are_made_of_hold_no_secret(make_visio: MakeVisio) -> None:
    visio = make_visio()
    secret, email = visio.application.client_secret, "marie.curie@example.org"
    said = f'{{"detail": "User not found: {email} with {secret} and eyJhbGciOiJIUzI1NiJ9.e30.abc-_"}}'
    async with client(visio) as ours:
        visio.faults.add(Fault(Harm.WRONG_JSON, path=TOKEN, body=said.encode()))
        with pytest.raises(VisioFailure) as failure:
            await ours.create(email)
        told = [failure.value.advice, repr(failure.value), repr(ours.api._token_request(email))]
    for text in told:
        assert secret not in text
        assert "marie" not in text
        assert "eyJ" not in text
