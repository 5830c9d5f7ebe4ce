"""What people can type, on the real homeserver and the real SFU (CONTRACT §4)."""

from __future__ import annotations

from typing import Any

from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.livekit import LiveKit
from tests.conftest import MakeBridge
from tests.support.bridges import LocalBridge
from tests.support.cards import Salon, inside, is_, mentioning, plain
from tests.support.people import Visitor

NOTHING_OPEN = "Aucune visio n’est ouverte ici. Écrivez !visio pour en ouvrir une."
PONG = "Je suis là."


def relates_to(relation: dict[str, Any]) -> dict[str, Any]:
    return {"m.relates_to": relation}


# Words


ANSWERED = (
    ("!visio aide", "ouvrir ou retrouver la réunion"),
    ("!visio help", "ouvrir ou retrouver la réunion"),
    ("!visio ping", PONG),
    ("!visio version", "Passerelle "),
    ("!visio lien", NOTHING_OPEN),
    ("!visio link", NOTHING_OPEN),
    ("!visio statut", NOTHING_OPEN),
    ("!visio status", NOTHING_OPEN),
    ("!visio fin", NOTHING_OPEN),
    ("!visio end", NOTHING_OPEN),
    ("!visio stop", NOTHING_OPEN),
    ("!visio terminer", NOTHING_OPEN),
    ("!visio appeler @bob:localhost", NOTHING_OPEN),
    ("!visio call @bob:localhost", NOTHING_OPEN),
    ("!visio inviter @bob:localhost", NOTHING_OPEN),
    ("!visio invite @bob:localhost", NOTHING_OPEN),
    ("!visio muet Bob", NOTHING_OPEN),
    ("!visio mute Bob", NOTHING_OPEN),
    ("!visio expulser Bob", NOTHING_OPEN),
    ("!visio kick Bob", NOTHING_OPEN),
    ("!visio lier https://visio.example/abc-defg-hij", "Je ne peux pas suivre"),
    ("!visio adopt https://visio.example/abc-defg-hij", "Je ne peux pas suivre"),
    # A bad argument gets the usage line.
    ("!visio appeler tout le monde", "Pour appeler quelqu’un"),
    ("!visio lier n’importe quoi", "Pour suivre une réunion"),
    ("!visio langue klingon", "Pour changer ma langue"),
    ("!visio langue", "Pour changer ma langue"),
    ("!visio muet", "Pour couper un micro"),
    ("!visio kick", "Pour retirer une personne"),
    # However it is written.
    ("!VISIO AIDE", "ouvrir ou retrouver la réunion"),
    ("!Visio Ping", PONG),
    ("! visio ping", PONG),
    ("!\u00a0visio ping", PONG),
    ("!visio\u00a0ping", PONG),
    ("!visio  ping ", PONG),
    ("!visio ping\nand a second line", PONG),
    # A lone near miss is asked about.
    ("!visio hlep", "Vouliez-vous dire !visio help ?"),
    ("!visio statu", "Vouliez-vous dire !visio statut ?"),
)
"""What to type where nothing is open, and what is in the answer."""


async def test_every_word_in_two_languages_is_answered(salon: Salon) -> None:
    wrong = {}
    for question, answer in ANSWERED:
        event = await salon.ask(question)
        if answer not in plain(event["content"]["body"]) or event["content"]["msgtype"] != "m.notice":
            wrong[question] = event["content"]
    assert not wrong
    assert not salon.cards, "nothing was opened"


SUBJECTS = (
    ("!visio fin de projet", "fin de projet"),
    ("!visio : fin", "fin"),
    ("!visio aide aux victimes", "aide aux victimes"),
    ("!visio : fin de projet", "fin de projet"),
    ("!visio", None),
    ("! visio Budget 2027", "Budget 2027"),
    ("!visio " + "é" * 300, "é" * 99 + "…"),
    ("!visio Budget\nsecond line", "Budget"),
)
"""What to type, and the subject of the meeting."""


async def test_everything_else_is_a_subject(salon: Salon) -> None:
    for number, (text, subject) in enumerate(SUBJECTS, 1):
        await salon.say(text)
        card = await salon.card(is_("open"), number=number)
        assert card.call["subject"] == subject
        assert card.body.splitlines()[0] == (f"Visio ouverte : {subject}" if subject else "Visio ouverte")
        await salon.say("!visio fin")
        await salon.card(is_("ended"), number=number)


async def test_mentions_are_taken_out_of_the_subject(salon: Salon, bob: MatrixUser) -> None:
    await salon.say(
        f"!visio Point budget {bob.user_id}",
        format="org.matrix.custom.html",
        formatted_body=f'!visio Point budget <a href="https://matrix.to/#/{bob.user_id}">Bob</a>',
        **mentioning(bob.user_id),
    )
    card = await salon.card(is_("open"))
    assert card.call["subject"] == "Point budget"
    assert card.content["m.mentions"] == {}, "their client has notified them by the message itself"


async def test_what_is_no_command_gets_no_answer(salon: Salon, bob: MatrixUser) -> None:
    await salon.admit(bob)
    room, user = salon.room_id, salon.user
    first = await salon.say("visio")
    await salon.say("Bonjour, une !visio ?")
    await salon.say("!visioconference")
    await salon.say("> <@someone:localhost> !visio aide\n\nMerci !")
    await user.send(room, "m.room.message", {"msgtype": "m.notice", "body": "!visio"})
    await user.send(room, "m.room.message", {"msgtype": "m.emote", "body": "!visio"})
    await user.edit(room, first, "!visio aide")
    await user.send(
        room, "m.reaction", {"m.relates_to": {"rel_type": "m.annotation", "event_id": first, "key": "!visio"}}
    )
    assert await salon.reply("!visio statut") == NOTHING_OPEN
    assert len(salon.answers(first)) == 1, salon.said()
    assert not salon.cards


async def test_a_command_under_a_quoted_message_counts(salon: Salon) -> None:
    first = await salon.say("Bonjour")
    relation = {"m.in_reply_to": {"event_id": first}}
    quoted = f"> <{salon.user.user_id}> Bonjour\n\n!visio ping"
    assert await salon.reply(quoted, **relates_to(relation)) == PONG


async def test_a_flood_of_questions_is_cut_short_and_meetings_still_open(
    make_bridge: MakeBridge, alice: MatrixUser
) -> None:
    bridge = make_bridge({"limits": {"answers_per_minute": 5}})
    await bridge.start()
    salon = await Salon.made_by(alice, bridge.bot_id)
    for _ in range(20):
        await salon.say("!visio ping")
    await salon.say("!visio Budget")
    card = await salon.card(is_("open"))
    assert card.call["subject"] == "Budget"
    said = [plain(words) for words in salon.said()]
    assert said.count(PONG) == 5
    assert sum("Trop de commandes dans ce salon." in words for words in said) == 1


# Threads


async def test_in_a_thread_the_answer_stands_in_the_thread_and_the_card_outside(salon: Salon) -> None:
    root = await salon.say("Et si on se parlait ?")
    relation = {"rel_type": "m.thread", "event_id": root, "is_falling_back": True}
    in_thread = relates_to({**relation, "m.in_reply_to": {"event_id": root}})

    def thread_of(event: Any) -> Any:
        found = event["content"].get("m.relates_to", {})
        return found.get("event_id") if found.get("rel_type") == "m.thread" else None

    pong = await salon.ask("!visio ping", **in_thread)
    assert thread_of(pong) == root

    answer = await salon.ask("!visio Point budget", **in_thread)
    card = await salon.card(is_("open"))
    assert thread_of(answer) == root
    assert card.url in answer["content"]["body"]
    first = next(e for e in salon.timeline if e["event_id"] == card.event_id)
    assert "m.relates_to" not in first["content"]

    again = await salon.ask("!visio", **in_thread)
    assert thread_of(again) == root
    assert card.url in again["content"]["body"]


# The open call


async def test_link_and_status_of_the_open_call(salon: Salon) -> None:
    await salon.say("!visio Point budget")
    card = await salon.card(is_("open"))
    assert card.url in await salon.reply("!visio lien")
    status = await salon.reply("!visio statut")
    assert "Visio ouverte : Point budget" in status
    async with await Visitor.by_link(card.url, "Chloé"):
        await salon.card(inside("Chloé"))
        status = await salon.reply("!visio statut")
        assert "Visio en cours : Point budget" in status
        assert "« Chloé » (sans compte)" in plain(status)


async def test_an_empty_call_is_ended_without_a_question(salon: Salon) -> None:
    await salon.say("!visio")
    await salon.card(is_("open"))
    await salon.say("!visio fin")
    card = await salon.card(is_("ended"))
    assert card.call["end_reason"] == "command"
    assert await salon.reply("!visio statut") == NOTHING_OPEN
    await salon.say("!visio")
    await salon.card(is_("open"), number=2)


async def test_opening_and_ending_in_one_breath_leaves_one_card_and_nothing_open(salon: Salon) -> None:
    await salon.say("!visio")
    await salon.say("!visio fin")
    card = await salon.card(is_("ended"))
    assert card.call["end_reason"] == "command"
    assert await salon.reply("!visio statut") == NOTHING_OPEN
    assert len(salon.said()) == 2


async def test_ending_from_outside_asks_first(salon: Salon) -> None:
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    async with await Visitor.by_link(url, "Ada"), await Visitor.by_link(url, "Bob"):
        await salon.card(inside("Ada", "Bob"))
        question = await salon.reply("!visio fin")
        assert "Terminer pour les 2 personnes ? Écrivez !visio fin oui" in plain(question)
        assert salon.cards[-1].state == "active"
        await salon.say("!visio fin oui")
        await salon.card(is_("ended"))


async def test_a_yes_that_nobody_asked_for_is_asked_about(salon: Salon) -> None:
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    async with await Visitor.by_link(url, "Ada"):
        await salon.card(inside("Ada"))
        question = await salon.reply("!visio end yes")
        assert "Terminer pour la personne présente ?" in plain(question)
        await salon.say("!visio fin oui")
        await salon.card(is_("ended"))


async def test_from_inside_a_small_call_is_ended_without_a_question(salon: Salon, livekit: LiveKit) -> None:
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    me = Visitor.with_account(livekit, url, salon.user.user_id, name="Alice")
    async with me, await Visitor.by_link(url, "Ada"), await Visitor.by_link(url, "Bob"):
        await salon.card(inside("Alice", "Ada", "Bob"))
        async with await Visitor.by_link(url, "Cleo"):
            await salon.card(inside("Alice", "Ada", "Bob", "Cleo"))
            assert "Terminer pour les 4 personnes ?" in plain(await salon.reply("!visio fin"))
        await salon.card(inside("Alice", "Ada", "Bob"))
        await salon.say("!visio fin")
        await salon.card(is_("ended"))


# Language


async def test_the_language_changes_answers_and_the_card(salon: Salon) -> None:
    await salon.say("!visio Point budget")
    await salon.card(is_("open"))
    assert await salon.reply("!visio langue en") == "From now on I speak English in this room."
    card = await salon.card(lambda c: c.body.startswith("Meeting open: Point budget"))
    assert "Join the meeting: " in card.body
    assert await salon.reply("!visio ping") == "I am here."
    assert (await salon.reply("!visio langue fr")).startswith("Désormais, je parle français")
    await salon.card(lambda c: c.body.startswith("Visio ouverte : Point budget"))
    assert (await salon.reply("!visio lang de")).count("Deutsch") == 1


# Direct chat


async def test_in_a_direct_chat_words_need_no_prefix_and_the_hint_comes_once(
    brisk: LocalBridge, alice: MatrixUser
) -> None:
    chat = await Salon.direct(alice, brisk.bot_id)
    assert await chat.reply("ping") == PONG
    assert await chat.reply("Ping") == PONG
    assert await chat.reply("visio ping") == PONG
    assert await chat.reply("!visio ping") == PONG
    first = await chat.say("merci beaucoup")
    assert await chat.reply("statut") == NOTHING_OPEN
    assert len(chat.answers(first)) == 1

    await chat.say("visio Point budget")
    card = await chat.card(is_("open"))
    assert card.call["subject"] == "Point budget"
    hint = "Pour que !visio marche dans un salon"
    await alice.wait_until(lambda: any(hint in said and brisk.bot_id in said for said in chat.said()))
    await chat.say("fin")
    await chat.card(is_("ended"))
    await chat.say("visio")
    await chat.card(is_("open"), number=2)
    await chat.reply("ping")
    assert sum(hint in said for said in chat.said()) == 1


async def test_a_third_person_makes_a_direct_chat_a_room(
    brisk: LocalBridge, alice: MatrixUser, bob: MatrixUser
) -> None:
    chat = await Salon.direct(alice, brisk.bot_id)
    assert await chat.reply("ping") == PONG
    await chat.admit(bob)
    first = await chat.say("ping")
    assert await chat.reply("!visio statut") == NOTHING_OPEN
    assert len(chat.answers(first)) == 1
