from __future__ import annotations

from appservice.operations import SendEvent
from bridge.calls.model import CallState
from bridge.keeper.ports import Member
from tests.support.office import T0, seen
from tests.unit.chat.front import ADA, BOB, EVE, MAX_AGE_MS, MOST_ANSWERS, Front

MISSED = "I was down when you typed !visio. Type it again if you still need it."


async def test_a_command_is_answered(front: Front) -> None:
    await front.say("!visio ping")
    assert await front.office.said() == ["I am here."]


async def test_a_message_that_is_no_command_is_not(front: Front) -> None:
    await front.say("visio ping")
    assert await front.office.outbox() == []


async def test_where_the_bot_is_not_in_or_cannot_read_it_says_nothing(front: Front) -> None:
    await front.office.told(membership="leave")
    await front.say("!visio ping")
    await front.office.told(**{"m.room.encryption": {"algorithm": "m.megolm.v1.aes-sha2"}})
    await front.say("!visio ping")
    assert await front.office.outbox() == []


async def test_in_a_direct_chat_a_word_is_enough(front: Front) -> None:
    await front.say("ping")
    assert await front.office.said() == []
    await front.office.told(partner=ADA)
    await front.say("ping")
    assert await front.office.said() == ["I am here."]


async def test_commands_from_before_an_outage_get_one_sentence(front: Front) -> None:
    long_ago = T0 - MAX_AGE_MS - 1
    for text in ("!visio", "!visio ping", "!visio fin"):
        await front.say(text, origin_ts=long_ago)
    assert await front.office.said() == [MISSED]
    assert await front.office.store.listed() == []


async def test_an_outage_later_gets_its_own_sentence(front: Front) -> None:
    await front.say("!visio", origin_ts=T0 - MAX_AGE_MS - 1)
    front.office.now += MAX_AGE_MS
    await front.say("!visio", origin_ts=T0 - 1)
    assert await front.office.said() == [MISSED, MISSED]


async def test_our_homeserver_knows_better_than_the_sender_how_old_a_message_is(front: Front) -> None:
    await front.say("!visio ping", origin_ts=0, content={"age": 50})
    assert await front.office.said() == ["I am here."]
    await front.say("!visio ping", origin_ts=T0, content={"age": MAX_AGE_MS + 1})
    assert await front.office.said() == ["I am here.", MISSED]


async def test_what_waited_in_our_own_inbox_grows_old_too(front: Front) -> None:
    await front.say("!visio ping", content={"age": 50}, received_ts=T0 - MAX_AGE_MS)
    assert await front.office.said() == [MISSED]


async def test_a_sender_whose_clock_is_ahead_is_obeyed(front: Front) -> None:
    await front.say("!visio ping", origin_ts=T0 + 10 * MAX_AGE_MS)
    assert await front.office.said() == ["I am here."]


async def test_an_answer_stands_in_the_thread_of_the_question(front: Front) -> None:
    await front.say("!visio ping", content={"thread": "$root"})
    ((_, answer),) = await front.office.outbox()
    assert isinstance(answer, SendEvent)
    assert answer.content["m.relates_to"]["event_id"] == "$root"


async def test_who_may_not_open_hears_who_may(front: Front) -> None:
    await front.say("!visio", by=EVE)
    assert await front.office.said() == ["In this room only members of hs can open a meeting."]
    assert await front.office.store.listed() == []


async def test_the_question_before_the_end_is_for_one_person_and_one_minute(front: Front) -> None:
    office = front.office
    levels = {"users": {ADA: 100, BOB: 100}}
    await office.told(**{"m.room.power_levels": levels})
    await front.say("!visio")
    (call,) = await office.store.listed()
    await office.look(call.id)
    office.provider.inside[f"passerelle-{call.id}"] = (seen("zoe"),)
    await office.look(call.id)
    await front.say("!visio fin")
    await front.say("!visio fin oui", by=BOB)
    assert (await office.call(call.id)).state is CallState.ACTIVE, "another one was asked"
    office.now += 60_001
    await front.say("!visio fin oui")
    assert (await office.call(call.id)).state is CallState.ACTIVE, "too late"
    await front.say("!visio fin oui")
    assert (await office.call(call.id)).state is CallState.ENDED


# Too much at once

ENOUGH = "Too many commands in this room. Wait a minute; until then only opening and !visio end work."
PONG = "I am here."


async def test_a_flood_of_questions_is_answered_up_to_a_limit_and_told_once(front: Front) -> None:
    for _ in range(50):
        await front.say("!visio ping")
    assert await front.office.said() == [PONG] * MOST_ANSWERS + [ENOUGH]
    front.office.now += 60_000
    await front.say("!visio ping")
    assert (await front.office.said())[-1] == PONG


async def test_a_flood_in_one_room_does_not_silence_another(front: Front) -> None:
    await front.office.told("!other:hs")
    for _ in range(50):
        await front.say("!visio ping")
    await front.say("!visio ping", room_id="!other:hs")
    assert await front.office.said("!other:hs") == [PONG]


async def test_in_a_flood_meetings_are_still_opened_and_ended(front: Front) -> None:
    for _ in range(50):
        await front.say("!visio ping")
    await front.say("!visio Budget")
    (call,) = await front.office.store.listed()
    await front.office.look(call.id)
    assert (await front.office.call(call.id)).state is CallState.OPEN
    front.office.provider.inside[f"passerelle-{call.id}"] = (seen("zoe"),)
    await front.office.look(call.id)
    await front.say("!visio fin")
    assert "End it for the one person inside?" in (await front.office.said())[-1]
    await front.say("!visio fin oui")
    assert (await front.office.call(call.id)).state is CallState.ENDED


async def test_in_a_flood_organisers_still_act_on_people(front: Front) -> None:
    await front.say("!visio")
    (call,) = await front.office.store.listed()
    await front.office.look(call.id)
    front.office.provider.inside[f"passerelle-{call.id}"] = (seen("zoe"),)
    await front.office.look(call.id)
    for _ in range(50):
        await front.say("!visio ping", by=BOB)
    await front.say("!visio expulser Zoe")
    await front.office.look(call.id)
    assert (await front.office.call(call.id)).denied == ("zoe",)
    assert "I removed “Zoe” (guest) from the meeting." in await front.office.said()


# Calling people


async def test_people_are_called_by_the_names_that_they_have_in_the_room(front: Front) -> None:
    call_id = await an_open_call(front)
    front.office.doorman.members = {BOB: Member("Bob Martin", True)}
    await front.say(f"!visio appeler {BOB}")
    assert await front.office.said() == [], "the homeserver is asked after the commit"
    await front.office.look(call_id)
    ((_, ring),) = await front.office.outbox()
    assert isinstance(ring, SendEvent)
    assert ring.content["msgtype"] == "m.text"
    assert ring.content["m.mentions"] == {"user_ids": [BOB]}
    assert ring.content["body"].splitlines()[0] == "Bob Martin: Ada Lovelace is calling you to the meeting."
    assert (await front.office.call(call_id)).pending == ()


async def test_who_is_not_in_the_room_is_named_to_the_caller(front: Front) -> None:
    call_id = await an_open_call(front)
    front.office.doorman.members = {BOB: Member("Bob", True), "@zoe:hs": Member(None, False)}
    await front.say(f"!visio appeler {BOB} @zoe:hs", content={"thread": "$root"})
    await front.office.look(call_id)
    ring, remark = await front.office.said()
    assert ring.startswith("Bob, zoe: Ada Lovelace is calling you")
    assert remark == "“zoe” is not in this room and does not hear the call: invite them first."
    for _, operation in await front.office.outbox():
        assert isinstance(operation, SendEvent)
        assert operation.content["m.relates_to"]["event_id"] == "$root"


async def test_while_the_homeserver_does_not_say_people_are_called_as_the_message_named_them(
    front: Front,
) -> None:
    call_id = await an_open_call(front)
    formatted = f'!visio appeler <a href="https://matrix.to/#/{BOB}">Bobby</a>'
    await front.say("!visio appeler Bobby", content={"formatted_body": formatted, "mentions": [BOB]})
    await front.office.look(call_id)
    (ring,) = await front.office.said()
    assert ring.startswith("Bobby: ")


async def test_nobody_is_called_more_than_three_times_in_a_minute_by_the_same_room(front: Front) -> None:
    call_id = await an_open_call(front)
    front.office.doorman.members = {BOB: Member("Bob", True), EVE: Member("Eve", True)}
    for _ in range(3):
        await front.say(f"!visio appeler {BOB}")
        await front.office.look(call_id)
        assert (await front.office.said())[-1].startswith("Bob: ")
        await front.written()
    front.office.now += 59_000
    await front.say(f"!visio appeler {BOB} {EVE}")
    await front.office.look(call_id)
    ring, remark = await front.office.said()
    assert ring.startswith("Eve: ")
    assert remark == "Bob: called less than a minute ago. Wait a little before calling again."
    await front.written()
    front.office.now += 1_000
    await front.say(f"!visio appeler {BOB}")
    await front.office.look(call_id)
    (ring,) = await front.office.said()
    assert ring.startswith("Bob: ")


async def test_who_was_not_in_the_room_can_be_called_again_at_once(front: Front) -> None:
    call_id = await an_open_call(front)
    for member in (Member(None, False), Member("Bob", True)):
        front.office.doorman.members = {BOB: member}
        await front.say(f"!visio appeler {BOB}")
        await front.office.look(call_id)
    assert (await front.office.said())[-1].startswith("Bob: ")


async def test_more_than_ten_are_told_to_be_too_many(front: Front) -> None:
    call_id = await an_open_call(front)
    crowd = [f"@user{number}:hs" for number in range(12)]
    await front.say(f"!visio appeler {' '.join(crowd)}")
    await front.office.look(call_id)
    (_, ring), (_, remark) = await front.office.outbox()
    assert isinstance(ring, SendEvent)
    assert isinstance(remark, SendEvent)
    assert ring.content["m.mentions"] == {"user_ids": crowd[:10]}
    assert remark.content["body"].startswith("I have called the first 10 people.")


async def test_calling_people_does_not_wait_for_an_sfu_that_is_away(front: Front) -> None:
    call_id = await an_open_call(front)
    front.office.provider.inside[f"passerelle-{call_id}"] = (seen("zoe"),)
    await front.office.look(call_id)
    await front.written()
    front.office.provider.away = True
    await front.say("!visio expulser Zoe")
    await front.say(f"!visio appeler {BOB}")
    await front.office.look(call_id)
    (ring,) = await front.office.said()
    assert ring.startswith("bob: ")


async def an_open_call(front: Front) -> str:
    """A call whose card has been posted; answers its id."""
    await front.say("!visio")
    (call,) = await front.office.store.listed()
    await front.office.look(call.id)
    await front.written()
    return call.id
