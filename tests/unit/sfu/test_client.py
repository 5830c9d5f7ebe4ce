from __future__ import annotations

from dataclasses import replace

import aiohttp
import pytest
from google.protobuf.message import Message
from livekit.protocol.models import (
    ParticipantInfo,
    ParticipantPermission,
    Room,
    TrackInfo,
    TrackSource,
    TrackType,
)
from livekit.protocol.room import (
    CreateRoomRequest,
    DeleteRoomResponse,
    ListParticipantsRequest,
    ListParticipantsResponse,
    ListRoomsRequest,
    ListRoomsResponse,
    MuteRoomTrackRequest,
    MuteRoomTrackResponse,
    RemoveParticipantResponse,
)

from bridge.calls.ports import SfuUnreachable
from bridge.sfu.client import NAMES_PER_REQUEST, Sfu
from bridge.sfu.model import RoomInfo, SfuKind, SfuParticipant
from bridge.sfu.twirp import SfuRefused, http_url
from tests.unit.sfu.fake_livekit import KEY, QUICK, error, fake_livekit, hang_up, page, protobuf

ACTIVE = ParticipantInfo.State.ACTIVE
NOBODY = protobuf(ListParticipantsResponse())


def listing(*people: ParticipantInfo) -> ListParticipantsResponse:
    return ListParticipantsResponse(participants=people)


async def test_participants_become_plain_data() -> None:
    ada = ParticipantInfo(
        sid="PA_1",
        identity="guest-ada",
        state=ACTIVE,
        name="Ada",
        joined_at=1_700_000_000,
        joined_at_ms=1_700_000_000_123,
        kind=ParticipantInfo.Kind.STANDARD,
        metadata="m",
        attributes={"color": "hsl(1, 2%, 3%)"},
        permission=ParticipantPermission(can_subscribe=True, hidden=True, recorder=False),
    )
    async with fake_livekit(protobuf(listing(ada))) as (fake, sfu):
        assert await sfu.participants("r") == (
            SfuParticipant(
                identity="guest-ada",
                sid="PA_1",
                name="Ada",
                kind=SfuKind.STANDARD,
                joined_ts=1_700_000_000_123,
                hidden=True,
                metadata="m",
                attributes={"color": "hsl(1, 2%, 3%)"},
            ),
        )
    assert ListParticipantsRequest.FromString(fake.asked[0].body).room == "r"
    assert fake.asked[0].grants == {"roomAdmin": True, "room": "r"}


async def test_only_active_participants_are_there() -> None:
    states = ParticipantInfo.State
    people = [
        ParticipantInfo(identity=str(state), state=state)
        for state in (states.JOINING, states.JOINED, states.ACTIVE, states.DISCONNECTED)
    ]
    async with fake_livekit(protobuf(listing(*people))) as (_, sfu):
        assert [p.identity for p in await sfu.participants("r")] == [str(states.ACTIVE)]


async def test_participants_come_in_order_of_arrival() -> None:
    late = ParticipantInfo(identity="late", state=ACTIVE, joined_at_ms=2)
    early = ParticipantInfo(identity="early", state=ACTIVE, joined_at_ms=1)
    async with fake_livekit(protobuf(listing(late, early))) as (_, sfu):
        assert [p.identity for p in await sfu.participants("r")] == ["early", "late"]


async def test_seconds_stand_in_where_an_old_server_tells_no_milliseconds() -> None:
    person = ParticipantInfo(identity="a", state=ACTIVE, joined_at=5)
    async with fake_livekit(protobuf(listing(person))) as (_, sfu):
        assert (await sfu.participants("r"))[0].joined_ts == 5_000


async def test_a_kind_of_the_future_is_unknown_and_no_error() -> None:
    future = ParticipantInfo(identity="a", state=ACTIVE)
    future.MergeFromString(bytes([14 << 3, 99]))
    assert future.kind == 99
    async with fake_livekit(protobuf(listing(future))) as (_, sfu):
        assert (await sfu.participants("r"))[0].kind is SfuKind.UNKNOWN


@pytest.mark.parametrize("kind", [kind for kind in SfuKind if kind is not SfuKind.UNKNOWN])
async def test_every_kind_has_its_name(kind: SfuKind) -> None:
    person = ParticipantInfo(identity="a", state=ACTIVE, kind=kind.name)
    async with fake_livekit(protobuf(listing(person))) as (_, sfu):
        assert (await sfu.participants("r"))[0].kind is kind


async def test_an_unknown_room_is_an_empty_one() -> None:
    async with fake_livekit(error(404, "not_found", "requested room does not exist")) as (_, sfu):
        assert await sfu.participants("r") == ()
        assert await sfu.delete_room("r") is False
        assert await sfu.remove("r", "a") is False
        assert await sfu.mute_microphones("r", "a") == 0


@pytest.mark.parametrize(
    "trouble",
    [
        error(503, "unavailable"),
        error(500, "internal"),
        error(429, "resource_exhausted"),
        error(408, "deadline_exceeded"),
        page(502, "<html>Bad gateway</html>"),
        page(504, ""),
        hang_up,
    ],
)
async def test_passing_trouble_is_not_noticed(trouble: object) -> None:
    async with fake_livekit(trouble, trouble, NOBODY) as (fake, sfu):  # type: ignore[arg-type]
        assert await sfu.participants("r") == ()
    assert fake.methods == ["ListParticipants"] * 3


@pytest.mark.parametrize(
    "nonsense",
    [
        page(200, ""),
        page(200, "<html>It works!</html>"),
        page(200, "OK", "text/plain"),
        page(200, "no protobuf", "application/protobuf"),
        page(302, "", Location="https://login.example/"),
        page(404, "<html>Not found</html>"),
        page(404, '["not_found"]', "application/json"),
        error(404, "bad_route"),
        error(400, "malformed"),
        error(401, "unauthenticated", "invalid API key"),
        error(403, "permission_denied"),
    ],
)
async def test_what_is_not_livekits_answer_never_means_an_empty_room(nonsense: object) -> None:
    async with fake_livekit(nonsense, NOBODY) as (fake, sfu):  # type: ignore[arg-type]
        with pytest.raises(SfuRefused):
            await sfu.participants("r")
    assert fake.methods == ["ListParticipants"], "what cannot heal is not repeated"


async def test_a_wrong_key_is_said_to_be_one() -> None:
    async with fake_livekit(error(401, "unauthenticated", "invalid API key")) as (_, sfu):
        with pytest.raises(SfuRefused, match=r"invalid API key.*sfu\.key"):
            await sfu.participants("r")


async def test_an_sfu_that_stays_down_is_unreachable_and_asked_once_until_it_answers() -> None:
    down = error(503, "unavailable")
    # So many attempts, rather than so much time, whose end would come in the middle of one.
    thrice = replace(QUICK, attempts=3)
    async with fake_livekit(down) as (fake, _), Sfu(fake.url, KEY, patience=thrice) as sfu:
        with pytest.raises(SfuUnreachable, match="unavailable"):
            await sfu.participants("r")
        assert len(fake.asked) == 3
        with pytest.raises(SfuUnreachable):
            await sfu.participants("r")
        assert len(fake.asked) == 4
        fake.script[:] = [NOBODY]
        await sfu.participants("r")
        fake.script[:] = [down, NOBODY]
        assert await sfu.participants("r") == ()


async def test_nobody_listening_on_the_port_is_unreachable(unused_tcp_port: int) -> None:
    async with Sfu(f"http://127.0.0.1:{unused_tcp_port}", KEY, patience=QUICK) as sfu:
        with pytest.raises(SfuUnreachable):
            await sfu.participants("r")


async def test_rooms_are_told_by_name() -> None:
    answer = ListRoomsResponse(rooms=[Room(name="a", sid="RM_1", num_participants=2, metadata="{}")])
    async with fake_livekit(protobuf(answer)) as (fake, sfu):
        assert await sfu.rooms(["a", "b", "a"]) == {"a": RoomInfo("RM_1", 2, "{}")}
    assert list(ListRoomsRequest.FromString(fake.asked[0].body).names) == ["a", "b"]
    assert fake.asked[0].grants == {"roomList": True}


async def test_no_names_are_no_question() -> None:
    async with fake_livekit(protobuf(ListRoomsResponse(rooms=[Room(name="other")]))) as (fake, sfu):
        assert await sfu.rooms([]) == {}
    assert fake.asked == []


async def test_many_names_are_asked_in_parts() -> None:
    names = {f"r{number}" for number in range(NAMES_PER_REQUEST * 2 + 1)}
    async with fake_livekit(protobuf(ListRoomsResponse())) as (fake, sfu):
        await sfu.rooms(names)
    asked = [ListRoomsRequest.FromString(request.body).names for request in fake.asked]
    assert [len(part) for part in asked] == [NAMES_PER_REQUEST, NAMES_PER_REQUEST, 1]
    assert {name for part in asked for name in part} == names


async def test_a_room_is_created_with_its_limits() -> None:
    async with fake_livekit(protobuf(Room(name="r", sid="RM_1"))) as (fake, sfu):
        info = await sfu.create_room(
            "r", empty_timeout_ms=300_000, departure_timeout_ms=20_001, max_participants=7
        )
    assert info.sid == "RM_1"
    request = CreateRoomRequest.FromString(fake.asked[0].body)
    assert (request.name, request.empty_timeout, request.departure_timeout) == ("r", 300, 21)
    assert request.max_participants == 7
    assert fake.asked[0].grants == {"roomCreate": True}


@pytest.mark.parametrize(
    ("act", "answer", "grants"),
    [
        ("delete_room", DeleteRoomResponse(), {"roomCreate": True}),
        ("remove", RemoveParticipantResponse(), {"roomAdmin": True, "room": "r"}),
    ],
)
async def test_deeds_say_whether_there_was_something_to_do(
    act: str, answer: Message, grants: dict[str, object]
) -> None:
    async with fake_livekit(protobuf(answer)) as (fake, sfu):
        done = await (sfu.delete_room("r") if act == "delete_room" else sfu.remove("r", "a"))
    assert done is True
    assert fake.asked[0].grants == grants


async def test_open_microphones_are_muted_and_nothing_else() -> None:
    person = ParticipantInfo(
        identity="a",
        tracks=[
            TrackInfo(sid="mic", type=TrackType.AUDIO, source=TrackSource.MICROPHONE),
            TrackInfo(sid="unlabelled", type=TrackType.AUDIO),
            TrackInfo(sid="muted", type=TrackType.AUDIO, source=TrackSource.MICROPHONE, muted=True),
            TrackInfo(sid="screen", type=TrackType.AUDIO, source=TrackSource.SCREEN_SHARE_AUDIO),
            TrackInfo(sid="camera", type=TrackType.VIDEO, source=TrackSource.CAMERA),
        ],
    )
    async with fake_livekit(protobuf(person), protobuf(MuteRoomTrackResponse())) as (fake, sfu):
        assert await sfu.mute_microphones("r", "a") == 2
    requests = [MuteRoomTrackRequest.FromString(request.body) for request in fake.asked[1:]]
    assert [(r.track_sid, r.muted, r.identity, r.room) for r in requests] == [
        ("mic", True, "a", "r"),
        ("unlabelled", True, "a", "r"),
    ]


async def test_a_session_that_was_handed_in_stays_open() -> None:
    async with fake_livekit(NOBODY) as (fake, _), aiohttp.ClientSession() as session:
        sfu = Sfu(fake.url, KEY, session=session)
        assert await sfu.participants("r") == ()
        await sfu.close()
        await sfu.close()
        assert not session.closed


async def test_a_closed_client_asks_nothing() -> None:
    async with fake_livekit(NOBODY) as (fake, sfu):
        await sfu.close()
        with pytest.raises(SfuUnreachable, match="closed"):
            await sfu.participants("r")
    assert fake.asked == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("wss://sfu.example", "https://sfu.example"),
        ("ws://sfu.example:7880/base/", "http://sfu.example:7880/base"),
        ("https://sfu.example/", "https://sfu.example"),
    ],
)
def test_the_api_has_the_signallings_address_over_http(given: str, expected: str) -> None:
    assert http_url(given) == expected
