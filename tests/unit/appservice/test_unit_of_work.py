"""Slots: what is written, edited, forgotten and taken away in one place of a room."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest
import sqlalchemy as sa

from appservice import tables
from appservice.edits import as_edit
from appservice.operations import (
    RedactEdits,
    RedactSlots,
)
from appservice.rooms import RoomFacts
from tests.support.application import ROOM, Service, service
from tests.support.fake_homeserver import FakeHomeserver, Hold, cut
from tests.support.waiting import until
from tests.unit.appservice.writing import KEY, OTHER, card, say, write_all


async def test_a_newer_version_replaces_an_unsent_one_but_never_one_that_may_be_sent(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    hold = Hold()
    async with service(database_url, homeserver) as one:
        homeserver.misbehave(hold, "send", times=1)
        await one.write(card("v1"), slot="card:1")
        await hold.holds.wait()
        for version in ("v2", "v3", "v4"):
            await one.write(card(version), slot="card:1")
        await one.write(say("after"))
        await one.write(card("v5"), slot="card:1")
        hold.release.set()
        await one.idle()
        assert homeserver.texts(ROOM) == ["v1", "* v5", "after"]


async def test_the_first_event_of_a_slot_is_followed_by_edits_of_it(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver) as one:
        await one.write(card("open"), slot="card:1")
        await one.idle()
        await one.write(card("Marie is in"), slot="card:1")
        await one.idle()
        first, edit = homeserver.sent
        assert "m.relates_to" not in first.content
        assert first.content["body"] == "open"
        assert edit.content["m.relates_to"] == {"rel_type": "m.replace", "event_id": first.event_id}
        assert edit.content["body"] == "* Marie is in"
        assert edit.content["m.new_content"]["body"] == "Marie is in"
        for level in (edit.content, edit.content["m.new_content"]):
            assert level["m.mentions"] == {}
            assert level[KEY] == {"v": 1, "words": "Marie is in"}


async def test_an_edit_keeps_formatting_and_leaves_the_thread_to_the_first_event() -> None:
    content = {
        "body": "a",
        "formatted_body": "<b>a</b>",
        "m.relates_to": {"rel_type": "m.thread", "event_id": "$root"},
    }
    edit = as_edit(content, "$first")
    assert edit["formatted_body"] == "* <b>a</b>"
    assert edit["m.new_content"] == {"body": "a", "formatted_body": "<b>a</b>"}
    assert edit["m.relates_to"] == {"rel_type": "m.replace", "event_id": "$first"}


async def test_a_first_event_that_holds_back_is_followed_by_the_whole_at_once(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver) as one:
        await one.write(card("Marie is in", first="open"), slot="card:1")
        await one.idle()
        assert homeserver.texts(ROOM) == ["open", "* Marie is in"]
        await one.write(card("all gone", first="open"), slot="card:1")
        await one.idle()
        assert homeserver.texts(ROOM) == ["open", "* Marie is in", "* all gone"]


async def test_a_first_event_that_holds_back_gives_way_to_a_newer_version(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    hold = Hold()
    async with service(database_url, homeserver) as one:
        homeserver.misbehave(hold, "send", times=1)
        await one.write(card("Marie is in", first="open"), slot="card:1")
        await hold.holds.wait()
        await one.write(card("Marie and Paul are in", first="open"), slot="card:1")
        hold.release.set()
        await one.idle()
        assert homeserver.texts(ROOM) == ["open", "* Marie and Paul are in"]


async def test_forgetting_a_slot_drops_what_is_unsent_and_what_is_under_way_starts_nothing(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    hold = Hold()
    async with service(database_url, homeserver) as one:
        homeserver.misbehave(hold, "send", times=1)
        await one.write(card("v1", first="open"), slot="card:1")
        await hold.holds.wait()
        await one.write(card("v2"), slot="card:1")
        async with one.runtime.works.begin(ROOM) as work:
            await work.forget("card:1")
        hold.release.set()
        await one.write(say("after"))
        await one.idle()
        await until(lambda: homeserver.texts(ROOM)[-1] == "after")
        assert "* v2" not in homeserver.texts(ROOM)
        assert "* v1" not in homeserver.texts(ROOM)
        assert await one.rows(tables.published) == []


async def test_dropping_a_room_drops_all_that_is_unsent_there_and_only_there(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver) as one:
        one.runtime.gate.close("for the test")
        homeserver.misbehave(cut, "whoami")
        await write_all(one, "a", "b")
        await write_all(one, "c", room_id=OTHER)
        async with one.runtime.works.begin(ROOM) as work:
            await work.drop_room()
        homeserver.rules.clear()
        await one.idle()
        assert homeserver.texts(ROOM) == []
        assert homeserver.texts(OTHER) == ["c"]


async def test_the_slot_of_an_event_is_known_for_first_events_only(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver) as one:
        for text in ("v1", "v2"):
            await one.write(card(text), slot="card:1")
            await one.idle()
        first, edit = homeserver.sent
        async with one.runtime.works.begin(ROOM) as work:
            assert await work.slot_of(first.event_id) == "card:1"
            assert await work.slot_of(edit.event_id) is None
            assert await work.slot_of("$somebody else's") is None
            assert await work.event_of("card:1") == first.event_id
        async with one.runtime.works.begin(OTHER) as work:
            assert await work.slot_of(first.event_id) is None


async def test_older_edits_are_redacted_and_the_newest_stays_even_if_the_clock_steps_back(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    times = iter(range(2_000_000_000_000, 0, -1_000))
    async with service(database_url, homeserver, clock=lambda: next(times)) as one:
        for text in ("open", "Marie", "Marie, Paul", "ended"):
            await one.write(card(text), slot="card:1")
            await one.idle()
        _, older, old, _ = homeserver.sent
        await one.write(RedactEdits("card:1"))
        await one.idle()
        redacted = [sent.redacts for sent in homeserver.sent if sent.redacts]
        assert sorted(filter(None, redacted)) == sorted([older.event_id, old.event_id])
        await one.write(RedactEdits("card:1"))
        await one.idle()
        assert len([sent for sent in homeserver.sent if sent.redacts]) == 2


async def test_slots_are_redacted_by_the_beginning_of_their_name(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver) as one:
        for slot in ("named:a:1", "named:a:2", "named:ab:1", "named_a:1", "card:a"):
            await one.write(card(slot), slot=slot)
        await one.idle()
        await one.write(RedactSlots("named:a:"))
        await one.idle()
        named = {sent.event_id: sent.content.get("body") for sent in homeserver.sent}
        assert [named[str(s.redacts)] for s in homeserver.sent if s.redacts] == ["named:a:1", "named:a:2"]


async def test_edits_are_redacted_to_the_last_one_though_the_slot_is_forgotten_at_once(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver) as one:
        for text in ("open", "Marie", "Marie, Paul"):
            await one.write(card(text), slot="card:1")
            await one.idle()
        first, *edits = homeserver.sent
        async with one.runtime.works.begin(ROOM) as work:
            await work.redact_edits("card:1")
            await work.forget("card:1")
        await one.idle()
        redacted = {sent.redacts for sent in homeserver.sent if sent.redacts}
        assert redacted == {edit.event_id for edit in edits}
        assert first.event_id not in redacted


@pytest.mark.parametrize(("membership", "taken_back"), [("join", True), ("leave", False)])
async def test_what_reaches_a_room_while_its_slot_is_forgotten_is_taken_back(
    database_url: str, homeserver: FakeHomeserver, membership: str, taken_back: bool
) -> None:
    hold = Hold(do=True)
    async with service(database_url, homeserver) as one:
        await one.write(card("open"), slot="card:1")
        await one.idle()
        homeserver.misbehave(hold, "send", times=1)
        await one.write(card("Marie"), slot="card:1")
        await hold.holds.wait()
        async with one.runtime.works.begin(ROOM) as work:
            await work.store_facts(RoomFacts(ROOM, membership))
            await work.forget("card:1")
        hold.release.set()
        await until(lambda: one.runtime.sender._rooms.busy == 0)
        await one.idle()
        _, edit, *redactions = homeserver.sent
        assert [sent.redacts for sent in redactions] == ([edit.event_id] if taken_back else [])


async def test_two_who_change_what_is_known_of_a_room_do_not_undo_each_other(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver) as one:
        await change(one, fetched_ts=1)
        has_read, may_write = asyncio.Event(), asyncio.Event()
        first = asyncio.create_task(change(one, has_read, may_write, membership="join"))
        await has_read.wait()
        second = asyncio.create_task(change(one, fetched_ts=None))
        if one.database.is_postgres:
            await until(lambda: waits_for_a_row(one))
        may_write.set()
        await asyncio.gather(first, second)
        async with one.runtime.works.begin(ROOM) as work:
            known = await work.facts()
        assert (known.membership, known.fetched_ts) == ("join", None)


async def waits_for_a_row(one: Service) -> bool:
    """Whether somebody waits for another's transaction."""
    async with one.database.connect() as connection:
        waiting = sa.text(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool((await connection.execute(waiting)).scalar_one())


async def change(
    one: Service,
    has_read: asyncio.Event | None = None,
    may_write: asyncio.Event | None = None,
    **changes: Any,
) -> None:
    """Change what is known of the room, and wait between reading and writing if told so."""
    async with one.runtime.works.begin(ROOM) as work:
        known = await work.facts(to_change=True)
        if has_read and may_write:
            has_read.set()
            await may_write.wait()
        await work.store_facts(dataclasses.replace(known, **changes))
