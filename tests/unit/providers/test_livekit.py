from __future__ import annotations

import jwt
import pytest
from livekit.protocol.models import ParticipantInfo, ParticipantPermission, Room
from livekit.protocol.room import (
    CreateRoomRequest,
    DeleteRoomRequest,
    DeleteRoomResponse,
    ListParticipantsResponse,
    ListRoomsResponse,
    RoomParticipantIdentity,
)

from bridge.calls.lifecycle import end, resumed
from bridge.calls.model import Call, CallState, EndReason, ParticipantKind
from bridge.calls.ports import Admission, Provider, ProviderFailure, SfuUnreachable
from bridge.providers.livekit import LivekitProvider, matrix_user, sfu_room_of, understood
from bridge.providers.parts import ProviderParts
from bridge.sfu.client import Sfu
from bridge.sfu.model import SfuKind, SfuParticipant
from tests.unit.calls.people import T0, a_call
from tests.unit.sfu.fake_livekit import KEY, error, fake_livekit, protobuf

ROOM = protobuf(Room(name="passerelle-c1", sid="RM_1"))
DOWN = error(503, "unavailable")


def opening(**fields: object) -> Call:
    return a_call(CallState.OPENING, url=None, sfu_room=None, **fields)


def provider(sfu: Sfu) -> LivekitProvider:
    return LivekitProvider(
        ProviderParts(sfu, KEY, "https://visio.example/", max_participants=12, clock=lambda: T0)
    )


def somebody(identity: str = "guest-a", **fields: object) -> SfuParticipant:
    given = {"sid": "PA", "name": "Ada", "kind": SfuKind.STANDARD, "joined_ts": T0, **fields}
    return SfuParticipant(identity, **given)  # type: ignore[arg-type]


def test_it_fills_the_port_and_its_name_is_livekit() -> None:
    sfu = Sfu("http://sfu.example", KEY)
    made: Provider = LivekitProvider(ProviderParts(sfu, KEY, "https://visio.example"))
    assert made.name == "livekit"


async def test_opening_makes_the_link_and_the_room() -> None:
    async with fake_livekit(ROOM) as (fake, sfu):
        meeting = await provider(sfu).open(opening())
    assert meeting.url == "https://visio.example/call/c1#s"
    assert (meeting.sfu_room, meeting.secret) == ("passerelle-c1", "s")
    assert (meeting.access, meeting.adopted) == ("public", False)
    request = CreateRoomRequest.FromString(fake.asked[0].body)
    assert (request.name, request.max_participants) == ("passerelle-c1", 12)
    assert (request.empty_timeout, request.departure_timeout) == (300, 300)


async def test_opening_again_gives_the_same_link() -> None:
    async with fake_livekit(ROOM) as (_, sfu):
        assert await provider(sfu).open(opening()) == await provider(sfu).open(opening())


async def test_a_secret_that_is_missing_is_drawn_and_long() -> None:
    async with fake_livekit(ROOM) as (_, sfu):
        drawn = {(await provider(sfu).open(opening(secret=""))).secret for _ in range(3)}
    assert len(drawn) == 3
    assert all(len(secret) * 6 >= 128 for secret in drawn)


async def test_an_sfu_that_is_away_fails_the_opening_for_now() -> None:
    async with fake_livekit(DOWN) as (_, sfu):
        with pytest.raises(ProviderFailure) as failure:
            await provider(sfu).open(opening())
    assert (failure.value.cause, failure.value.retry) == ("sfu_unreachable", True)
    assert "503" in failure.value.advice


async def test_an_sfu_that_refuses_our_key_fails_the_opening_for_good() -> None:
    async with fake_livekit(error(401, "unauthenticated")) as (_, sfu):
        with pytest.raises(ProviderFailure) as failure:
            await provider(sfu).open(opening())
    assert (failure.value.cause, failure.value.retry) == ("sfu_refused", False)
    assert "sfu.key" in failure.value.advice


async def test_preparing_makes_the_room_again() -> None:
    async with fake_livekit(ROOM) as (fake, sfu):
        await provider(sfu).prepare(a_call())
        await provider(sfu).prepare(a_call())
    assert fake.methods == ["CreateRoom", "CreateRoom"]


async def test_who_is_in_is_understood() -> None:
    people = [
        ParticipantInfo(identity="guest-a", name="Ada", state="ACTIVE", joined_at_ms=T0),
        ParticipantInfo(
            identity="@bob:hs:DEV",
            state="ACTIVE",
            joined_at_ms=T0 + 1,
            permission=ParticipantPermission(hidden=True),
        ),
    ]
    async with fake_livekit(protobuf(ListParticipantsResponse(participants=people))) as (_, sfu):
        ada, bob = (await provider(sfu).who(a_call())).participants
    assert (ada.name, ada.kind, ada.verified, ada.user_id) == ("Ada", ParticipantKind.GUEST, False, None)
    assert (ada.joined_ts, ada.hidden) == (T0, False)
    assert (bob.name, bob.kind, bob.verified) == ("@bob:hs", ParticipantKind.MATRIX, True)
    assert (bob.user_id, bob.hidden) == ("@bob:hs", True)


async def test_occupied_is_one_question_for_all_calls() -> None:
    calls = tuple(a_call(id=f"c{n}", sfu_room=sfu_room_of(f"c{n}")) for n in range(3))
    answer = ListRoomsResponse(rooms=[Room(name="passerelle-c1"), Room(name="passerelle-other")])
    async with fake_livekit(protobuf(answer)) as (fake, sfu):
        assert await provider(sfu).occupied(calls) == {"c1"}
    assert fake.methods == ["ListRooms"]


async def test_closing_deletes_the_room_and_an_unknown_one_is_fine() -> None:
    gone = error(404, "not_found")
    async with fake_livekit(protobuf(DeleteRoomResponse()), gone) as (fake, sfu):
        await provider(sfu).close(a_call())
        await provider(sfu).close(a_call())
    assert DeleteRoomRequest.FromString(fake.asked[0].body).room == "passerelle-c1"


async def test_removing_and_muting_somebody_who_is_not_there_is_no_error() -> None:
    async with fake_livekit(error(404, "not_found")) as (fake, sfu):
        await provider(sfu).remove(a_call(), "guest-a")
        await provider(sfu).mute(a_call(), "guest-a")
    assert fake.methods == ["RemoveParticipant", "GetParticipant"]
    asked = RoomParticipantIdentity.FromString(fake.asked[0].body)
    assert (asked.room, asked.identity) == ("passerelle-c1", "guest-a")


@pytest.mark.parametrize("question", ["who", "prepare", "close"])
async def test_an_sfu_that_is_away_is_said_to_be(question: str) -> None:
    async with fake_livekit(DOWN) as (_, sfu):
        with pytest.raises(SfuUnreachable):
            await getattr(provider(sfu), question)(a_call())


async def test_a_guests_token_opens_this_room_for_two_minutes() -> None:
    async with fake_livekit(ROOM) as (_, sfu):
        token = provider(sfu).token(a_call(), Admission("guest-a", "Ada"))
    claims = jwt.decode(
        token, KEY.secret, ["HS256"], options={"verify_exp": False, "verify_nbf": False}, issuer=KEY.id
    )
    assert (claims["sub"], claims["name"]) == ("guest-a", "Ada")
    assert claims["exp"] - claims["nbf"] == 120
    assert claims["video"]["room"] == "passerelle-c1"
    assert "roomAdmin" not in claims["video"]


@pytest.mark.parametrize("identity", ["@ada:hs", "ada", "EG_recorder", ""])
async def test_a_guest_cannot_pass_for_somebody_else(identity: str) -> None:
    async with fake_livekit(ROOM) as (_, sfu):
        with pytest.raises(ValueError, match="begins with guest-"):
            provider(sfu).token(a_call(), Admission(identity, "Ada"))


async def test_only_the_links_own_secret_admits() -> None:
    async with fake_livekit(ROOM) as (_, sfu):
        desk = provider(sfu)
    assert desk.admits(a_call(), "s")
    assert not desk.admits(a_call(), "S")
    assert not desk.admits(a_call(), "é")
    assert not desk.admits(a_call(secret=""), "")


async def test_a_resumed_call_opens_behind_its_old_link() -> None:
    again = resumed(end(a_call(), T0, EndReason.TIMEOUT), T0, "c2")
    async with fake_livekit(ROOM) as (_, sfu):
        meeting = await provider(sfu).open(again)
    assert (meeting.url, meeting.sfu_room) == ("https://visio.example/call/c1#s", "passerelle-c1")


@pytest.mark.parametrize(
    ("identity", "user_id"),
    [
        ("@ada:hs:DEV", "@ada:hs"),
        ("@ada:localhost:8448:DEV", "@ada:localhost:8448"),
        ("@ada:[2001:db8::1]:DEV", "@ada:[2001:db8::1]"),
        ("@a/b=c+d.e_f-g:hs.example:d/e+v", "@a/b=c+d.e_f-g:hs.example"),
        ("@é !:hs:DEV", "@é !:hs"),
        ("@ada:hs", None),
        ("@ada:hs:", None),
        ("@:hs:DEV", None),
        ("@ada::DEV", None),
        ("guest-@ada:hs:DEV", None),
        ("5f0c9e9e-7d4c-4b0e-8d53-4ab0e5f1f6c3", None),
        ("", None),
    ],
)
def test_a_matrix_identity_is_split_at_its_last_colon(identity: str, user_id: str | None) -> None:
    assert matrix_user(identity) == user_id


@pytest.mark.parametrize("kind", [SfuKind.SIP, SfuKind.CONNECTOR])
def test_a_telephone_is_a_telephone_whatever_its_identity(kind: SfuKind) -> None:
    seen = understood(somebody("@ada:hs:DEV", kind=kind))
    assert (seen.kind, seen.verified, seen.user_id) == (ParticipantKind.PHONE, False, None)


@pytest.mark.parametrize("kind", [SfuKind.INGRESS, SfuKind.BRIDGE, SfuKind.UNKNOWN])
def test_nothing_but_a_standard_participant_passes_for_a_matrix_user(kind: SfuKind) -> None:
    seen = understood(somebody("@ada:hs:DEV", kind=kind))
    assert (seen.kind, seen.verified, seen.hidden) == (ParticipantKind.GUEST, False, False)


@pytest.mark.parametrize(
    "machine",
    [somebody(kind=SfuKind.AGENT), somebody(kind=SfuKind.EGRESS), somebody(recorder=True)],
)
def test_a_machine_that_listens_is_counted_and_not_listed(machine: SfuParticipant) -> None:
    assert understood(machine).hidden


def test_a_name_that_is_missing_is_the_identity() -> None:
    assert understood(somebody("guest-a", name="")).name == "guest-a"
