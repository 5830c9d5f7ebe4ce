"""Meetings that are not the bridge's: found behind a link, followed, and let go of."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from appservice.ownership import NotOwner
from bridge.calls.model import Call, CallState, DialIn, EndReason
from bridge.calls.ports import Meeting, ProviderFailure, SfuUnreachable, Sight
from bridge.store.records import encode_call
from bridge.store.tables import calls
from tests.support.office import ROOM, T0, TIMINGS, Office, a_call, seen

LINK = "https://visio.example/abc-defg-hij"
NEW_ROOM = "!new:hs"
SLUG, UUID = "abc-defg-hij", "0b0e0a0d"


async def followed(office: Office, sfu_room: str | None = UUID, **fields: object) -> None:
    """A call that follows a link, its card posted."""
    if sfu_room is not None:
        office.provider.found[LINK] = Meeting(LINK, sfu_room, access="trusted", adopted=True)
    await office.begin(a_call(CallState.OPENING, adopted=True, url=LINK, secret="", **fields))
    await office.look()
    await office.send()
    office.provider.done.clear()


async def a_clock_later(office: Office) -> None:
    office.now += TIMINGS.clock_ms
    await office.look()


async def test_a_link_is_followed_to_its_meeting(office: Office) -> None:
    await followed(office)
    office.provider.inside[UUID] = (seen("ada"),)
    await a_clock_later(office)
    (card,) = await office.cards()
    assert (card["state"], card["url"], card["count"]) == ("active", LINK, 1)
    call = await office.call()
    assert (call.adopted, call.access) == (True, "trusted")


async def test_what_goes_on_in_the_meeting_is_taken_over(office: Office) -> None:
    await followed(office)
    office.provider.inside[UUID] = (seen("ada"),)
    office.provider.going_on = Sight(recording=True, transcription=True, access="restricted")
    await office.look()
    call = await office.call()
    assert (call.recording, call.transcription, call.access) == (True, True, "restricted")


async def test_the_sfu_is_not_asked_about_a_meeting_that_does_not_exist(office: Office) -> None:
    await followed(office, sfu_room=None)
    for _ in range(3):
        await a_clock_later(office)
    assert office.provider.done == [("locate", "c1")] * 3
    assert (await office.call()).state is CallState.OPEN


async def test_a_meeting_is_followed_from_the_moment_it_exists(office: Office) -> None:
    await followed(office, sfu_room=None)
    dial_in = DialIn("+33 1 23 45 67 89", "1234567890")
    office.provider.found[LINK] = Meeting(LINK, UUID, adopted=True, dial_in=dial_in)
    office.provider.inside[UUID] = (seen("ada"),)
    await a_clock_later(office)
    call = await office.call()
    assert (call.state, call.sfu_room, call.dial_in) == (CallState.ACTIVE, UUID, dial_in)
    assert office.stored[-1].sfu_room == UUID, "webhooks about it are ours from now on"


async def test_hints_do_not_hurry_the_question_where_a_meeting_is(office: Office) -> None:
    await followed(office, sfu_room=None)
    for _ in range(5):
        office.now += 1_000
        await office.look()
    assert office.provider.done == [("locate", "c1")]


async def test_a_meeting_that_never_comes_to_be_is_waited_for_as_long_as_a_visitor(office: Office) -> None:
    await followed(office, sfu_room=None)
    office.now = T0 + TIMINGS.open_timeout_ms
    assert await office.look() == {"c1": None}
    assert (await office.call()).end_reason is EndReason.TIMEOUT


async def test_a_meeting_that_moves_is_followed_while_nobody_is_in(office: Office) -> None:
    await followed(office, sfu_room=SLUG)
    office.provider.found[LINK] = Meeting(LINK, UUID, adopted=True)
    office.provider.inside[SLUG] = (seen("ada"),)
    await a_clock_later(office)
    assert (await office.call()).sfu_room == SLUG
    office.provider.inside = {UUID: (seen("bob"),)}
    await office.look(gone=frozenset({"ada"}))
    await a_clock_later(office)
    call = await office.call()
    assert (call.sfu_room, [p.identity for p in call.participants]) == (UUID, ["bob"])


async def test_a_visio_that_does_not_say_where_a_meeting_is_changes_nothing(office: Office) -> None:
    await followed(office, sfu_room=None)

    async def nobody_knows(call: Call) -> Meeting | None:
        raise ProviderFailure("visio_unreachable", "start it", retry=True)

    office.provider.locate = nobody_knows  # type: ignore[method-assign]
    version = (await office.call()).version
    await a_clock_later(office)
    assert (await office.call()).version == version


async def test_a_visio_that_hangs_keeps_no_meeting_from_being_opened(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = asyncio.Event()

    async def hanging(_call: Call) -> None:
        await answers.wait()

    monkeypatch.setattr(office.provider, "locate", hanging)
    waiting = [f"followed-{number}" for number in range(40)]
    for call_id in waiting:
        call = a_call(id=call_id, room_id=f"!{call_id}:hs", adopted=True, url=LINK, sfu_room=None)
        await office.begin(call.but(provider="visio"))
    await office.begin(a_call(CallState.OPENING, id="opening"))
    following = await office.reconciler.look(dict.fromkeys(waiting, frozenset()))
    opening = (await office.reconciler.look({"opening": frozenset()}))["opening"]
    assert isinstance(opening, asyncio.Task)
    done, _ = await asyncio.wait([opening], timeout=5)
    answers.set()
    await asyncio.gather(opening, *filter(asyncio.isfuture, following.values()))
    assert done == {opening}


async def test_the_end_of_a_followed_meeting_only_unties_it(office: Office) -> None:
    await followed(office)
    office.provider.inside[UUID] = (seen("ada"),)
    await office.look()
    await office.change(state=CallState.ENDED, end_reason=EndReason.COMMAND, ended_ts=T0, closing=True)
    assert await office.look() == {"c1": None}
    assert ("close", "c1") not in office.provider.done
    assert office.provider.inside[UUID]
    assert not (await office.call()).closing


async def test_people_who_gather_again_behind_a_followed_link_get_a_new_card(office: Office) -> None:
    await followed(office)
    ended: dict[str, Any] = {"end_reason": EndReason.EMPTY, "ended_ts": T0, "url": None, "former_url": LINK}
    await office.change(state=CallState.ENDED, **ended)
    await office.send()
    office.provider.inside[UUID] = (seen("ada"),)
    await office.look()
    (card,) = await office.cards()
    assert (card["state"], card["url"]) == ("active", LINK)
    assert office.stored[-1].adopted


async def test_one_link_in_fifty_rooms_is_one_question_and_one_roster(office: Office) -> None:
    office.provider.found[LINK] = Meeting(LINK, UUID, adopted=True)
    ids = [f"c{number}" for number in range(50)]
    for number, call_id in enumerate(ids):
        room = {"id": call_id, "room_id": f"!room{number}:hs"}
        await office.begin(a_call(CallState.OPENING, adopted=True, url=LINK, secret="", **room))
    await office.look(*ids)
    office.provider.done.clear()
    office.provider.inside[UUID] = (seen("ada"), seen("bob"))
    due = await office.look(*ids)
    assert [what for what, *_ in office.provider.done if what != "locate"] == ["who"]
    for call_id in ids:
        assert [p.identity for p in (await office.call(call_id)).participants] == ["ada", "bob"]
    assert len(set(due.values())) == 1, "the next look is one question again"


async def test_a_meeting_of_ours_that_another_room_follows_ends_for_everybody_only_where_it_began(
    office: Office,
) -> None:
    office.provider.found[LINK] = Meeting(LINK, UUID, adopted=True)
    await office.begin(a_call(url=LINK, sfu_room=UUID, secret=""))
    other = {"id": "c2", "room_id": "!other:hs", "url": LINK, "secret": ""}
    await office.begin(a_call(CallState.OPENING, adopted=True, **other))
    await office.look("c2")
    office.provider.inside[UUID] = (seen("ada"),)
    await office.look("c1", "c2")
    over = {"state": CallState.ENDED, "end_reason": EndReason.COMMAND, "ended_ts": T0, "closing": True}
    await office.change("c2", **over)
    await office.look("c2")
    assert office.provider.inside[UUID], "the other room goes on"
    await office.change("c1", **over)
    await office.look("c1")
    assert UUID not in office.provider.inside


# Without an SFU


async def test_a_call_that_nobody_can_look_into_is_left_alone_for_half_a_day(office: Office) -> None:
    office.provider.found[LINK] = Meeting(LINK, UUID, adopted=True, unseen=True)
    await followed(office, sfu_room=None)
    assert (await office.call()).unseen
    assert await office.look() == {"c1": T0 + TIMINGS.unseen_ms}
    assert office.provider.done == []
    office.now = T0 + TIMINGS.unseen_ms
    await office.look()
    call = await office.call()
    assert (call.end_reason, call.closing, call.former_url) == (EndReason.TIMEOUT, False, None)


async def test_a_meeting_without_an_sfu_is_not_closed_there(office: Office) -> None:
    await office.begin(a_call(unseen=True))
    await office.change(state=CallState.ENDED, end_reason=EndReason.COMMAND, ended_ts=T0, closing=True)
    assert await office.look() == {"c1": None}
    assert office.provider.done == []


# Opening what is made elsewhere


async def test_asking_again_while_a_meeting_is_made_makes_no_second_one(office: Office) -> None:
    await office.begin(a_call(CallState.OPENING))
    opening = office.provider.open

    async def slowly(call: Call) -> Meeting:
        meeting = await opening(call)
        await office.change(askers=("$later",))
        return meeting

    office.provider.open = slowly  # type: ignore[method-assign]
    await office.look()
    call = await office.call()
    assert (call.state, call.askers) == (CallState.OPEN, ())
    assert office.provider.done == [("open", "c1")]
    assert len(await office.said()) == 1, "who asked later got the link"


@pytest.mark.parametrize(("secret", "unlinked"), [("", 1), ("s", 0)], ids=["of Visio's", "of our own"])
async def test_a_meeting_that_comes_too_late_is_shown_to_nobody_and_counted(
    office: Office, secret: str, unlinked: int
) -> None:
    await office.begin(a_call(CallState.OPENING))

    async def too_late(call: Call) -> Meeting:
        over: dict[str, Any] = {"end_reason": EndReason.COMMAND, "ended_ts": T0, "closing": True}
        await office.change(state=CallState.ENDED, **over)
        return Meeting(LINK, UUID, secret)

    office.provider.open = too_late  # type: ignore[method-assign]
    assert await office.look() == {"c1": office.now}
    assert LINK not in str(await office.outbox(ROOM))
    assert office.reconciler.opening.unlinked == unlinked


async def test_a_provider_that_does_not_answer_while_it_is_asked_for_people_keeps_them(
    office: Office,
) -> None:
    await followed(office)
    office.provider.inside[UUID] = (seen("ada"),)
    await office.look()
    office.provider.away = True

    async def not_asked(call: Call) -> Meeting | None:
        raise AssertionError("nobody knows that the meeting is empty")

    office.provider.locate = not_asked  # type: ignore[method-assign]
    await a_clock_later(office)
    call = await office.call()
    assert call.stale_since_ts is not None
    assert [p.identity for p in call.participants] == ["ada"]
    with pytest.raises(SfuUnreachable):
        await office.provider.who(call)


async def test_a_meeting_made_for_a_room_that_went_to_another_replica_is_counted(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.begin(a_call(CallState.OPENING))
    meeting = Meeting(LINK, UUID)

    async def made(_call: Call) -> Meeting:
        # Meanwhile the room goes to another replica, which will make a meeting of its own.
        monkeypatch.setattr(office.works, "begin", gone)
        return meeting

    def gone(room_id: str) -> None:
        raise NotOwner(room_id)

    monkeypatch.setattr(office.provider, "open", made)
    assert await office.look() == {"c1": None}
    assert office.reconciler.opening.unlinked == 1


async def test_the_card_of_a_room_that_is_replaced_while_the_meeting_is_made_stands_in_the_new_one(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.begin(a_call(CallState.OPENING))
    make = office.provider.open

    async def moved_meanwhile(call: Call) -> Meeting:
        monkeypatch.undo()
        after = call.but(room_id=NEW_ROOM, version=call.version + 1)
        columns = {"room_id": NEW_ROOM, "version": after.version, "call": encode_call(after)}
        async with office.database.begin() as connection:
            await connection.execute(sa.update(calls).where(calls.c.id == call.id).values(columns))
        return await make(call)

    monkeypatch.setattr(office.provider, "open", moved_meanwhile)
    assert await office.look() == {"c1": office.now}
    assert await office.cards() == []
    await office.look()
    assert await office.cards() == []
    assert len(await office.cards(NEW_ROOM)) == 1
