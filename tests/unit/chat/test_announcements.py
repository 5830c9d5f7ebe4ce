from __future__ import annotations

from appservice.operations import SendEvent
from bridge.calls.model import Action, ActionKind, Participant, ParticipantKind
from bridge.chat.announcements import RoomAnnouncements
from tests.support.office import BOT, ROOM, T0, a_call
from tests.unit.chat.front import ADA, Front


async def opened(front: Front, **fields: object) -> None:
    announcements = RoomAnnouncements(front.office.styles, BOT)
    async with front.office.works.begin(ROOM) as work:
        await announcements.opened(work, a_call(**fields))


async def test_whoever_asked_in_a_thread_gets_the_link_there(front: Front) -> None:
    await opened(front, thread_id="$root")
    ((_, answer),) = await front.office.outbox()
    assert isinstance(answer, SendEvent)
    assert answer.content["m.relates_to"]["event_id"] == "$root"
    assert "https://visio.example/call/c1#s" in answer.content["body"]


async def test_in_a_direct_chat_the_hint_comes_once(front: Front) -> None:
    await opened(front)
    assert await front.office.said() == [], "a room needs no hint"
    await front.office.told(partner=ADA)
    await opened(front)
    await opened(front)
    (hint,) = await front.office.said()
    assert BOT in hint


async def test_who_was_muted_is_named_and_the_answer_can_be_taken_away(front: Front) -> None:
    zoe = Participant("zoe", "Zoé", ParticipantKind.MATRIX, True, "@zoe:hs", T0)
    action = Action(ActionKind.MUTE, "zoe", "Zoé", "$root", T0)
    announcements = RoomAnnouncements(front.office.styles, BOT)
    async with front.office.works.begin(ROOM) as work:
        await announcements.acted(work, a_call(participants=(zoe,)), action, done=True)
    ((slot, answer),) = await front.office.outbox()
    assert slot is not None
    assert slot.startswith("named:c1:")
    assert isinstance(answer, SendEvent)
    assert answer.content["body"] == "Microphone of Zoé turned off."
    assert answer.content["m.relates_to"]["event_id"] == "$root"


async def test_whoever_has_left_meanwhile_is_called_as_they_were(front: Front) -> None:
    action = Action(ActionKind.KICK, "zoe", "Zoé", "", T0)
    announcements = RoomAnnouncements(front.office.styles, BOT)
    async with front.office.works.begin(ROOM) as work:
        await announcements.acted(work, a_call(), action, done=True)
    assert await front.office.said() == ["I removed “Zoé” (guest) from the meeting."]
