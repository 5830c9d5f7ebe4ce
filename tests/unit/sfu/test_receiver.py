from __future__ import annotations

import pytest

from bridge.sfu import receiver as receiver_module
from bridge.sfu.receiver import REMEMBERED, REMEMBERED_MS, Outcome, WebhookReceiver
from bridge.sfu.tokens import ApiKey
from bridge.sfu.webhooks import Hint
from tests.unit.sfu.webhook_parts import JOINED, KEY, NOW, body_of, signed

BODY = body_of(JOINED)
OURS = {"passerelle-c1"}


class Desk:
    """A receiver with everything around it."""

    def __init__(self) -> None:
        self.hints: list[Hint] = []
        self.now = NOW
        self.receiver = WebhookReceiver(
            KEY, is_ours=OURS.__contains__, on_hint=self.hints.append, clock=lambda: self.now
        )

    def take(self, body: bytes, authorization: str | None = None) -> Outcome:
        return self.receiver.take(
            body, signed(body, now=self.now) if authorization is None else authorization
        )


def event(**fields: object) -> bytes:
    return body_of(JOINED | fields)


def test_a_proven_webhook_becomes_one_hint() -> None:
    desk = Desk()
    assert desk.take(BODY) is Outcome.TAKEN
    assert [hint.identity for hint in desk.hints] == ["guest-a"]


def test_a_webhook_that_comes_again_causes_nothing() -> None:
    desk = Desk()
    desk.take(BODY)
    assert [desk.take(BODY) for _ in range(3)] == [Outcome.REPEATED] * 3
    assert len(desk.hints) == 1


def test_a_replay_is_dropped_before_its_signature_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    desk.take(BODY)
    monkeypatch.delattr(receiver_module, "verify")
    assert desk.take(BODY) is Outcome.REPEATED


def test_a_foreign_room_is_dropped_before_its_signature_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk()
    monkeypatch.delattr(receiver_module, "verify")
    assert desk.take(event(room={"name": "somebody-elses"}), "forged") is Outcome.FOREIGN
    assert desk.take(event(room={}), "forged") is Outcome.FOREIGN
    assert desk.hints == []


def test_a_foreign_room_is_mostly_dropped_without_reading_its_webhook(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk()
    monkeypatch.delattr(receiver_module, "peek")
    assert desk.take(event(room={"sid": "RM_2", "name": "somebody-elses"}), "forged") is Outcome.FOREIGN
    assert desk.hints == []


def test_a_recording_of_a_meeting_of_ours_is_a_hint_about_it() -> None:
    desk = Desk()
    told = {
        "event": "egress_updated",
        "id": "EV_7",
        "egressInfo": {"egressId": "EG_1", "roomName": "passerelle-c1"},
    }
    assert desk.take(body_of(told)) is Outcome.TAKEN
    assert [(hint.kind, hint.room_name) for hint in desk.hints] == [("egress_updated", "passerelle-c1")]
    foreign = {**told, "egressInfo": {"egressId": "EG_1", "roomName": "somebody-elses"}}
    assert desk.take(body_of(foreign), "forged") is Outcome.FOREIGN


def test_of_a_foreign_webhook_nothing_is_kept_or_logged(capsys: pytest.CaptureFixture[str]) -> None:
    desk = Desk()
    for number in range(100):
        desk.take(event(id=f"EV_{number}", room={"sid": f"RM_{number}", "name": f"strangers-{number}"}))
    assert len(desk.receiver._taken) == 0
    assert capsys.readouterr().out == ""
    assert desk.receiver.outcomes == {Outcome.FOREIGN: 100}


def test_a_body_that_names_two_rooms_is_no_way_in() -> None:
    desk = Desk()
    ours, theirs = BODY[1:-1], event(room={"sid": "RM_2", "name": "somebody-elses"})[1:-1]
    assert desk.take(b"{" + ours + b", " + theirs + b"}", "forged") is Outcome.FOREIGN
    assert desk.take(b"{" + theirs + b", " + ours + b"}", "forged") is Outcome.FOREIGN
    assert desk.hints == []


def test_a_forged_webhook_is_refused_and_does_not_hide_the_real_one() -> None:
    desk = Desk()
    forger = ApiKey(KEY.id, "another-secret-of-thirty-two-characters")
    assert desk.take(BODY, signed(BODY, forger)) is Outcome.REFUSED
    assert desk.hints == []
    assert desk.take(BODY) is Outcome.TAKEN


def test_no_header_is_refused_without_reading_the_body() -> None:
    assert Desk().take(b"{not json", "") is Outcome.REFUSED


def test_a_body_that_is_no_webhook_is_malformed() -> None:
    assert Desk().take(b"[]") is Outcome.MALFORMED


def test_a_hint_that_could_not_be_taken_may_come_again() -> None:
    desk = Desk()

    def fail_once(hint: Hint) -> None:
        desk.receiver._on_hint = desk.hints.append
        raise RuntimeError("full")

    desk.receiver._on_hint = fail_once
    with pytest.raises(RuntimeError, match="full"):
        desk.take(BODY)
    assert desk.take(BODY) is Outcome.TAKEN


def test_what_is_remembered_has_a_limit() -> None:
    desk = Desk()
    for number in range(REMEMBERED + 10):
        desk.take(event(id=f"EV_{number}"))
    assert len(desk.receiver._taken) == REMEMBERED
    assert desk.take(event(id=f"EV_{REMEMBERED}")) is Outcome.REPEATED


def test_what_was_forgotten_after_a_time_is_expired_by_then() -> None:
    desk = Desk()
    token = signed(BODY)
    desk.take(BODY, token)
    desk.now += REMEMBERED_MS
    assert desk.take(BODY, token) is Outcome.REFUSED


def test_events_without_an_id_are_all_taken() -> None:
    desk = Desk()
    assert [desk.take(event(id="")) for _ in range(2)] == [Outcome.TAKEN] * 2


def test_every_outcome_is_counted() -> None:
    desk = Desk()
    desk.take(BODY)
    desk.take(BODY)
    desk.take(BODY, "")
    desk.take(b"[]")
    desk.take(event(room={"name": "other"}))
    assert desk.receiver.outcomes == dict.fromkeys(Outcome, 1)


def test_a_flood_of_forgeries_is_one_line_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    desk = Desk()
    for _ in range(50):
        desk.take(BODY, "forged")
    desk.now += 60_001
    desk.take(BODY, "forged")
    lines = [line for line in capsys.readouterr().out.splitlines() if "webhook refused" in line]
    assert len(lines) == 2
    assert "forged" not in "".join(lines)
