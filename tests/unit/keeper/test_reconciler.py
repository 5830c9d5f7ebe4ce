from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge.calls.model import Action, ActionKind, Call, CallState, EndReason
from bridge.calls.ports import Meeting, ProviderFailure, Sight
from bridge.keeper.opening import OPENING_PATIENCE_MS
from tests.support.office import ROOM, T0, TIMINGS, Office, a_call, an_office, seen

SFU_ROOM = "passerelle-c1"


async def opened(office: Office, **fields: object) -> None:
    """A call that is open, its card posted."""
    await office.begin(a_call(CallState.OPENING, **fields))
    await office.look()
    await office.send()


# Opening


async def test_a_call_is_opened_and_gets_a_card(office: Office) -> None:
    await office.begin(a_call(CallState.OPENING, subject="Budget"))
    assert await office.cards() == []
    due = await office.look()
    call = await office.call()
    assert call.state is CallState.OPEN
    assert call.url == "https://visio.example/call/c1#s"
    assert call.started_by_name == "Ada Lovelace"
    (card,) = await office.cards()
    assert (card["state"], card["subject"], card["url"]) == ("open", "Budget", call.url)
    assert due == {"c1": T0 + TIMINGS.clock_ms}


async def test_whoever_asked_meanwhile_gets_the_link(office: Office) -> None:
    await office.begin(a_call(CallState.OPENING, thread_id="$root"))
    await office.change(askers=("", "$other"))
    await office.look()
    said = await office.said()
    assert len(said) == 3
    assert all("https://visio.example/call/c1#s" in text for text in said)
    assert (await office.call()).askers == ()


async def test_while_the_provider_is_away_the_room_is_told_once(office: Office) -> None:
    office.provider.failure = ProviderFailure("sfu_unreachable", "start it", retry=True)
    await office.begin(a_call(CallState.OPENING, reference="abc"))
    for _ in range(3):
        due = (await office.look())["c1"]
        assert due is not None
        office.now = due
    assert len(await office.said()) == 1
    assert "Ref. abc" in (await office.said())[0]
    office.provider.failure = None
    await office.look()
    assert (await office.call()).state is CallState.OPEN


async def test_after_a_minute_the_call_has_failed(office: Office) -> None:
    office.provider.failure = ProviderFailure("sfu_unreachable", "start it", retry=True)
    await office.begin(a_call(CallState.OPENING, reference="abc"))
    office.now += OPENING_PATIENCE_MS
    assert await office.look() == {"c1": None}
    (card,) = await office.cards()
    assert card["state"] == "failed"


async def test_what_cannot_heal_fails_at_once(office: Office) -> None:
    office.provider.failure = ProviderFailure("misconfigured", "a wrong key", retry=False)
    await office.begin(a_call(CallState.OPENING))
    await office.look()
    assert (await office.call()).failure == "misconfigured"


async def test_a_provider_that_was_taken_out_of_the_settings_fails_the_call(office: Office) -> None:
    await office.begin(a_call(CallState.OPENING, provider="gone"))
    await office.look()
    assert (await office.call()).failure == "misconfigured"


async def test_in_a_room_too_large_there_is_an_answer_and_no_card(office: Office) -> None:
    office.doorman.lets_open = False
    await office.begin(a_call(CallState.OPENING))
    await office.look()
    assert (await office.call()).end_reason is EndReason.UNTIED
    assert await office.cards() == []
    assert await office.said() == ["In this room only moderators can open a meeting."]


async def test_a_call_that_ended_while_it_was_being_opened_is_closed_again(office: Office) -> None:
    await office.begin(a_call(CallState.OPENING))
    await office.change(state=CallState.ENDED, end_reason=EndReason.COMMAND, ended_ts=T0, closing=True)
    assert await office.look() == {"c1": None}
    assert office.provider.done == [("close", "c1")]
    assert not (await office.call()).closing


async def test_a_provider_that_takes_long_holds_up_no_other_call(office: Office) -> None:
    await opened(office)
    await office.begin(a_call(CallState.OPENING, id="c2", room_id="!other:hs"))
    opening, answer = office.provider.open, asyncio.Event()

    async def slowly(call: Call) -> Meeting:
        await answer.wait()
        return await opening(call)

    office.provider.open = slowly  # type: ignore[method-assign]
    office.provider.inside[SFU_ROOM] = (seen("ada"),)
    due = await office.reconciler.look({"c1": frozenset(), "c2": frozenset()})
    assert (await office.call()).count == 1
    assert (await office.call("c2")).state is CallState.OPENING
    answer.set()
    assert isinstance(due["c2"], asyncio.Task)
    assert await due["c2"] == office.now + TIMINGS.clock_ms
    assert (await office.call("c2")).state is CallState.OPEN


# Looking


async def test_people_come_and_go(office: Office) -> None:
    await opened(office)
    office.provider.inside[SFU_ROOM] = (seen("ada"), seen("bob"))
    await office.look()
    (card,) = await office.cards()
    assert (card["state"], card["count"], card["came"]) == ("active", 2, 2)
    await office.send()
    office.provider.inside[SFU_ROOM] = (seen("ada"),)
    await office.look(gone=frozenset({"bob"}))
    (card,) = await office.cards()
    assert [p["name"] for p in card["participants"]] == ["Ada"]


async def test_a_look_that_finds_nothing_new_writes_nothing(office: Office) -> None:
    await opened(office)
    version = (await office.call()).version
    for _ in range(3):
        office.now += TIMINGS.clock_ms
        await office.look()
    assert (await office.call()).version == version
    assert await office.outbox() == []


async def test_an_sfu_that_does_not_answer_ends_nothing(office: Office) -> None:
    await opened(office)
    office.provider.inside[SFU_ROOM] = (seen("ada"),)
    await office.look()
    await office.send()
    office.provider.away = True
    office.now += 5_000
    due = await office.look()
    call = await office.call()
    assert call.stale_since_ts == office.now
    assert call.count == 1
    assert due["c1"] == office.now + 3_000
    assert (await office.cards())[0]["stale_since_ts"] == office.now
    office.now += TIMINGS.open_timeout_ms
    await office.look()
    assert (await office.call()).state is CallState.ACTIVE


async def test_a_silent_sfu_is_not_asked_for_each_of_many_calls(office: Office) -> None:
    for number in range(20):
        call = a_call(CallState.OPENING, id=f"c{number}", room_id=f"!r{number}:hs")
        await office.begin(call)
    everybody = [f"c{number}" for number in range(20)]
    await office.look(*everybody)
    office.provider.done.clear()
    office.provider.away = True
    await office.look(*everybody)
    assert len(office.provider.done) == 1
    stale = [(await office.call(call_id)).stale_since_ts for call_id in everybody]
    assert None not in stale


async def test_many_empty_calls_are_one_question(office: Office) -> None:
    for number in range(5):
        await office.begin(a_call(CallState.OPENING, id=f"c{number}", room_id=f"!r{number}:hs"))
    everybody = [f"c{number}" for number in range(5)]
    await office.look(*everybody)
    office.provider.done.clear()
    office.provider.inside["passerelle-c3"] = (seen("ada"),)
    await office.look(*everybody)
    assert office.provider.done == [("occupied", *everybody), ("who", "c3")]
    assert (await office.call("c3")).state is CallState.ACTIVE


async def test_a_defect_in_one_call_does_not_hold_up_the_others(office: Office) -> None:
    await opened(office)
    await office.begin(a_call(CallState.OPENING, id="c2", room_id="!other:hs"))
    office.provider.error = RuntimeError("with a name in it")
    due = await office.look("c1", "c2")
    assert due == {"c1": office.now + TIMINGS.clock_ms, "c2": office.now + TIMINGS.clock_ms}
    office.provider.error = None
    await office.look("c1", "c2")
    assert (await office.call("c2")).state is CallState.OPEN


async def test_a_call_that_a_defect_keeps_from_opening_fails_in_the_end(office: Office) -> None:
    office.provider.error = RuntimeError()
    await office.begin(a_call(CallState.OPENING))
    office.now += OPENING_PATIENCE_MS
    assert await office.look() == {"c1": None}
    assert (await office.call()).failure == "internal"


async def test_a_database_that_is_away_is_for_the_agenda_to_wait_for(office: Office) -> None:
    await opened(office)
    office.provider.error = ConnectionRefusedError()
    with pytest.raises(ConnectionRefusedError):
        await office.look()


async def test_a_call_that_changed_meanwhile_is_looked_at_again(office: Office) -> None:
    await opened(office)

    async def change_in_between(call: Call) -> Sight:
        await office.change(subject="Another")
        return Sight((seen("ada"),))

    office.provider.who = change_in_between  # type: ignore[method-assign]
    assert await office.look() == {"c1": office.now}
    assert (await office.call()).subject == "Another"


async def test_a_call_that_is_not_there_is_not_looked_at_again(office: Office) -> None:
    assert await office.look("unknown") == {"unknown": None}


# Ending


async def test_after_the_grace_the_call_is_over_and_the_meeting_closed(office: Office) -> None:
    await opened(office)
    office.provider.inside[SFU_ROOM] = (seen("ada"),)
    await office.look()
    await office.send()
    office.provider.inside[SFU_ROOM] = ()
    office.now += 1_000
    left = office.now
    due = await office.look(gone=frozenset({"ada"}))
    assert due["c1"] == T0 + TIMINGS.clock_ms
    await office.send()
    office.now = left + TIMINGS.grace_ms
    await office.look()
    call = await office.call()
    assert (call.state, call.end_reason, call.ended_ts) == (CallState.ENDED, EndReason.EMPTY, left)
    assert call.closing
    assert call.participants == ()
    assert call.started_by_name == ""
    kinds = [type(operation).__name__ for _, operation in await office.outbox()]
    assert kinds == ["SendEvent", "RedactEdits", "RedactSlots"]
    await office.look()
    assert office.provider.done[-1] == ("close", "c1")
    assert not (await office.call()).closing


async def test_closing_waits_for_the_sfu(office: Office) -> None:
    await opened(office)
    office.provider.away = True
    await office.change(state=CallState.ENDED, end_reason=EndReason.COMMAND, ended_ts=T0, closing=True)
    due = (await office.look())["c1"]
    assert due is not None
    assert due > office.now
    assert (await office.call()).closing
    office.provider.away = False
    assert await office.look() == {"c1": None}


async def test_attendance_does_not_outlive_the_call(office: Office) -> None:
    await opened(office)
    office.provider.inside[SFU_ROOM] = (seen("ada"),)
    await office.look()
    assert len(await office.store.persons("c1")) == 1
    await office.change(state=CallState.ENDED, end_reason=EndReason.COMMAND, ended_ts=T0)
    assert await office.store.persons("c1") == frozenset()


async def test_attendance_is_kept_where_the_administrator_wants_it(sqlite_url: str) -> None:
    async with an_office(sqlite_url, keep_names=True) as office:
        await opened(office)
        office.provider.inside[SFU_ROOM] = (seen("ada"),)
        await office.look()
        office.provider.inside[SFU_ROOM] = (seen("bob"),)
        await office.look(gone=frozenset({"ada"}))
        await office.send()
        await office.change(state=CallState.ENDED, end_reason=EndReason.COMMAND, ended_ts=T0)
        ((_, operation),) = await office.outbox()
        assert "Ada" in str(operation)
        assert "Bob" in str(operation)


# Acting


async def test_an_organiser_has_somebody_muted(office: Office) -> None:
    await opened(office)
    office.provider.inside[SFU_ROOM] = (seen("ada"),)
    await office.look()
    await office.send()
    await office.change(pending=(Action(ActionKind.MUTE, "ada", "Ada", "", T0),))
    assert await office.look() == {"c1": office.now}
    assert office.provider.done[-1] == ("mute", "ada")
    assert await office.said() == ["Microphone of “Ada” (guest) turned off."]
    assert (await office.call()).pending == ()


async def test_whoever_is_put_out_stays_out(office: Office) -> None:
    await opened(office)
    office.provider.inside[SFU_ROOM] = (seen("ada"), seen("bob"))
    await office.look()
    await office.change(pending=(Action(ActionKind.KICK, "ada", "Ada", "", T0),))
    await office.look()
    assert (await office.call()).denied == ("ada",)
    office.provider.inside[SFU_ROOM] = (seen("ada"), seen("bob"))
    office.provider.done.clear()
    await office.look()
    assert office.provider.done == [("who", "c1"), ("remove", "ada")]
    assert [p.identity for p in (await office.call()).participants] == ["bob"]


async def test_what_the_sfu_does_not_do_in_time_is_said(office: Office) -> None:
    await opened(office, reference="abc")
    await office.change(pending=(Action(ActionKind.MUTE, "ada", "Ada", "", T0),))
    office.provider.away = True
    assert await office.look() == {"c1": office.now + 2_000}
    assert await office.said() == []
    office.now += 30_000
    await office.look()
    assert "Ref. abc" in (await office.said())[0]
    assert (await office.call()).pending == ()


async def test_without_a_provider_nobody_can_be_muted_and_it_is_said(office: Office) -> None:
    await opened(office)
    await office.change(provider="gone", pending=(Action(ActionKind.MUTE, "ada", "Ada", "", T0),))
    await office.look()
    assert len(await office.said()) == 1


# Coming back


async def ended_by_itself(office: Office) -> None:
    await opened(office, subject="Budget")
    url = (await office.call()).url
    fields: dict[str, Any] = {"end_reason": EndReason.EMPTY, "ended_ts": T0, "url": None}
    await office.change(state=CallState.ENDED, former_url=url, **fields)
    await office.send()


async def test_people_who_gather_again_get_a_new_card(office: Office) -> None:
    await ended_by_itself(office)
    assert await office.look() == {"c1": office.now + TIMINGS.clock_ms}
    office.provider.inside[SFU_ROOM] = (seen("ada"),)
    assert await office.look() == {"c1": None}
    (card,) = await office.cards()
    assert card["id"] != "c1"
    assert (card["state"], card["subject"], card["came"]) == ("active", "Budget", 1)
    assert (await office.call()).former_url is None


async def test_listeners_alone_bring_no_card_back(office: Office) -> None:
    await ended_by_itself(office)
    office.provider.inside[SFU_ROOM] = (seen("recorder", hidden=True),)
    await office.look()
    assert await office.cards() == []


async def test_a_room_with_another_call_follows_the_old_link_no_more(office: Office) -> None:
    await ended_by_itself(office)
    await office.begin(a_call(CallState.OPENING, id="c2"))
    office.provider.inside[SFU_ROOM] = (seen("ada"),)
    assert await office.look() == {"c1": None}
    assert (await office.call()).former_url is None
    assert await office.cards() == []


@pytest.mark.parametrize(
    "room",
    [
        {"membership": "leave"},
        {"m.room.encryption": {"algorithm": "m.megolm.v1.aes-sha2"}},
        {"m.room.tombstone": {"replacement_room": "!new:hs"}},
    ],
)
async def test_no_card_comes_back_uninvited(office: Office, room: dict[str, object]) -> None:
    await ended_by_itself(office)
    await office.told(ROOM, **room)
    office.provider.inside[SFU_ROOM] = (seen("ada"),)
    assert await office.look() == {"c1": None}
    assert (await office.call()).former_url is None
    assert await office.cards() == []
