"""Links to Visio meetings: followed by command, by themselves, after a question, or never."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from appservice.operations import RedactSlots, SendEvent
from bridge.calls.model import CallState
from bridge.calls.ports import Meeting, ProviderFailure
from bridge.commands import offers as offering
from bridge.locale import LANGUAGES, Voice
from bridge.store import notes
from bridge.store.records import Record
from tests.support.office import T0, Office, an_office, seen
from tests.unit.chat.front import ADA, BOB, EVE, MAX_AGE_MS, Front

LINK = "https://visio.example/abc-defg-hij"
OTHER = "https://visio.example/zzz-zzzz-zzz"
AGREE = "Follow this meeting"


@pytest.fixture
async def office(sqlite_url: str) -> AsyncIterator[Office]:
    async with an_office(sqlite_url) as made:
        made.provider.found[LINK] = Meeting(LINK, "uuid-1", access="trusted", adopted=True)
        yield made


@pytest.fixture
def always(office: Office) -> Front:
    return Front(office, "always")


@pytest.fixture
def ask(office: Office) -> Front:
    return Front(office, "ask")


async def the_call(front: Front) -> Record:
    """The only call; its meeting has been looked for."""
    (call,) = await front.office.store.listed()
    await front.office.look(call.id)
    return await front.office.record(call.id)


# By command


async def test_a_link_is_followed(ask: Front) -> None:
    await ask.say(f"!visio lier {LINK}")
    call = (await the_call(ask)).call
    assert (call.state, call.adopted, call.provider) == (CallState.OPEN, True, "visio")
    assert (call.url, call.sfu_room, call.access, call.secret) == (LINK, "uuid-1", "trusted", "")
    (card,) = await ask.office.cards()
    assert card["url"] == LINK


async def test_a_link_alone_is_no_subject(ask: Front) -> None:
    await ask.say(f"!visio {LINK}")
    assert (await the_call(ask)).call.url == LINK


async def test_in_a_thread_the_link_is_confirmed_there(ask: Front) -> None:
    await ask.say(f"!visio lier {LINK}", content={"thread": "$root"})
    await the_call(ask)
    (said,) = await ask.office.said()
    assert LINK in said


@pytest.mark.parametrize(
    ("link", "answer"),
    [
        ("https://visio.example.evil.example/abc-defg-hij", "I can follow only meetings of"),
        ("https://visio.example/about-us", "I can follow only meetings of"),
        ("https://elsewhere.example/abc-defg-hij", "I can follow only meetings of"),
    ],
)
async def test_a_link_that_is_not_visios_is_refused(ask: Front, link: str, answer: str) -> None:
    await ask.say(f"!visio lier {link}")
    (said,) = await ask.office.said()
    assert said.startswith(answer)
    assert await ask.office.store.listed() == []


async def test_without_visio_no_link_is_followed(office: Office) -> None:
    front = Front(office)
    await front.say(f"!visio lier {LINK}")
    (said,) = await office.said()
    assert said.startswith("I cannot follow existing meetings here.")


async def test_who_may_not_open_may_not_have_a_link_followed(ask: Front) -> None:
    await ask.say(f"!visio lier {LINK}", by=EVE)
    assert await ask.office.said() == ["In this room only members of hs can have a meeting followed."]
    assert await ask.office.store.listed() == []


async def test_the_same_link_again_is_followed_already(ask: Front) -> None:
    await ask.say(f"!visio lier {LINK}")
    await ask.say(f"!visio lier {LINK}?x=1")
    assert await ask.office.said() == ["This room follows this meeting already."]
    assert len(await ask.office.store.listed()) == 1


async def test_another_call_must_be_ended_first(ask: Front) -> None:
    await ask.say("!visio Budget")
    await ask.say(f"!visio lier {LINK}")
    (said,) = await ask.office.said()
    assert said.splitlines() == [
        "Another meeting is open here: Budget",
        "To follow this link, end that one first: !visio end",
    ]


async def test_a_link_that_cannot_be_followed_gets_a_card_that_says_so(ask: Front) -> None:
    ask.office.provider.failure = ProviderFailure("visio_nonsense", "", retry=False)
    await ask.say(f"!visio lier {LINK}")
    assert (await the_call(ask)).call.state is CallState.FAILED
    (card,) = await ask.office.cards()
    assert card["state"] == "failed"


# Ending


async def inside(front: Front, *names: str) -> str:
    """A followed meeting with people in it; answers the call's id."""
    await front.say(f"!visio lier {LINK}")
    call_id = (await the_call(front)).call.id
    front.office.provider.inside["uuid-1"] = tuple(map(seen, names))
    await front.office.look(call_id)
    await front.written()
    front.office.provider.done.clear()
    return call_id


async def test_a_followed_meeting_is_let_go_of_without_a_question_and_goes_on(ask: Front) -> None:
    call_id = await inside(ask, "zoe", "max", "eva", "leo")
    await ask.say("!visio fin")
    call = await ask.office.call(call_id)
    assert (call.state, call.closing) == (CallState.ENDED, False)
    await ask.office.look(call_id)
    assert ("close", call_id) not in ask.office.provider.done


@pytest.mark.parametrize("command", ["!visio muet Zoe", "!visio expulser Zoe"])
async def test_knowing_a_link_lends_nobody_power_over_the_people_in_the_meeting(
    ask: Front, command: str
) -> None:
    call_id = await inside(ask, "zoe")
    await ask.say(command)
    await ask.office.look(call_id)
    assert await ask.office.said() == [
        "I only follow this meeting. Its organisers can do that, inside the meeting."
    ]
    assert {what for what, *_ in ask.office.provider.done} <= {"who", "locate", "occupied"}


# Posted links that are followed by themselves


async def test_a_posted_link_is_followed_at_once(always: Front) -> None:
    await always.post(LINK, OTHER)
    call = (await the_call(always)).call
    assert (call.url, call.started_by, call.state) == (LINK, ADA, CallState.OPEN)


async def test_what_nobody_asked_for_fails_in_silence(always: Front) -> None:
    always.office.provider.failure = ProviderFailure("visio_unreachable", "", retry=True)
    await always.post(LINK)
    call_id = (await the_call(always)).call.id
    assert await always.office.outbox() == []
    always.office.now += 60_000
    await always.office.look(call_id)
    assert (await always.office.call(call_id)).state is CallState.FAILED
    assert await always.office.outbox() == []


async def test_in_a_room_too_large_for_it_a_posted_link_is_let_be(always: Front) -> None:
    always.office.doorman.lets_open = False
    await always.post(LINK)
    assert (await the_call(always)).call.state is CallState.ENDED
    assert await always.office.outbox() == []


async def test_a_link_that_is_posted_while_a_call_is_open_is_let_be(always: Front) -> None:
    await always.say("!visio")
    await always.post(LINK)
    assert len(await always.office.store.listed()) == 1
    assert await always.office.said() == []


async def test_who_may_not_open_posts_a_link_that_is_let_be(always: Front) -> None:
    await always.post(LINK, by=EVE)
    assert await always.office.store.listed() == []
    assert await always.office.outbox() == []


async def test_where_the_bot_is_not_or_cannot_read_no_link_is_followed(always: Front) -> None:
    await always.office.told(membership="leave")
    await always.post(LINK)
    await always.office.told(**{"m.room.encryption": {"algorithm": "m.megolm.v1.aes-sha2"}})
    await always.post(LINK)
    assert await always.office.store.listed() == []


async def test_a_link_from_before_an_outage_is_let_be(always: Front) -> None:
    await always.post(LINK, origin_ts=T0 - MAX_AGE_MS - 1)
    await always.post(LINK, content={"age": MAX_AGE_MS + 1})
    assert await always.office.store.listed() == []
    assert await always.office.outbox() == []


async def test_a_host_that_is_no_longer_configured_is_not_followed(always: Front) -> None:
    await always.post("https://former.example/abc-defg-hij")
    assert await always.office.store.listed() == []


async def test_links_are_let_be_where_the_administrator_says_never(office: Office) -> None:
    front = Front(office, "never")
    await front.post(LINK)
    assert await office.store.listed() == []
    assert await office.outbox() == []


# Posted links about which is asked


async def reactions(front: Front) -> list[SendEvent]:
    waiting = [operation for _, operation in await front.office.outbox()]
    return [o for o in waiting if isinstance(o, SendEvent) and o.type == "m.reaction"]


async def test_the_question_is_one_reaction_in_words(ask: Front) -> None:
    message = await ask.post(LINK)
    (offer,) = await reactions(ask)
    assert offer.content == {
        "m.relates_to": {"rel_type": "m.annotation", "event_id": message, "key": AGREE},
        "m.mentions": {},
    }
    assert await ask.office.store.listed() == []
    assert offering.key(Voice("fr")) == "Suivre cette visio"


async def test_a_link_that_is_on_offer_is_not_offered_twice(ask: Front) -> None:
    for _ in range(3):
        await ask.post(LINK)
    assert len(await reactions(ask)) == 1


async def test_many_links_are_not_all_offered(ask: Front) -> None:
    for number in range(50):
        await ask.post(f"https://visio.example/abc-defg-h{number:02}")
    assert len(await reactions(ask)) == 5


async def test_who_may_open_agrees_and_the_bot_takes_its_reaction_back(ask: Front) -> None:
    message = await ask.post(LINK, by=EVE)
    await ask.written()
    await ask.react(message, AGREE, by=BOB)
    call = (await the_call(ask)).call
    assert (call.url, call.started_by) == (LINK, BOB)
    assert RedactSlots(f"offer:{message}|") in await ask.written()


async def test_who_may_not_open_agrees_to_nothing(ask: Front) -> None:
    message = await ask.post(LINK)
    await ask.written()
    await ask.react(message, AGREE, by=EVE)
    assert await ask.office.store.listed() == []
    assert await ask.written() == []


async def test_two_who_agree_get_one_call(ask: Front) -> None:
    message = await ask.post(LINK)
    await ask.react(message, AGREE)
    await ask.react(message, AGREE, by=BOB)
    assert len(await ask.office.store.listed()) == 1
    assert await ask.office.said() == [], "both wanted this very meeting"


@pytest.mark.parametrize("language", LANGUAGES)
async def test_an_agreement_counts_in_any_language(ask: Front, language: str) -> None:
    assert offering.key(Voice(language)) in offering.KEYS


async def test_a_reaction_to_another_message_agrees_to_nothing(ask: Front) -> None:
    await ask.post(LINK)
    await ask.react("$elsewhere", AGREE)
    assert await ask.office.store.listed() == []


async def test_a_reaction_where_nothing_was_offered_is_not_answered(ask: Front) -> None:
    await ask.say("!visio Budget")
    await ask.written()
    await ask.react("$elsewhere", AGREE)
    assert await ask.office.said() == []


async def test_after_some_hours_the_offer_is_over(ask: Front) -> None:
    message = await ask.post(LINK)
    await ask.written()
    ask.office.now += offering.PATIENCE_MS + 1
    await ask.react(message, AGREE)
    assert await ask.office.store.listed() == []
    await ask.take(notes.OFFER_OVER, {"event_id": message}, sender="")
    assert await ask.written() == [RedactSlots(f"offer:{message}|")]


async def test_while_another_call_is_open_the_offer_stands(ask: Front) -> None:
    message = await ask.post(LINK)
    await ask.say("!visio Budget")
    await ask.react(message, AGREE)
    assert (await ask.office.said())[-1].startswith("Another meeting is open here: Budget")
    await ask.say("!visio fin")
    await ask.react(message, AGREE)
    assert LINK in {call.url for call in await ask.office.store.listed()}


async def test_a_command_answers_the_question_too(ask: Front) -> None:
    message = await ask.post(LINK)
    await ask.say(f"!visio lier {LINK}")
    assert RedactSlots(f"offer:{message}|") in await ask.written()
    await ask.say("!visio fin")
    await ask.react(message, AGREE)
    assert [call.state for call in await ask.office.store.listed()].count(CallState.OPENING) == 0


async def test_the_offer_goes_with_its_message(ask: Front) -> None:
    message = await ask.post(LINK)
    await ask.written()
    await ask.take("m.room.redaction", {"redacts": message}, redacts=message)
    assert await ask.written() == [RedactSlots(f"offer:{message}|")]


async def test_an_offer_that_is_over_is_let_be_where_the_bot_is_out(ask: Front) -> None:
    message = await ask.post(LINK)
    await ask.written()
    await ask.office.told(membership="leave")
    await ask.take(notes.OFFER_OVER, {"event_id": message}, sender="")
    assert await ask.written() == []


# The welcome


async def test_the_welcome_says_that_links_are_read_where_they_are(ask: Front, office: Office) -> None:
    await ask.membership("join")
    (welcome,) = await office.said()
    assert "I act only on !visio commands and Visio links" in welcome


# A meeting of ours in Visio


async def test_without_an_sfu_nobody_can_be_acted_on(ask: Front) -> None:
    await ask.say("!visio")
    (call,) = await ask.office.store.listed()
    await ask.office.look(call.id)
    await ask.office.change(call.id, unseen=True)
    await ask.written()
    await ask.say("!visio expulser Zoe")
    assert await ask.office.said() == [
        "I cannot see who is in this meeting. Its organisers can do that, inside the meeting."
    ]
