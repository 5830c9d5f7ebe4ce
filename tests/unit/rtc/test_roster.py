from __future__ import annotations

from livekit.protocol.models import ParticipantInfo, TrackInfo

from bridge.rtc.roster import Roster, goodbye
from tests.unit.rtc.house import Table

MARIE, GHOST, CARRIED = "marie", "@ghost:x:VISIO", "@bot:x:VISIOabc"
GONE = ParticipantInfo.State.DISCONNECTED


def info(sid: str = "PA_1", identity: str = MARIE, **more: object) -> ParticipantInfo:
    return ParticipantInfo(sid=sid, identity=identity, **more)  # type: ignore[arg-type]


def test_somebody_stays_who_they_are_until_everybody_is_told_otherwise() -> None:
    table = Table({MARIE: GHOST})
    roster = Roster(table)
    assert roster.see(info()) == GHOST
    table.shown_as[MARIE] = CARRIED
    assert roster.see(info(version=1)) == GHOST
    assert roster.shown(MARIE) == GHOST
    roster.changes()
    assert roster.see(info(version=2)) == CARRIED


def test_a_change_says_who_leaves_and_who_comes() -> None:
    table = Table({MARIE: GHOST})
    roster = Roster(table)
    roster.see(info(name="Marie", tracks=[TrackInfo(sid="TR_1")]))
    table.shown_as[MARIE] = CARRIED
    (change,) = roster.changes()
    assert goodbye(change) == ParticipantInfo(sid="PA_1", identity=GHOST, state=GONE)
    assert roster.hello(change) == info(identity=CARRIED, name="Marie", tracks=[TrackInfo(sid="TR_1")])
    assert roster.changes() == []


def test_what_the_sfu_said_last_is_what_counts() -> None:
    table = Table({MARIE: GHOST})
    roster = Roster(table)
    roster.see(info(version=5, name="New"))
    # Another connection reads more slowly.
    roster.see(info(version=4, name="Old"))
    table.shown_as[MARIE] = CARRIED
    hello = roster.hello(roster.changes()[0])
    assert hello is not None
    assert hello.name == "New"


def test_who_has_left_does_not_come_back_by_an_older_frame() -> None:
    table = Table({MARIE: GHOST})
    roster = Roster(table)
    roster.see(info())
    assert roster.see(info(version=2, state=GONE)) == GHOST
    roster.see(info(version=1))
    table.shown_as[MARIE] = CARRIED
    assert roster.changes() == []


def test_who_leaves_and_comes_again_may_be_shown_otherwise() -> None:
    table = Table({MARIE: GHOST})
    roster = Roster(table)
    roster.see(info("PA_1"))
    roster.see(info("PA_1", state=GONE))
    table.shown_as[MARIE] = CARRIED
    assert roster.see(info("PA_2")) == CARRIED


def test_two_connections_of_one_identity_change_together() -> None:
    table = Table({MARIE: GHOST})
    roster = Roster(table)
    roster.see(info("PA_1"))
    roster.see(info("PA_2"))
    table.shown_as[MARIE] = None
    assert [(each.sid, each.before, each.after) for each in roster.changes()] == [
        ("PA_1", GHOST, None),
        ("PA_2", GHOST, None),
    ]
    assert roster.see(info("PA_2", version=9)) is None


def test_who_was_unseen_only_comes() -> None:
    table = Table({MARIE: None})
    roster = Roster(table)
    roster.see(info())
    table.shown_as[MARIE] = GHOST
    (change,) = roster.changes()
    assert (change.before, change.after) == (None, GHOST)


def test_nobody_is_announced_who_has_changed_again_or_left_since() -> None:
    table = Table({MARIE: GHOST})
    roster = Roster(table)
    roster.see(info())
    changes = []
    for face in (CARRIED, GHOST, CARRIED):
        table.shown_as[MARIE] = face
        changes += roster.changes()
    told = [roster.hello(change) for change in changes]
    assert [each and each.identity for each in told] == [None, None, CARRIED]
    roster.see(info(state=GONE))
    assert roster.hello(changes[-1]) is None


def test_a_departure_without_an_identity_is_understood_by_its_sid() -> None:
    roster = Roster(Table({MARIE: GHOST}))
    roster.see(info())
    assert roster.see(info(identity="", state=GONE)) == ""
    assert roster.changes() == []


def test_other_names_may_take_the_place_of_the_first() -> None:
    roster = Roster(Table({MARIE: GHOST}))
    roster.see(info())
    (change,) = roster.changes(Table({MARIE: CARRIED}))
    assert (change.before, change.after) == (GHOST, CARRIED)
    assert roster.real(CARRIED) == MARIE
