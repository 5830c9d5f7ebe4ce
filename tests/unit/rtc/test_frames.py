from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol.models import ParticipantInfo, ParticipantPermission, Room, TrackInfo
from livekit.protocol.rtc import (
    DataTrackSubscriberHandles,
    GetDataBlobRequest,
    ICEServer,
    JoinResponse,
    LeaveRequest,
    ParticipantUpdate,
    ReconnectResponse,
    RegionInfo,
    RegionSettings,
    RoomMovedResponse,
    SignalRequest,
    SignalResponse,
    SubscriptionPermission,
    TrackPermission,
)

from bridge.rtc.frames import AROUND, IDENTITIES_DOWN, IDENTITIES_UP, Translator
from bridge.rtc.roster import Roster
from bridge.sfu.model import IceServer
from tests.unit.rtc.house import Table

MARIE, PAUL, RECORDER = "5f0c9b3e-marie", "77aa01d2-paul", "EG_recorder"
GHOST, CARRIED = "@visio_abc:example.org:VISIO", "@visio:example.org:VISIOdef"
ALICE = "@alice:example.org:PHONE"
TABLE: dict[str, str | None] = {MARIE: GHOST, PAUL: CARRIED, RECORDER: None}
OURS = IceServer(("stun:stun.example.org:3478",))

_UNKNOWN = b"\xc2\x3e\x03new"
"""Field 1000, which no version knows yet."""


def translator(*ice_servers: IceServer) -> Translator:
    return Translator(Roster(Table(dict(TABLE))), ice_servers)


def fresh_token() -> str:
    return "a pass"


def down(message: SignalResponse, *ice_servers: IceServer) -> SignalResponse | None:
    frame = translator(*ice_servers).down(message.SerializeToString(), fresh_token)
    return None if frame is None else SignalResponse.FromString(frame)


def up(message: SignalRequest) -> SignalRequest:
    return SignalRequest.FromString(translator().up(message.SerializeToString()))


def person(identity: str, **more: object) -> ParticipantInfo:
    return ParticipantInfo(sid=f"PA_{identity}", identity=identity, **more)  # type: ignore[arg-type]


def update(*people: ParticipantInfo) -> SignalResponse:
    return SignalResponse(update=ParticipantUpdate(participants=people))


def identities(message: SignalResponse | None) -> list[str]:
    assert message is not None
    return [info.identity for info in message.update.participants]


# Identities


def test_everybody_in_a_join_is_shown_as_the_table_says() -> None:
    join = JoinResponse(participant=person(ALICE), other_participants=map(person, [MARIE, "@bob:x:Y", PAUL]))
    translated = down(SignalResponse(join=join))
    assert translated is not None
    assert [info.identity for info in translated.join.other_participants] == [GHOST, "@bob:x:Y", CARRIED]
    assert translated.join.participant.identity == ALICE


def test_everybody_in_an_update_is_shown_as_the_table_says() -> None:
    assert identities(down(update(person(MARIE), person(PAUL)))) == [GHOST, CARRIED]


def test_everything_else_said_of_somebody_stays() -> None:
    said = person(
        MARIE,
        name="Marie Curie",
        attributes={"color": "hsl(1, 2%, 3%)"},
        tracks=[TrackInfo(sid="TR_1", name="camera", width=640)],
        permission=ParticipantPermission(can_publish=True),
        version=7,
    )
    translated = down(update(said))
    assert translated is not None
    said.identity = GHOST
    assert translated.update.participants[0] == said


def test_everybody_in_another_room_is_shown_as_the_table_says() -> None:
    moved = RoomMovedResponse(
        room=Room(name="r"), participant=person(ALICE), other_participants=[person(MARIE)], token="the SFU's"
    )
    translated = down(SignalResponse(room_moved=moved))
    assert translated is not None
    assert translated.room_moved.other_participants[0].identity == GHOST
    assert translated.room_moved.participant.identity == ALICE
    assert translated.room_moved.token == "a pass"


def test_publishers_of_data_tracks_are_shown_as_the_table_says() -> None:
    track = DataTrackSubscriberHandles.PublishedDataTrack
    handles = DataTrackSubscriberHandles(
        sub_handles={
            1: track(publisher_identity=MARIE, track_sid="DT_1"),
            2: track(publisher_identity=RECORDER),
            3: track(publisher_identity="@bob:x:Y"),
        }
    )
    translated = down(SignalResponse(data_track_subscriber_handles=handles))
    assert translated is not None
    found = translated.data_track_subscriber_handles.sub_handles
    assert {handle: each.publisher_identity for handle, each in found.items()} == {1: GHOST, 3: "@bob:x:Y"}
    assert found[1].track_sid == "DT_1"


def test_the_unseen_are_left_out() -> None:
    assert identities(down(update(person(RECORDER), person(MARIE), person(RECORDER)))) == [GHOST]
    join = JoinResponse(participant=person(ALICE), other_participants=[person(RECORDER)])
    translated = down(SignalResponse(join=join))
    assert translated is not None
    assert not translated.join.other_participants


def test_an_update_about_nobody_else_is_not_passed_on() -> None:
    assert down(update(person(RECORDER))) is None


def test_a_client_always_sees_itself() -> None:
    assert down(SignalResponse(join=JoinResponse(participant=person(RECORDER)))) is not None
    translated = down(SignalResponse(join=JoinResponse(participant=person(RECORDER))))
    assert translated is not None
    assert translated.join.participant.identity == RECORDER


def test_what_a_client_says_of_others_is_translated_back() -> None:
    permissions = [TrackPermission(participant_identity=GHOST), TrackPermission(participant_sid="PA_1")]
    asked = up(SignalRequest(subscription_permission=SubscriptionPermission(track_permissions=permissions)))
    found = asked.subscription_permission.track_permissions
    assert [(each.participant_identity, each.participant_sid) for each in found] == [
        (MARIE, ""),
        ("", "PA_1"),
    ]
    asked = up(SignalRequest(get_data_blob_request=GetDataBlobRequest(participant_identity=CARRIED)))
    assert asked.get_data_blob_request.participant_identity == PAUL


# What leads around the gateway


def test_the_sfus_token_never_reaches_a_client() -> None:
    translated = down(SignalResponse(refresh_token="the SFU's"))
    assert translated is not None
    assert translated.refresh_token == "a pass"


def test_other_addresses_of_the_sfu_never_reach_a_client() -> None:
    regions = RegionSettings(regions=[RegionInfo(region="eu", url="wss://sfu.example.org")])
    leave = LeaveRequest(action=LeaveRequest.Action.RECONNECT, regions=regions)
    translated = down(SignalResponse(leave=leave))
    assert translated == SignalResponse(leave=LeaveRequest(action=LeaveRequest.Action.RECONNECT))
    elsewhere = JoinResponse(alternative_url="wss://sfu.example.org")
    assert down(SignalResponse(join=elsewhere)) == SignalResponse(join=JoinResponse())


@pytest.mark.parametrize("kind", ["join", "reconnect"])
def test_clients_are_told_the_administrators_ice_servers_only(kind: str) -> None:
    foreign = [ICEServer(urls=["stun:stun.l.google.com:19302"])]
    parts = {"join": JoinResponse(ice_servers=foreign), "reconnect": ReconnectResponse(ice_servers=foreign)}
    message = SignalResponse(**{kind: parts[kind]})  # type: ignore[arg-type]
    translated = down(message, OURS)
    assert translated is not None
    assert [list(server.urls) for server in getattr(translated, kind).ice_servers] == [list(OURS.urls)]


# What is not touched


_MAY_STAY = [field for field in SignalResponse.DESCRIPTOR.fields if field.name != "refresh_token"]


@pytest.mark.parametrize("field", _MAY_STAY, ids=lambda field: field.name)
def test_a_frame_without_reason_to_change_is_passed_on_as_the_same_object(field: FieldDescriptor) -> None:
    message = SignalResponse()
    if field.message_type:
        getattr(message, field.name).SetInParent()
    else:
        setattr(message, field.name, 1)
    frame = message.SerializeToString()
    assert translator().down(frame, fresh_token) is frame


@pytest.mark.parametrize("field", list(SignalRequest.DESCRIPTOR.fields), ids=lambda field: field.name)
def test_a_request_without_reason_to_change_is_passed_on_as_the_same_object(field: FieldDescriptor) -> None:
    message = SignalRequest()
    if field.message_type:
        getattr(message, field.name).SetInParent()
    else:
        setattr(message, field.name, 1)
    frame = message.SerializeToString()
    assert translator().up(frame) is frame


def test_native_participants_alone_are_no_reason_to_change_a_frame() -> None:
    frame = update(person(ALICE), person("@bob:x:Y")).SerializeToString()
    assert translator().down(frame, fresh_token) is frame


def test_a_kind_of_message_that_nobody_knows_yet_passes() -> None:
    assert translator().down(_UNKNOWN, fresh_token) is _UNKNOWN
    assert translator().up(_UNKNOWN) is _UNKNOWN


def test_fields_that_nobody_knows_yet_survive_a_translation() -> None:
    inner = person(MARIE).SerializeToString() + _UNKNOWN
    participants = b"\x0a" + bytes([len(inner)]) + inner + _UNKNOWN
    frame = b"\x2a" + bytes([len(participants)]) + participants + _UNKNOWN
    translated = translator().down(frame, fresh_token)
    assert translated is not None
    assert GHOST.encode() in translated
    assert translated.count(_UNKNOWN) == 3


@given(st.binary(max_size=4000))
def test_random_bytes_of_the_sfu_that_are_no_message_come_out_as_they_came_in(frame: bytes) -> None:
    out = translator().down(frame, fresh_token)
    try:
        SignalResponse.FromString(frame)
    except DecodeError:
        assert out is frame


@given(st.binary(max_size=4000))
def test_random_bytes_of_a_client_that_are_no_message_come_out_as_they_came_in(frame: bytes) -> None:
    out = translator().up(frame)
    try:
        SignalRequest.FromString(frame)
    except DecodeError:
        assert out is frame


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_PEOPLE = st.lists(
    st.builds(
        ParticipantInfo,
        sid=_TEXTS,
        identity=st.sampled_from([MARIE, PAUL, RECORDER, ALICE]) | _TEXTS,
        name=_TEXTS,
        version=st.integers(0, 2**32 - 1),
        state=st.sampled_from(list(ParticipantInfo.State.values())),
    ),
    max_size=6,
)


@given(
    _PEOPLE.map(lambda people: update(*people))
    | _PEOPLE.map(lambda people: SignalResponse(join=JoinResponse(other_participants=people)))
    | _PEOPLE.map(lambda people: SignalResponse(room_moved=RoomMovedResponse(other_participants=people)))
)
def test_no_identity_that_has_another_one_in_matrix_gets_through(message: SignalResponse) -> None:
    out = translator().down(message.SerializeToString(), fresh_token)
    assert out is None or not any(real in _said_identities(SignalResponse.FromString(out)) for real in TABLE)


@given(_PEOPLE.map(lambda people: update(*people).SerializeToString()), st.data())
def test_a_frame_that_is_cut_off_comes_out_as_it_came_in(frame: bytes, data: st.DataObject) -> None:
    cut = frame[: data.draw(st.integers(0, len(frame)))]
    out = translator().down(cut, fresh_token)
    try:
        SignalResponse.FromString(cut)
    except DecodeError:
        assert out is cut


def _said_identities(message: SignalResponse) -> list[str]:
    people = (
        *message.join.other_participants,
        *message.update.participants,
        *message.room_moved.other_participants,
    )
    return [info.identity for info in people]


# The same frame to many


def test_the_same_update_is_translated_once_for_everybody() -> None:
    shared = translator()
    frame = update(person(MARIE)).SerializeToString()
    first = shared.down(frame, fresh_token)
    assert shared.down(bytes(bytearray(frame)), fresh_token) is first


def test_after_a_change_of_names_the_same_update_is_translated_anew() -> None:
    table = Table({MARIE: GHOST})
    roster = Roster(table)
    shared = Translator(roster)
    frame = update(person(MARIE)).SerializeToString()
    shared.down(frame, fresh_token)
    table.shown_as[MARIE] = CARRIED
    roster.changes()
    shared.forget()
    translated = shared.down(frame, fresh_token)
    assert translated is not None
    assert identities(SignalResponse.FromString(translated)) == [CARRIED]


def test_what_is_kept_of_updates_is_bounded() -> None:
    shared = translator()
    big = [update(person(MARIE, metadata=f"{n}" * 100_000)).SerializeToString() for n in range(9)]
    first = shared.down(big[0], fresh_token)
    for frame in big:
        shared.down(frame, fresh_token)
    assert shared.down(big[0], fresh_token) is not first


# The protocol may grow


def _paths(message: Any, wanted: tuple[str, ...], within: tuple[str, ...] = ()) -> Iterator[str]:
    """Where fields with such a word in their names stand in a message, as dotted paths."""
    for field in message.fields:
        if any(word in field.name.lower() for word in wanted):
            yield field.name
        inner = field.message_type
        if inner is not None and inner.full_name not in within:
            for path in _paths(inner, wanted, (*within, inner.full_name)):
                yield f"{field.name}.{path}"


def test_every_place_where_the_sfu_names_an_identity_is_known() -> None:
    found = set(_paths(SignalResponse.DESCRIPTOR, ("identit",)))
    assert found == IDENTITIES_DOWN


def test_every_place_where_a_client_names_an_identity_is_known() -> None:
    assert set(_paths(SignalRequest.DESCRIPTOR, ("identit",))) == IDENTITIES_UP


_HARMLESS = {
    "join.participant.region",
    "join.other_participants.region",
    "join.server_region",
    "join.server_info.region",
    "join.ice_servers.urls",
    "reconnect.server_info.region",
    "reconnect.ice_servers.urls",
    "update.participants.region",
    "room_moved.participant.region",
    "room_moved.other_participants.region",
    "leave.regions.regions",
    "leave.regions.regions.region",
    "leave.regions.regions.url",
}
"""Names of regions lead nowhere, and the others are part of what is replaced as a whole."""


def test_everything_that_could_lead_around_the_gateway_is_known() -> None:
    words = ("token", "url", "region", "ice_server", "secret", "credential")
    found = set(_paths(SignalResponse.DESCRIPTOR, words))
    credentials = {"join.ice_servers.credential", "reconnect.ice_servers.credential"}
    assert found - _HARMLESS - credentials == AROUND
