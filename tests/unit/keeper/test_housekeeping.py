from __future__ import annotations

import sqlalchemy as sa

from appservice.tables import published
from bridge.calls.model import CallState, EndReason
from bridge.keeper.housekeeping import KEEP_OVER_MS, Housekeeping
from bridge.store import questions
from bridge.store.tables import questions as questions_table
from tests.support.office import ROOM, T0, Office, a_call


async def count(office: Office, table: sa.Table) -> int:
    async with office.database.connect() as connection:
        return int((await connection.execute(sa.select(sa.func.count()).select_from(table))).scalar_one())


async def over(office: Office) -> None:
    await office.begin(a_call())
    await office.change(state=CallState.ENDED, end_reason=EndReason.COMMAND, ended_ts=T0)
    await office.send()


async def test_a_call_that_is_over_is_deleted_a_day_later_with_all_that_is_known_of_it(
    office: Office,
) -> None:
    await over(office)
    await office.begin(a_call(id="c2"))
    housekeeping = Housekeeping(office.database, office.clock)
    assert await housekeeping.sweep() == 0
    assert await count(office, published) > 0
    office.now += KEEP_OVER_MS + 1
    assert await housekeeping.sweep() == 1
    assert await office.store.get("c1") is None
    assert (await office.call("c2")).state is CallState.OPEN
    assert await count(office, published) == 0


async def test_a_call_that_still_has_to_be_closed_is_kept(office: Office) -> None:
    await office.begin(a_call())
    await office.change(state=CallState.ENDED, end_reason=EndReason.COMMAND, ended_ts=T0, closing=True)
    office.now += 10 * KEEP_OVER_MS
    assert await Housekeeping(office.database, office.clock).sweep() == 0


async def test_questions_that_nobody_answered_are_forgotten(office: Office) -> None:
    async with office.works.begin(ROOM) as work:
        await questions.ask(work, "end", "@ada:hs", 60_000)
    housekeeping = Housekeeping(office.database, office.clock)
    await housekeeping.sweep()
    assert await count(office, questions_table) == 1
    office.now += 60_001
    await housekeeping.sweep()
    assert await count(office, questions_table) == 0


async def test_it_can_be_started_and_stopped(office: Office) -> None:
    housekeeping = Housekeeping(office.database, office.clock)
    housekeeping.start()
    housekeeping.stored(a_call(CallState.ENDED))
    await housekeeping.stop()
