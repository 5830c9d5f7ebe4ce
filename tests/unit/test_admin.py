from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from appservice.tables import inbox, set_aside
from bridge import admin
from bridge.calls.model import CallState, EndReason, Participant, ParticipantKind
from bridge.store.notes import ADMIN_END
from tests.support.office import ROOM, T0, Office, a_call, an_office

ADA = Participant("a", "Ada Lovelace", ParticipantKind.GUEST, False, None, T0)


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[Office]:
    async with an_office(database_url) as made:
        yield made


async def rows(office: Office, query: sa.Select[Any]) -> list[Any]:
    async with office.database.connect() as connection:
        return list((await connection.execute(query)).all())


async def test_a_call_is_listed_with_its_numbers_and_without_a_name(
    office: Office, database_url: str
) -> None:
    await office.begin(a_call(state=CallState.ACTIVE, subject="Budget", participants=(ADA,)))
    (line,) = await admin.list_calls(database_url)
    assert line.row() == ("c1", "active", "2023-11-14 22:13:30Z", "1", "livekit", ROOM)
    assert len(line.HEADER) == len(line.row())


async def test_people_whom_the_sfu_cannot_count_have_a_question_mark(office: Office) -> None:
    assert admin.CallLine(a_call(participants=(ADA,), stale_since_ts=T0)).row()[3] == "1?"
    followed = admin.CallLine(a_call(provider="visio", adopted=True, unseen=True)).row()
    assert followed[3:5] == ("?", "visio, followed")


async def test_a_call_is_ended_by_a_note_in_its_room_and_only_while_it_is_not_over(
    office: Office, database_url: str
) -> None:
    await office.begin(a_call())
    ended = await admin.end_call(database_url, "c1")
    assert ended is not None
    assert ended.id == "c1"
    (note,) = await rows(office, sa.select(inbox).where(inbox.c.room_id == ROOM))
    assert ADMIN_END in note.body
    await office.change("c1", state=CallState.ENDED, end_reason=EndReason.COMMAND, ended_ts=T0)
    assert await admin.end_call(database_url, "c1") is None
    assert await admin.end_call(database_url, "unknown") is None


async def quarantine(office: Office) -> None:
    async with office.database.begin() as connection:
        await connection.execute(
            sa.insert(inbox).values(
                event_id="$e",
                room_id=ROOM,
                shard=0,
                received_ts=T0,
                state="quarantined",
                body="{}",
                attempts=5,
                error="KeyError at ledger.py:44",
            )
        )
        await connection.execute(
            sa.insert(set_aside).values(
                kind="transaction",
                reference="t7",
                length=1,
                sha256="0" * 64,
                reason="not JSON",
                received_ts=T0 + 1000,
            )
        )


async def test_what_was_set_aside_is_listed_with_its_reason(office: Office, database_url: str) -> None:
    await quarantine(office)
    event, unread = [line.row()[2:] for line in await admin.list_quarantine(database_url)]
    assert event == ("event", "KeyError at ledger.py:44", "$e", ROOM)
    assert unread == ("unread transaction", "not JSON (1 byte)", "t7", "-")


async def test_a_failed_event_can_be_handled_again_or_forgotten_but_never_taken_in_twice(
    office: Office, database_url: str
) -> None:
    await quarantine(office)
    event, unread = [line.id for line in await admin.list_quarantine(database_url)]
    assert await admin.retry_quarantine(database_url, event)
    assert await rows(office, sa.select(inbox.c.state, inbox.c.attempts)) == [("waiting", 0)]
    assert not await admin.drop_quarantine(database_url, event)
    assert not await admin.retry_quarantine(database_url, unread)
    assert await admin.drop_quarantine(database_url, unread)
    assert await admin.list_quarantine(database_url) == []


async def test_a_dropped_event_loses_its_content_and_stays_known(office: Office, database_url: str) -> None:
    await quarantine(office)
    event = (await admin.list_quarantine(database_url))[0].id
    assert await admin.drop_quarantine(database_url, event)
    assert await rows(office, sa.select(inbox.c.event_id, inbox.c.state, inbox.c.body)) == [
        ("$e", "done", None)
    ]


@pytest.mark.parametrize("entry", ["", "e", "u", "x1", "e-1", "e1.5", "1", "e٣"])
async def test_what_is_no_id_of_an_entry_is_not_found(database_url: str, entry: str) -> None:
    async with an_office(database_url):
        assert not await admin.retry_quarantine(database_url, entry)
        assert not await admin.drop_quarantine(database_url, entry)
