from __future__ import annotations

import pytest

from appservice.operations import Redact, RedactSlots, SendEvent
from bridge.calls.model import Call, CallState, EndReason, Participant, ParticipantKind
from bridge.store import rooms
from bridge.store.calls import Conflict
from tests.support.office import ROOM, T0, Office, a_call, an_office


def people(*names: str) -> tuple[Participant, ...]:
    return tuple(Participant(n.lower(), n, ParticipantKind.GUEST, False, None, T0) for n in names)


def active(**fields: object) -> Call:
    return a_call(CallState.ACTIVE, first_join_ts=T0, **fields)


async def test_an_open_call_is_written_down_with_its_card(office: Office) -> None:
    await office.begin(a_call())
    ((slot, operation),) = await office.outbox()
    assert slot == "card:c1"
    assert isinstance(operation, SendEvent)
    assert operation.first is not None
    assert office.stored == [await office.call()]


async def test_a_room_has_one_call_at_a_time(office: Office) -> None:
    await office.begin(a_call())
    with pytest.raises(Conflict):
        await office.begin(a_call(id="c2"))
    assert await office.store.get("c2") is None
    assert len(await office.cards()) == 1


async def test_a_lost_race_writes_nothing(office: Office) -> None:
    before = await office.begin(a_call())
    await office.change(subject="First")
    office.stored.clear()
    with pytest.raises(Conflict):
        async with office.works.begin(ROOM) as work:
            await office.ledger.save(work, before, before.call.but(subject="Second"))
    assert (await office.call()).subject == "First"
    assert office.stored == []
    assert (await office.cards())[-1]["subject"] == "First"


async def test_the_roster_is_written_five_times_and_then_waits(office: Office) -> None:
    await office.begin(active())
    await office.send()
    edits = 0
    for number in range(8):
        await office.change(participants=people(*"ABCDEFGH"[: number + 1]))
        edits += len(await office.send())
    assert edits == 5
    record = await office.record()
    assert office.ledger.is_behind(record, record.call)
    office.now += 30_000
    async with office.works.begin(ROOM) as work:
        await office.ledger.save(work, record, record.call)
    (card,) = await office.cards()
    assert card["count"] == 8


async def test_an_edit_that_has_not_left_is_replaced_for_free(office: Office) -> None:
    await office.begin(active())
    await office.send()
    for number in range(20):
        await office.change(participants=people(*(f"P{n}" for n in range(number + 1))))
    cards = await office.cards()
    assert len(cards) <= 2
    assert cards[-1]["count"] == 20


async def test_a_change_of_state_does_not_wait(office: Office) -> None:
    await office.begin(active())
    await office.send()
    for number in range(8):
        await office.change(participants=people(*"ABCDEFGH"[: number + 1]))
        await office.send()
    await office.change(stale_since_ts=T0)
    assert (await office.cards())[0]["stale_since_ts"] == T0


async def test_the_first_event_never_names_anybody(office: Office) -> None:
    await office.begin(active(participants=people("Zéphyrine")))
    ((_, operation),) = await office.outbox()
    assert isinstance(operation, SendEvent)
    assert "Zéphyrine" in str(operation.content)
    assert "Zéphyrine" not in str(operation.first)


async def test_an_untied_call_writes_no_card(office: Office) -> None:
    record = await office.begin(a_call())
    async with office.works.begin(ROOM) as work:
        ended = record.call.but(state=CallState.ENDED, end_reason=EndReason.UNTIED, ended_ts=T0)
        await office.ledger.untie(work, record, ended)
    assert await office.outbox() == [], "what had not left is dropped"
    assert not office.ledger.is_behind(await office.record(), await office.call())


async def test_a_card_that_somebody_redacted_leaves_no_edit_behind(office: Office) -> None:
    await office.begin(active())
    await office.send()
    for names in ("A", "AB"):
        await office.change(participants=people(*names))
        await office.send()
    record = await office.record()
    async with office.works.begin(ROOM) as work:
        await office.ledger.take_names_away(work, record.call)
        await office.ledger.untie(work, record, record.call)
    written = [operation for _, operation in await office.outbox()]
    assert [type(operation) for operation in written] == [Redact, Redact, RedactSlots]


async def test_where_names_are_kept_a_redacted_card_keeps_its_edits(sqlite_url: str) -> None:
    async with an_office(sqlite_url, keep_names=True) as office:
        await office.begin(active())
        await office.send()
        await office.change(participants=people("A"))
        await office.send()
        call = await office.call()
        async with office.works.begin(ROOM) as work:
            await office.ledger.take_names_away(work, call)
        assert await office.outbox() == []


async def test_a_change_of_language_writes_the_card_anew(office: Office) -> None:
    await office.begin(a_call())
    await office.send()
    record = await office.record()
    async with office.works.begin(ROOM) as work:
        await rooms.remember(work, language="fr")
        await office.ledger.redraw(work, record)
    ((_, operation),) = await office.outbox()
    assert isinstance(operation, SendEvent)
    assert operation.content["body"].startswith("Visio ouverte")


async def test_a_call_that_is_over_forgets_who_asked_for_it(office: Office) -> None:
    await office.begin(active(started_by_name="Ada", askers=("$1",), denied=("eve",)))
    ended = await office.change(state=CallState.ENDED, end_reason=EndReason.COMMAND, ended_ts=T0)
    assert (ended.started_by_name, ended.askers, ended.denied) == ("", (), ())


async def test_observers_hear_of_nothing_that_was_rolled_back(office: Office) -> None:
    record = await office.begin(a_call())
    office.stored.clear()

    async def fails() -> None:
        async with office.works.begin(ROOM) as work:
            await office.ledger.save(work, record, record.call.but(subject="Lost"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fails()
    assert office.stored == []
    assert (await office.call()).subject is None
