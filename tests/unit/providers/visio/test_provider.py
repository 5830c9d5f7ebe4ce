from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest

from bridge.calls.lifecycle import opened
from bridge.calls.model import Call, CallState, ParticipantKind
from bridge.calls.ports import Admission, Provider, ProviderFailure, Seen, SfuUnreachable
from bridge.demo.visio import tickets
from bridge.demo.visio.faults import Fault, Harm
from bridge.demo.visio.guest import VisioGuest
from bridge.demo.visio.stand_in import SERVICE_EMAIL, StandIn
from bridge.demo.visio.tickets import Ticket
from bridge.providers.visio.errors import (
    DomainRefused,
    EmailUnclear,
    ForeignLink,
    ServiceDomainRefused,
    ServiceUnknown,
    UnknownUser,
    Unreachable,
)
from bridge.providers.visio.owner import Addresses, Ownership
from bridge.providers.visio.parts import SharedSfu
from bridge.providers.visio.provider import VisioProvider
from bridge.sfu.client import Sfu
from tests.conftest import MakeVisio
from tests.support.waiting import until
from tests.unit.calls.people import T0, a_call
from tests.unit.providers.visio.office import QUICK, Orphans, Ticks, provider

SLUG = "abc-defg-hij"
MARIE = "@marie:example.org:DEVICE"
PEOPLE = Addresses({"example.org": ["*@example.org"], "agent.*": ["*-beta.gouv.fr"]})


def opening(**fields: object) -> Call:
    return a_call(CallState.OPENING, provider="visio", url=None, sfu_room=None, secret="", **fields)


def following(visio: StandIn, slug: str = SLUG, **fields: object) -> Call:
    return opening(adopted=True).but(url=visio.link(slug), **fields)


@asynccontextmanager
async def seen_by(ours: VisioProvider, call: Call, *people: Ticket) -> AsyncIterator[dict[str, Seen]]:
    """Those people inside, as the provider understands them, by identity."""
    async with asyncio.TaskGroup() as joining:
        guests = [VisioGuest(ticket) for ticket in people]
        for guest in guests:
            joining.create_task(guest.join())

    async def all_there() -> bool:
        assert ours._parts.sfu is not None
        return len(await ours._parts.sfu.api.participants(str(call.sfu_room))) == len(people)

    try:
        await until(all_there)
        yield {seen.identity: seen for seen in (await ours.who(call)).participants}
    finally:
        await asyncio.gather(*(guest.leave() for guest in guests))


# Opening


async def test_it_fills_the_port_and_its_name_is_visio(visio: StandIn) -> None:
    async with provider(visio) as ours:
        as_port: Provider = ours
        assert as_port.name == "visio"


async def test_a_meeting_is_made_for_the_service_account(visio: StandIn, shared: SharedSfu) -> None:
    async with provider(visio, sfu=shared, access_level="restricted") as ours:
        meeting = await ours.open(opening())
    there = visio.room_of(meeting.url)
    assert there.role_of(visio.service) == "owner"
    assert (meeting.sfu_room, meeting.access) == (there.id, "restricted")
    assert (meeting.adopted, meeting.unseen, meeting.secret) == (False, False, "")
    assert ours.links.read(meeting.url) == meeting.url


async def test_a_meeting_is_made_in_the_name_of_whoever_asked(make_visio: MakeVisio) -> None:
    visio = make_visio()
    marie = visio.world.add_user("marie.curie@beta.gouv.fr")
    async with provider(visio, ownership=Ownership(PEOPLE, None)) as ours:
        meeting = await ours.open(opening(started_by="@marie.curie-beta.gouv.fr:agent.dinum.tchap.gouv.fr"))
    assert visio.room_of(meeting.url).role_of(marie) == "owner"
    assert not meeting.ownerless


@pytest.mark.parametrize(
    ("user_id", "failure"),
    [
        ("@stranger:example.org", UnknownUser),
        ("@marie:elsewhere.example", EmailUnclear),
        ("@jean-beta.gouv.fr:agent.x", DomainRefused),
    ],
)
async def test_for_people_whom_visio_does_not_know_the_settings_decide(
    make_visio: MakeVisio, user_id: str, failure: type[ProviderFailure]
) -> None:
    visio = make_visio()
    visio.application.domains = ("example.org", SERVICE_EMAIL.partition("@")[2])
    async with provider(visio, ownership=Ownership(PEOPLE, None)) as ours:
        with pytest.raises(failure):
            await ours.open(opening(started_by=user_id))
    async with provider(visio, ownership=Ownership(PEOPLE, SERVICE_EMAIL)) as ours:
        meeting = await ours.open(opening(started_by=user_id))
    assert visio.room_of(meeting.url).role_of(visio.service) == "owner"
    assert meeting.ownerless, "nobody logs in as the service account"


@pytest.mark.parametrize("addresses", [None, PEOPLE])
async def test_nobody_is_told_to_sign_in_because_the_service_account_is_unknown(
    make_visio: MakeVisio, addresses: Addresses | None
) -> None:
    visio = make_visio()
    async with provider(visio, ownership=Ownership(addresses, "nobody@example.org")) as ours:
        with pytest.raises(ServiceUnknown, match=r"visio\.service_email") as unknown:
            await ours.open(opening(started_by="@stranger:example.org"))
        assert (unknown.value.cause, unknown.value.retry) == ("misconfigured", False)
        visio.application.domains = ("elsewhere.example",)
        with pytest.raises(ServiceDomainRefused, match=r"visio\.service_email") as refused:
            await ours.open(opening(started_by="@stranger:example.org"))
        assert (refused.value.cause, refused.value.retry) == ("misconfigured", False)


async def test_other_failures_are_not_covered_up_by_the_service_account(make_visio: MakeVisio) -> None:
    visio = make_visio()
    visio.world.add_user("marie@example.org")
    fault = visio.faults.add(Fault(Harm.STATUS, method="POST", path="/rooms/", status=502))
    async with provider(visio, ownership=Ownership(PEOPLE, SERVICE_EMAIL)) as ours:
        with pytest.raises(Unreachable):
            await ours.open(opening(started_by="@marie:example.org"))
    assert fault.hits == 1


async def test_opening_again_gives_the_same_meeting(make_visio: MakeVisio) -> None:
    visio = make_visio()
    async with provider(visio) as ours:
        assert await ours.open(opening()) == await ours.open(opening())
        await ours.open(opening(id="c2"))
    assert len(visio.world.rooms) == 2


async def test_a_visio_that_is_away_for_a_moment_makes_one_link_and_counts_the_others(
    make_visio: MakeVisio,
) -> None:
    visio, orphans = make_visio(), Orphans()
    visio.faults.add(Fault(Harm.CUT_AFTER, method="POST", path="/rooms/", times=2))
    async with provider(visio, on_orphan=orphans) as ours:
        for _ in range(2):
            with pytest.raises(Unreachable):
                await ours.open(opening())
        meeting = await ours.open(opening())
        assert await ours.open(opening()) == meeting
    assert len(visio.world.rooms) == 3
    assert orphans.count == 2


async def test_a_visio_that_does_not_know_its_own_address_is_helped_out(make_visio: MakeVisio) -> None:
    visio = make_visio(application_base_url="")
    async with provider(visio) as ours:
        meeting = await ours.open(opening())
    assert visio.room_of(meeting.url)
    assert meeting.url.startswith(f"{visio.url}/")


async def test_visios_own_address_is_shown_even_if_it_is_another_one(make_visio: MakeVisio) -> None:
    visio = make_visio(application_base_url="https://visio.numerique.gouv.fr")
    async with provider(visio) as ours:
        meeting = await ours.open(opening())
    assert meeting.url.startswith("https://visio.numerique.gouv.fr/")


@pytest.mark.parametrize(
    "base", ["javascript:alert(1)", "https://a@b.example", "https://b.example/?x=", "https://[b.example"]
)
async def test_an_address_that_is_none_is_not_shown(make_visio: MakeVisio, base: str) -> None:
    visio = make_visio(application_base_url=base)
    async with provider(visio) as ours:
        meeting = await ours.open(opening())
    assert meeting.url.startswith(f"{visio.url}/")


# Following links


async def test_a_followed_meeting_is_found(make_visio: MakeVisio, shared: SharedSfu) -> None:
    visio = make_visio()
    there = visio.world.add_room(SLUG, access_level="trusted")
    async with provider(visio, sfu=shared) as ours:
        meeting = await ours.open(following(visio))
    assert (meeting.url, meeting.sfu_room, meeting.access) == (visio.link(SLUG), there.id, "trusted")
    assert meeting.adopted
    assert visio.count("POST") == 0


async def test_a_link_that_leads_nowhere_yet_is_followed_all_the_same(
    make_visio: MakeVisio, shared: SharedSfu
) -> None:
    visio, ticks = make_visio(), Ticks()
    async with provider(visio, sfu=shared, ticks=ticks) as ours:
        meeting = await ours.open(following(visio))
        assert (meeting.url, meeting.sfu_room) == (visio.link(SLUG), None)
        call = opened(following(visio), meeting)
        assert (await ours.who(call)).participants == ()
        assert await ours.occupied((call,)) == frozenset()
        assert await ours.locate(call) is None
        there = visio.world.add_room(SLUG)
        ticks.now += 2_001
        found = await ours.locate(call)
    assert found is not None
    assert found.sfu_room == there.id


async def test_a_meeting_that_gets_registered_is_found_where_it_is_now(
    make_visio: MakeVisio, shared: SharedSfu
) -> None:
    visio, ticks = make_visio(allow_unregistered_rooms=True), Ticks()
    async with provider(visio, sfu=shared, ticks=ticks) as ours:
        call = opened(following(visio), await ours.open(following(visio)))
        assert call.sfu_room == SLUG
        assert await ours.locate(call) is None
        there = visio.world.add_room(SLUG)
        ticks.now += 2_001
        found = await ours.locate(call)
        assert found is not None
        assert found.sfu_room == there.id
        ticks.now += 10_001
        assert await ours.locate(call.but(sfu_room=there.id, access=found.access)) is None


async def test_meetings_of_our_own_stay_where_they_are(visio: StandIn, shared: SharedSfu) -> None:
    async with provider(visio, sfu=shared) as ours:
        before = len(visio.visits)
        assert await ours.locate(a_call(provider="visio")) is None
    assert len(visio.visits) == before


async def test_a_link_whose_host_is_no_longer_configured_is_not_requested(make_visio: MakeVisio) -> None:
    visio, trap = make_visio(), make_visio()
    async with provider(visio) as ours:
        with pytest.raises(ForeignLink):
            await ours.open(following(trap))
    assert visio.visits == trap.visits == []


async def test_a_visio_that_is_away_fails_the_following_for_now(make_visio: MakeVisio) -> None:
    visio = make_visio()
    visio.go_away()
    async with provider(visio) as ours:
        with pytest.raises(Unreachable) as failure:
            await ours.open(following(visio))
    assert failure.value.retry


# Looking


async def test_people_of_every_kind_are_seen_as_what_they_are(visio: StandIn, shared: SharedSfu) -> None:
    marie = visio.world.add_user("marie@example.org", "Marie Curie")
    room = visio.world.add_room(owner=marie)
    async with provider(visio, sfu=shared) as ours:
        call = a_call(provider="visio", sfu_room=room.id)
        owner = await visio.ticket(room, user=marie)
        jean = await visio.ticket(room, "Jean")
        caller = tickets.phone(visio.sfu, room.id)
        ada = Ticket("Ada", visio.sfu.url, ours.token(call, Admission(MARIE, "Ada", known=True)))
        liar = Ticket("Ada", visio.sfu.url, _forged(shared, room.id, "@ada:example.org:X"))
        machines = [tickets.recorder(visio.sfu, room.id), tickets.agent(visio.sfu, room.id)]
        async with seen_by(ours, call, owner, jean, caller, ada, liar, *machines) as inside:
            kinds = {identity: (seen.kind, seen.verified, seen.name) for identity, seen in inside.items()}
            sight = await ours.who(call)
    assert kinds == {
        owner.identity: (ParticipantKind.VISIO, True, "Marie Curie"),
        jean.identity: (ParticipantKind.GUEST, False, "Jean"),
        caller.identity: (ParticipantKind.PHONE, False, "…78"),
        MARIE: (ParticipantKind.MATRIX, True, "Ada"),
        "@ada:example.org:X": (ParticipantKind.GUEST, False, "Ada"),
    }
    assert inside[owner.identity].role == "owner"
    assert inside[MARIE].role == "member"
    assert (sight.recording, sight.transcription) == (True, True)
    assert not any(seen.hidden for seen in inside.values())


def _forged(shared: SharedSfu, room: str, identity: str) -> str:
    """What Visio signs for a guest whose lobby cookie was made up."""
    claims: dict[str, Any] = {
        "iss": shared.key.id,
        "sub": identity,
        "name": "Ada",
        "exp": 4_000_000_000,
        "video": {"roomJoin": True, "room": room},
        "attributes": {"is_authenticated": "false"},
    }
    return jwt.encode(claims, shared.key.secret, algorithm="HS256")


async def test_hands_names_recordings_and_access_follow(visio: StandIn, shared: SharedSfu) -> None:
    room = visio.world.add_room()
    async with provider(visio, sfu=shared) as ours:
        call = a_call(provider="visio", sfu_room=room.id)
        jean = await visio.ticket(room, "Jean")
        async with seen_by(ours, call, jean):
            await visio.organiser.raise_hand(room, jean.identity)
            await visio.organiser.rename(room, jean.identity, "Jean D.")
            await visio.organiser.start_recording(room)
            await visio.organiser.change_access(room, "restricted")
            sight = await ours.who(call)
            (seen,) = sight.participants
            assert (seen.name, seen.hand) == ("Jean D.", True)
            assert (sight.recording, sight.transcription, sight.access) == (True, False, "restricted")
            await visio.organiser.raise_hand(room, jean.identity, raised=False)
            await visio.organiser.recording_ended(room)
            sight = await ours.who(call)
            assert (sight.participants[0].hand, sight.recording) == (False, False)


async def test_an_sfu_that_does_not_answer_is_not_an_empty_one(visio: StandIn, shared: SharedSfu) -> None:
    nowhere = SharedSfu(Sfu("http://127.0.0.1:9", shared.key, patience=QUICK), shared.key)
    async with nowhere.api, provider(visio, sfu=nowhere) as ours:
        call = a_call(provider="visio")
        for question in (ours.who(call), ours.occupied((call,)), ours.close(call)):
            with pytest.raises(SfuUnreachable):
                await question


async def test_which_meetings_are_occupied_is_one_question(visio: StandIn, shared: SharedSfu) -> None:
    busy, empty = visio.world.add_room(), visio.world.add_room()
    async with provider(visio, sfu=shared) as ours:
        calls = (
            a_call(id="busy", provider="visio", sfu_room=busy.id),
            a_call(id="empty", provider="visio", sfu_room=empty.id),
            a_call(id="nowhere", provider="visio", sfu_room=None),
        )
        async with seen_by(ours, calls[0], await visio.ticket(busy, "Jean")):
            assert await ours.occupied(calls) == {"busy"}


# Tokens


def claims_of(shared: SharedSfu, token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(
        token, shared.key.secret, algorithms=["HS256"], options={"verify_nbf": False, "verify_exp": False}
    )
    return claims


async def test_a_token_is_nobodys_administrator(visio: StandIn, shared: SharedSfu) -> None:
    async with provider(visio, sfu=shared, clock=lambda: T0, token_ttl_ms=90_000) as ours:
        call = a_call(provider="visio", sfu_room="room")
        for known in (False, True):
            claims = claims_of(shared, ours.token(call, Admission(MARIE, "Marie", known=known)))
            assert claims["video"] == {
                "room": "room",
                "roomJoin": True,
                "canPublish": True,
                "canSubscribe": True,
                "canPublishData": True,
                "canUpdateOwnMetadata": False,
            }
            assert claims["attributes"].get("room_role") == ("member" if known else None)
            assert claims["attributes"]["is_authenticated"] == ("true" if known else "false")
            assert claims["exp"] - claims["nbf"] == 90


async def test_who_may_only_listen_is_hidden_and_mute(visio: StandIn, shared: SharedSfu) -> None:
    async with provider(visio, sfu=shared) as ours:
        admission = Admission(MARIE, "Marie", publish=False, hidden=True)
        video = claims_of(shared, ours.token(a_call(sfu_room="room"), admission))["video"]
    assert (video["hidden"], video["canPublish"], video["canPublishData"]) == (True, False, False)


@pytest.mark.parametrize("identity", ["6f1d6b86-2f3c-4c0e-9a57-4b0b1f7b7d11", "None", "guest-x", "@a:b", ""])
async def test_no_token_is_given_under_an_identity_that_could_be_visios(
    visio: StandIn, shared: SharedSfu, identity: str
) -> None:
    async with provider(visio, sfu=shared) as ours:
        with pytest.raises(ValueError, match="identity"):
            ours.token(a_call(sfu_room="room"), Admission(identity, "Marie", known=True))


@pytest.mark.parametrize(
    ("name", "shown"),
    [("Marie\u202e Curie\n", "Marie Curie"), ("", "@marie:example.org"), ("\u200b", "@marie:example.org")],
)
async def test_a_name_is_one_line_that_can_be_seen(
    visio: StandIn, shared: SharedSfu, name: str, shown: str
) -> None:
    async with provider(visio, sfu=shared) as ours:
        token = ours.token(a_call(sfu_room="room"), Admission(MARIE, name))
    assert claims_of(shared, token)["name"] == shown


# Without an SFU


async def test_without_an_sfu_a_meeting_is_a_link(visio: StandIn) -> None:
    async with provider(visio) as ours:
        meeting = await ours.open(opening())
        assert (meeting.unseen, meeting.sfu_room) == (True, None)
        call = opened(opening(), meeting)
        await ours.close(call)
        for question in (ours.who(call), ours.occupied((call,)), ours.mute(call.but(sfu_room="x"), MARIE)):
            with pytest.raises(SfuUnreachable):
                await question
        with pytest.raises(SfuUnreachable):
            ours.token(call, Admission(MARIE, "Marie"))


async def test_without_an_sfu_a_followed_link_still_tells_who_may_enter(make_visio: MakeVisio) -> None:
    visio = make_visio()
    visio.world.add_room(SLUG, access_level="trusted")
    async with provider(visio) as ours:
        meeting = await ours.open(following(visio))
        assert (meeting.unseen, meeting.sfu_room, meeting.access) == (True, None, "trusted")
        assert await ours.locate(opened(following(visio), meeting)) is None


async def test_a_check_says_what_is_wrong_with_the_service_account(make_visio: MakeVisio) -> None:
    visio = make_visio()
    visio.application.domains = ("ministere.example",)
    async with provider(visio) as ours:
        with pytest.raises(ServiceDomainRefused):
            await ours.check()
    async with provider(visio, ownership=Ownership(None, "nobody@ministere.example")) as ours:
        with pytest.raises(ServiceUnknown):
            await ours.check()


async def test_a_check_asks_for_no_service_account_that_is_not_needed(make_visio: MakeVisio) -> None:
    visio = make_visio()
    visio.application.domains = ("ministere.example",)
    own = Ownership(Addresses({"hs": ["*@ministere.example"]}), None)
    async with provider(visio, ownership=own) as ours:
        await ours.check()


async def test_a_check_says_how_visio_is(make_visio: MakeVisio) -> None:
    visio = make_visio()
    async with provider(visio) as ours:
        await ours.check()
        visio.go_away()
        with pytest.raises(Unreachable):
            await ours.check()
