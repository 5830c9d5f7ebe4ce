from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.calls.model import ParticipantKind
from bridge.calls.ports import Seen, Sight
from bridge.providers.visio.participants import sight
from bridge.sfu.model import SfuKind, SfuParticipant
from tests.unit.calls.people import T0

SUB = "6f1d6b86-2f3c-4c0e-9a57-4b0b1f7b7d11"
ANONYMOUS = {"color": "hsl(135, 61%, 31%)", "room_role": "", "is_authenticated": "false"}
LOGGED_IN = {"color": "hsl(135, 61%, 31%)", "room_role": "owner", "is_authenticated": "true"}


def somebody(identity: str = SUB, **fields: Any) -> SfuParticipant:
    given = {"sid": "PA", "name": "Jean", "kind": SfuKind.STANDARD, "joined_ts": T0, **fields}
    return SfuParticipant(identity, **given)


def look(*inside: SfuParticipant, metadata: object = None, ours: frozenset[str] = frozenset()) -> Sight:
    text = metadata if isinstance(metadata, str) else orjson.dumps(metadata).decode() if metadata else ""
    return sight(inside, text, lambda participant: participant.identity in ours)


def the_one(*inside: SfuParticipant, **about: Any) -> Seen:
    (seen,) = look(*inside, **about).participants
    return seen


def test_somebody_who_is_logged_in_is_vouched_for_by_visio() -> None:
    seen = the_one(somebody(name="Marie Curie", attributes=LOGGED_IN))
    assert seen == Seen(SUB, "Marie Curie", ParticipantKind.VISIO, True, None, T0, role="owner")


def test_somebody_anonymous_is_a_guest() -> None:
    seen = the_one(somebody(attributes=ANONYMOUS))
    assert seen == Seen(SUB, "Jean", ParticipantKind.GUEST, False, None, T0)


@pytest.mark.parametrize("attributes", [{}, {"is_authenticated": "True"}, {"is_authenticated": "yes"}])
def test_who_is_not_said_to_be_logged_in_is_a_guest(attributes: dict[str, str]) -> None:
    assert the_one(somebody(attributes=attributes)).kind is ParticipantKind.GUEST


def test_an_account_that_never_logged_in_is_nobody_in_particular() -> None:
    seen = the_one(somebody("None", attributes=LOGGED_IN))
    assert (seen.kind, seen.verified) == (ParticipantKind.VISIO, False)


def test_a_person_from_matrix_whom_the_bridge_let_in_is_known() -> None:
    identity = "@marie:example.org:DEVICE"
    seen = the_one(somebody(identity, name="Marie"), ours=frozenset({identity}))
    assert (seen.kind, seen.verified, seen.user_id) == (ParticipantKind.MATRIX, True, "@marie:example.org")


@pytest.mark.parametrize("attributes", [ANONYMOUS, LOGGED_IN])
def test_a_guest_who_only_calls_themselves_a_person_from_matrix_is_none(attributes: dict[str, str]) -> None:
    seen = the_one(somebody("@marie:example.org:DEVICE", attributes=attributes))
    assert (seen.kind, seen.verified, seen.user_id) == (ParticipantKind.GUEST, False, None)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Phone +33612345678", "…78"),
        ("+33 6 12 34 56 78", "… 78"),
        ("Phone 0612345678", "…78"),
        ("Accueil (06.12.34.56.78)", "Accueil (….78)"),
        ("Salle 12", "Salle 12"),
        ("", ""),
    ],
)
def test_a_caller_is_not_shown_with_their_number(name: str, shown: str) -> None:
    seen = the_one(somebody("sip_+33612345678", name=name, kind=SfuKind.SIP))
    assert (seen.kind, seen.verified, seen.name) == (ParticipantKind.PHONE, False, shown)


def test_hands_and_names_follow() -> None:
    raised = {**LOGGED_IN, "handRaisedAt": "2026-11-22T10:55:50.382327+00:00"}
    assert the_one(somebody(attributes=raised)).hand
    assert not the_one(somebody(attributes={**LOGGED_IN, "handRaisedAt": ""})).hand
    assert the_one(somebody(name="Marie C.", attributes=LOGGED_IN)).name == "Marie C."


@pytest.mark.parametrize(
    ("said", "role"),
    [
        ("owner", "owner"),
        ("administrator", "administrator"),
        ("member", "member"),
        ("", None),
        ("king", None),
    ],
)
def test_roles_are_those_that_visio_has(said: str, role: str | None) -> None:
    assert the_one(somebody(attributes={"room_role": said})).role == role


@pytest.mark.parametrize(
    "machine",
    [
        somebody("EG_x", kind=SfuKind.EGRESS, hidden=True, recorder=True),
        somebody("EG_x", recorder=True),
    ],
)
def test_a_recorder_is_no_participant_but_a_recording(machine: SfuParticipant) -> None:
    assert look(machine) == Sight((), recording=True)


def test_what_takes_notes_for_visio_is_no_participant() -> None:
    transcriber = somebody("multi-user-transcriber-x", kind=SfuKind.AGENT, hidden=True)
    assert look(transcriber) == Sight((), transcription=True)
    assert look(somebody("metadata-collector-x", kind=SfuKind.AGENT, hidden=True)) == Sight()


def test_a_guest_cannot_pass_for_a_machine_to_stay_off_the_card() -> None:
    for name in ("multi-user-transcriber-x", "metadata-collector-x", "EG_x"):
        assert len(look(somebody(name)).participants) == 1


def test_whoever_else_listens_unseen_is_hidden_but_there() -> None:
    assert the_one(somebody("helper", kind=SfuKind.AGENT)).hidden
    assert the_one(somebody(hidden=True)).hidden


def test_a_stream_that_is_fed_in_is_a_guest() -> None:
    assert the_one(somebody("@a:b:C", kind=SfuKind.INGRESS)).kind is ParticipantKind.GUEST


@pytest.mark.parametrize(
    ("mode", "status", "recording", "transcription"),
    [
        ("screen_recording", "starting", True, False),
        ("screen_recording", "started", True, False),
        ("screen_recording", "saving", False, False),
        ("screen_recording", "aborted", False, False),
        ("transcript", "starting", False, True),
        ("transcript", "started", False, True),
        ("transcript", "saving", False, False),
        ("something_new", "started", True, False),
        (None, "started", False, False),
        ("screen_recording", None, False, False),
    ],
)
def test_recording_and_transcription_stand_in_the_rooms_metadata(
    mode: str | None, status: str | None, recording: bool, transcription: bool
) -> None:
    seen = look(metadata={"recording_mode": mode, "recording_status": status})
    assert (seen.recording, seen.transcription) == (recording, transcription)


def test_the_recorder_of_a_transcript_is_no_recording() -> None:
    machine = somebody("EG_x", kind=SfuKind.EGRESS)
    seen = look(machine, metadata={"recording_mode": "transcript", "recording_status": "started"})
    assert (seen.recording, seen.transcription) == (False, True)


def test_the_access_level_is_todays() -> None:
    assert look(metadata={"access_level": "restricted", "configuration": {}}).access == "restricted"
    assert look(metadata={"access_level": "open"}).access is None
    assert look().access is None


@pytest.mark.parametrize(
    "metadata",
    [
        "",
        "null",
        "[]",
        "7",
        '"text"',
        "{",
        "passerelle",
        '{"access_level": {}, "recording_status": []}',
        "[" * 9999,
    ],
)
def test_metadata_that_are_not_visios_say_nothing(metadata: str) -> None:
    assert look(somebody(), metadata=metadata) == look(somebody())


def test_metadata_without_end_are_not_read() -> None:
    assert look(metadata='{"access_level": "public", "x": "' + "x" * 100_000 + '"}').access is None


@settings(deadline=None)
@given(
    st.builds(
        SfuParticipant,
        identity=st.text(max_size=30),
        sid=st.just("PA"),
        name=st.text(max_size=300),
        kind=st.sampled_from(SfuKind),
        joined_ts=st.integers(0, 2**53),
        hidden=st.booleans(),
        recorder=st.booleans(),
        attributes=st.dictionaries(
            st.sampled_from(["is_authenticated", "room_role", "handRaisedAt"]), st.text(max_size=9)
        ),
    ),
    st.text(max_size=50),
)
def test_whatever_the_sfu_says_nobody_is_taken_for_a_person_from_matrix(
    participant: SfuParticipant, metadata: str
) -> None:
    for seen in look(participant, metadata=metadata).participants:
        assert seen.kind is not ParticipantKind.MATRIX
        assert seen.verified == (seen.kind is ParticipantKind.VISIO and seen.identity != "None")
