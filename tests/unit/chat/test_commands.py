from __future__ import annotations

from appservice.operations import SendEvent
from bridge.calls.model import CallState
from tests.support.office import T0, seen
from tests.unit.chat.front import ADA, BOB, EVE, MAX_AGE_MS, Front

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
