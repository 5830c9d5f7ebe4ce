"""A meeting of ours that goes on though its room has let go of it."""

from __future__ import annotations

from bridge.calls import lifecycle
from bridge.calls.model import Call, CallState, EndReason
from bridge.store import calls as store
from tests.support.office import ROOM, TIMINGS, Office, a_call, seen

SFU_ROOM = "passerelle-c1"


async def untied(office: Office) -> Call:
    """A call with Ada in it whose card somebody redacted."""
    await office.begin(a_call())
    office.provider.inside[SFU_ROOM] = (seen("ada"),)
    await office.look()
    await office.send()
    async with office.works.begin(ROOM) as work:
        record = await store.current(work.connection, ROOM)
        assert record is not None
        ended = lifecycle.end(record.call, work.now, EndReason.UNTIED)
        await office.ledger.untie(work, record, lifecycle.spent(ended))
    office.provider.done.clear()
    return await office.call()


async def test_it_is_watched_and_nothing_is_said_of_it(office: Office) -> None:
    call = await untied(office)
    assert (call.state, call.lingers) == (CallState.ENDED, True)
    assert [w.call_id for w in await office.store.watched(office.now + TIMINGS.resume_window_ms)] == ["c1"]
    office.provider.inside[SFU_ROOM] = (seen("ada"), seen("bob"))
    assert await office.look() == {"c1": office.now + TIMINGS.clock_ms}
    assert await office.outbox() == []
    assert (await office.call()).participants == (), "attendance does not outlive the card"


async def test_it_closes_once_it_was_empty_for_the_grace(office: Office) -> None:
    await untied(office)
    office.provider.inside[SFU_ROOM] = (seen("recorder", hidden=True),)
    await office.look()
    office.now += TIMINGS.grace_ms - 1
    assert await office.look() == {"c1": office.now + 1}
    office.now += 1
    assert await office.look() == {"c1": office.now}
    assert await office.look() == {"c1": None}
    call = await office.call()
    assert (call.lingers, call.closing, call.secret) == (False, False, "")
    assert office.provider.done[-1] == ("close", "c1")
    assert SFU_ROOM not in office.provider.inside
    assert await office.store.watched(office.now) == []


async def test_who_comes_back_in_time_keeps_it(office: Office) -> None:
    await untied(office)
    office.provider.inside[SFU_ROOM] = ()
    await office.look()
    office.now += TIMINGS.grace_ms
    office.provider.inside[SFU_ROOM] = (seen("ada"),)
    await office.look()
    assert (await office.call()).lingers


async def test_an_sfu_that_does_not_answer_closes_nothing(office: Office) -> None:
    await untied(office)
    office.provider.inside[SFU_ROOM] = ()
    await office.look()
    office.now += TIMINGS.grace_ms
    office.provider.away = True
    due = (await office.look())["c1"]
    assert due is not None
    assert due > office.now
    assert (await office.call()).lingers


async def test_whom_an_organiser_had_put_out_stays_out_of_it(office: Office) -> None:
    await office.begin(a_call(denied=("eve",)))
    office.provider.inside[SFU_ROOM] = (seen("ada"),)
    await office.look()
    await office.change(state=CallState.ENDED, end_reason=EndReason.UNTIED, lingers=True)
    office.provider.inside[SFU_ROOM] = (seen("ada"), seen("eve"))
    await office.look()
    assert [s.identity for s in office.provider.inside[SFU_ROOM]] == ["ada"]


async def test_the_room_can_have_another_call_meanwhile(office: Office) -> None:
    await untied(office)
    await office.begin(a_call(CallState.OPENING, id="c2"))
    await office.look("c1", "c2")
    assert (await office.call("c2")).state is CallState.OPEN
    assert (await office.call("c1")).lingers
