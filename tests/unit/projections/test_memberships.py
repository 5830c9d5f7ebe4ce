from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.calls.model import Participant
from bridge.projections import memberships
from bridge.projections.memberships import LIFETIME_MS, RENEW_MS, Face, Plan, Rung, Terrain
from bridge.rtc.identities import carried_device, ghost_user_id
from tests.unit.projections.samples import BOB, MARIE, PAUL

ROOM, NOW = "!room:hs.example", 1_800_000_000_000
BOT = "@visio:hs.example"
GHOST = ghost_user_id("marie", prefix="visio_", server_name="hs.example")
OPEN = Terrain(BOT, "hs.example", "visio_", ghosts=True, bot=True)
BOT_ONLY = replace(OPEN, ghosts=False)
CLOSED = replace(OPEN, ghosts=False, bot=False)
SERVICE = "https://bridge.example/livekit"


def plan(
    *people: Participant,
    before: Mapping[str, Face] | None = None,
    terrain: Terrain = OPEN,
    now: int = NOW,
    room_id: str = ROOM,
) -> Plan:
    return memberships.plan(people, room_id, before or {}, terrain, now)


def rungs(found: Plan) -> dict[str, Rung]:
    return {identity: face.rung for identity, face in found.faces.items()}


def test_each_takes_the_best_rung_that_is_theirs() -> None:
    found = plan(MARIE, PAUL, BOB)
    assert rungs(found) == {"marie": Rung.GHOST, "bob": Rung.BOT}
    assert found.faces["marie"].shown == f"{GHOST}:VISIO"
    assert found.faces["bob"].shown == f"{BOT}:{carried_device('bob')}"
    assert found.bring == (found.faces["marie"],)
    assert set(found.write) == set(found.faces.values())


def test_a_room_that_lets_no_ghost_in_has_the_bot_carry_all() -> None:
    assert rungs(plan(MARIE, BOB, terrain=BOT_ONLY)) == {"marie": Rung.BOT, "bob": Rung.BOT}


def test_in_a_room_where_nothing_may_be_written_the_card_tells() -> None:
    found = plan(MARIE, terrain=CLOSED)
    assert rungs(found) == {"marie": Rung.CARD}
    assert found.faces["marie"].shown is None
    assert found == Plan(faces=found.faces)


def test_who_only_says_who_they_are_gets_no_ghost() -> None:
    assert rungs(plan(replace(MARIE, verified=False))) == {"marie": Rung.BOT}


def test_nothing_is_written_twice() -> None:
    before = plan(MARIE, BOB).faces
    assert plan(MARIE, BOB, before=before, now=NOW + 1000) == Plan(faces=before)


def test_a_membership_is_renewed_before_it_expires_and_keeps_its_beginning() -> None:
    before = plan(BOB).faces
    later = NOW + RENEW_MS
    found = plan(BOB, before=before, now=later)
    (face,) = found.write
    assert (face.since_ts, face.renew_ts) == (NOW, later + RENEW_MS)
    written = memberships.content(face, SERVICE, later)
    assert written["created_ts"] + written["expires"] == later + LIFETIME_MS
    assert found.empty == ()


def test_who_leaves_loses_the_membership_and_the_ghost_waits() -> None:
    before = plan(MARIE, BOB).faces
    found = plan(before=before, now=NOW + 1)
    assert {face.identity for face in found.empty} == {"marie", "bob"}
    assert set(found.faces) == {"marie"}
    assert found.dismiss == ()
    again = plan(MARIE, before=found.faces, now=NOW + 2)
    assert again.bring == ()
    assert [face.identity for face in again.write] == ["marie"]


def test_a_new_name_goes_to_the_ghost() -> None:
    before = plan(MARIE).faces
    found = plan(replace(MARIE, name="Marie Skłodowska"), before=before, now=NOW + 1)
    assert [face.name for face in found.bring] == ["Marie Skłodowska"]
    assert found.write == ()


def test_a_rung_that_is_refused_is_left_without_a_trace() -> None:
    before = dict(plan(MARIE).faces)
    before["marie"] = memberships.refused(before["marie"])
    found = plan(MARIE, before=before, now=NOW + 1)
    assert rungs(found) == {"marie": Rung.BOT}
    assert [face.user_id for face in found.empty] == [GHOST]
    assert [face.user_id for face in found.write] == [BOT]
    assert [face.user_id for face in found.dismiss] == [GHOST]
    last = plan(MARIE, before={"marie": memberships.refused(found.faces["marie"])}, now=NOW + 2, terrain=OPEN)
    assert rungs(last) == {"marie": Rung.CARD}


def test_a_ghost_that_is_put_out_gives_way_and_what_it_wrote_is_emptied_by_others() -> None:
    before = plan(MARIE).faces["marie"]
    found = plan(MARIE, before={"marie": memberships.put_out(before)})
    assert rungs(found) == {"marie": Rung.BOT}
    assert found.bring == ()
    assert [(face.shown, face.out) for face in found.empty] == [(f"{GHOST}:VISIO", True)]
    assert found.write == (found.faces["marie"],)
    assert not found.faces["marie"].out


def test_what_the_room_has_refused_is_remembered_while_somebody_is_away() -> None:
    refused = plan(MARIE, before={"marie": memberships.put_out(plan(MARIE).faces["marie"])}).faces
    away = plan(before=refused)
    assert away.empty == (refused["marie"],)
    assert [(face.present, face.floor) for face in away.faces.values()] == [(False, Rung.BOT)]
    assert plan(before=away.faces) == Plan(faces=away.faces)
    back = plan(MARIE, before=away.faces)
    assert (rungs(back), back.bring) == ({"marie": Rung.BOT}, ())


def test_a_ghost_that_is_put_out_while_its_person_is_away_is_let_go_of() -> None:
    waiting = plan(before=plan(MARIE).faces).faces["marie"]
    found = plan(before={"marie": memberships.put_out(waiting)})
    assert (found.empty, [face.user_id for face in found.dismiss]) == ((), [GHOST])
    assert found.faces["marie"].rung is Rung.CARD


def test_in_a_room_that_replaces_another_everything_begins_anew() -> None:
    before = plan(MARIE, BOB).faces
    found = plan(MARIE, BOB, before=before, now=NOW + 1, room_id="!new:hs.example")
    assert {face.room_id for face in found.empty + found.dismiss} == {ROOM}
    assert {face.room_id for face in found.write + found.bring} == {"!new:hs.example"}


def test_when_nobody_is_shown_any_more_ghosts_leave() -> None:
    before = plan(MARIE, BOB).faces
    found = memberships.dismissal(before)
    assert set(found.empty) == set(before.values())
    assert [face.user_id for face in found.dismiss] == [GHOST]
    assert found.faces == {}


def test_the_membership_is_one_that_element_call_reads() -> None:
    face = plan(BOB).faces["bob"]
    written = memberships.content(face, SERVICE, NOW)
    assert face.state_key == f"_{BOT}_{face.device_id}_m.call"
    assert "created_ts" not in written
    assert written["focus_active"] == {"type": "livekit", "focus_selection": "multi_sfu"}
    assert written["foci_preferred"] == [
        {"type": "livekit", "livekit_service_url": SERVICE, "livekit_alias": ROOM}
    ]


_PEOPLE = st.sets(st.sampled_from([MARIE, replace(MARIE, identity="m2"), PAUL, BOB]))
_TERRAINS = st.sampled_from([OPEN, BOT_ONLY, CLOSED])


@given(st.lists(st.tuples(_PEOPLE, _TERRAINS, st.sampled_from([1, 1000, RENEW_MS])), max_size=8))
def test_matrix_always_shows_exactly_the_faces_that_are_stored(
    history: list[tuple[set[Participant], Terrain, int]],
) -> None:
    now, faces = NOW, dict[str, Face]()
    standing: dict[str, str] = {}
    ghosts: set[str] = set()
    for people, terrain, passes in history:
        now += passes
        found = plan(*people, before=faces, terrain=terrain, now=now)
        for face in found.empty:
            del standing[face.state_key]
        ghosts |= {face.user_id for face in found.bring}
        for face in found.write:
            if face.rung is Rung.GHOST:
                assert face.user_id in ghosts
            standing[face.state_key] = face.shown or ""
        ghosts -= {face.user_id for face in found.dismiss}
        faces = dict(found.faces)
        present = [face for face in faces.values() if face.present and face.shown]
        assert sorted(standing.values()) == sorted(face.shown or "" for face in present)
        assert ghosts == {face.user_id for face in faces.values() if face.rung is Rung.GHOST}


@pytest.mark.parametrize("rung", list(Rung))
def test_a_refusal_never_leads_upwards(rung: Rung) -> None:
    face = Face("x", ROOM, rung)
    assert memberships.refused(face).floor == min(rung + 1, Rung.CARD)
