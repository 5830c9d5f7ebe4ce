"""What a card withstands, and what of it and of people stays (CONTRACT §5)."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from bridge.demo.guest import TurnedAway, ask_for_ticket
from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.livekit import LiveKit
from tests.conftest import MakeBridge
from tests.support.bridges import LocalBridge
from tests.support.cards import CALL, Salon, inside, is_
from tests.support.people import Visitor
from tests.support.waiting import until

NOTHING_OPEN = "Aucune visio n’est ouverte ici. Écrivez !visio pour en ouvrir une."
NOT_SHOWN = re.compile("[\u0000-\u001f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


# Hostile text

HOSTILE_NAMES = (
    "<img src=x onerror=alert(1)>",
    "\u202eevE\u2066 @room [x](https://evil.example)",
    "\n\n\n\n",
    "Eve\nVisio terminée",
    "» (vérifié) « Marie",
    "Z" * 250,
)


async def test_hostile_names_are_shown_as_text_on_one_line(salon: Salon, livekit: LiveKit) -> None:
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    people = [
        await Visitor.with_identity(livekit, url, f"guest-{number}", name).join()
        for number, name in enumerate(HOSTILE_NAMES)
    ]
    card = await salon.card(lambda c: c.call["count"] == len(people))
    html = str(card.content["formatted_body"])
    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "evil.example" not in re.sub(r"<[^>]*>", "", html).replace("evil. example", "")
    assert "@room" not in card.body
    assert len(card.body.splitlines()) <= 6
    for name in (*card.names, *card.body.splitlines()):
        assert not NOT_SHOWN.search(name)
    assert all(len(name) <= 40 for name in card.names)
    names_line = next(line for line in card.body.splitlines() if line.startswith("6 personnes"))
    assert names_line.count("«") == names_line.count("»") == 5, "nobody closes the quotation marks"
    for person in people:
        await person.leave()
    await salon.card(is_("ended"))


async def test_hostile_subjects_are_shown_as_text_on_one_line(salon: Salon) -> None:
    subjects = (
        "<script>alert(1)</script> & <b>Budget</b>",
        "\u202eteg\u2066duB \u200b@room",
        "x" * 60_000,
        "</strong></p><a href='https://evil.example'>ici</a>",
    )
    for number, subject in enumerate(subjects, 1):
        await salon.say(f"!visio {subject}")
        card = await salon.card(is_("open"), number=number)
        shown = card.call["subject"]
        assert len(shown) <= 100
        assert not NOT_SHOWN.search(shown)
        assert "@room" not in card.body
        first = card.body.splitlines()[0]
        assert first == f"Visio ouverte : {shown}"
        html = str(card.content["formatted_body"])
        assert set(re.findall(r"<(\w+)", html)) <= {"p", "strong", "a", "code"}
        assert html.count("<a ") == 1
        await salon.say("!visio fin")
        await salon.card(is_("ended"), number=number)


async def test_a_hostile_display_name_of_the_one_who_opens_is_shown_as_text(
    brisk: LocalBridge, alice: MatrixUser
) -> None:
    name = "<b>Eve</b>\n\u202e@room [x](https://evil.example)"
    path = f"/v3/profile/{quote(alice.user_id)}/displayname"
    await alice.request("PUT", path, {"displayname": name})
    salon = await Salon.made_by(alice, brisk.bot_id)
    await salon.say("!visio")
    card = await salon.card(is_("open"))
    assert card.body.splitlines()[1].startswith("Par <b>Eve</b> x(https://evil.examp")
    assert "\u202e" not in card.body
    assert "<b>Eve" not in str(card.content["formatted_body"])


async def test_a_long_hostile_command_is_answered_shortly(salon: Salon) -> None:
    name = "\u202e<b>" + "Z" * 50_000
    await salon.say("!visio")
    await salon.card(is_("open"))
    event = await salon.ask(f"!visio muet {name}")
    assert len(event["content"]["body"]) < 300
    assert "\u202e" not in event["content"]["body"]
    assert "<b>" not in event["content"]["formatted_body"]


# The pace of edits


async def test_a_busy_roster_is_told_in_few_edits_and_the_end_at_once(salon: Salon) -> None:
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    async with await Visitor.by_link(url, "Anchor"):
        await salon.card(inside("Anchor"))
        for number in range(8):
            async with await Visitor.by_link(url, f"Guest {number}"):
                pass
        await salon.say("!visio fin")
        await salon.say("!visio fin oui")
        card = await salon.card(is_("ended"))
    rosters = [version for version in card.versions if version[CALL]["state"] == "active"]
    assert len(rosters) <= 1 + 5, "five at will, the next one half a minute later"
    assert card.call["peak"] >= 1


# Taken away


async def test_a_redacted_card_is_not_posted_again_and_the_room_may_have_a_new_call(
    salon: Salon, livekit: LiveKit
) -> None:
    await salon.say("!visio")
    card = await salon.card(is_("open"))
    async with await Visitor.by_link(card.url, "Zéphyrine"):
        card = await salon.card(inside("Zéphyrine"))
        assert "Zéphyrine" in await salon.reply("!visio statut")
        await salon.user.redact(salon.room_id, card.event_id)
        assert await salon.reply("!visio statut") == NOTHING_OPEN
        edits = len(salon.cards[0].versions)
        async with Visitor.with_account(livekit, card.url, "@bob:localhost", name="Bob"):
            assert await salon.reply("!visio statut") == NOTHING_OPEN
        assert len(salon.cards) == 1
        assert len(salon.cards[0].versions) == edits, "nothing is written to it any more"
        await salon.say("!visio Encore")
        again = await salon.card(is_("open"), number=2)
        assert again.url != card.url

    async def forgotten() -> bool:
        return "Zéphyrine" not in await salon.everything()

    await until(forgotten)


async def test_after_its_card_was_redacted_a_meeting_goes_on_until_all_have_left(salon: Salon) -> None:
    await salon.say("!visio")
    card = await salon.card(is_("open"))
    async with await Visitor.by_link(card.url, "Ada"):
        await salon.card(inside("Ada"))
        await salon.user.redact(salon.room_id, card.event_id)
        assert await salon.reply("!visio statut") == NOTHING_OPEN
        # Whoever reloads the page comes in again, and so does somebody who was late.
        async with await Visitor.by_link(card.url, "Bob"):
            assert len(salon.cards) == 1

    async def closed() -> bool:
        try:
            await ask_for_ticket(card.url, "Cleo")
        except TurnedAway as refusal:
            return refusal.reason == "over"
        return False

    await until(closed)


async def test_a_card_redacted_after_the_end_does_not_come_back_with_the_people(
    salon: Salon, livekit: LiveKit
) -> None:
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    async with await Visitor.by_link(url, "Ada"):
        await salon.card(inside("Ada"))
    card = await salon.card(is_("ended"))
    await salon.user.redact(salon.room_id, card.event_id)
    assert await salon.reply("!visio statut") == NOTHING_OPEN
    async with Visitor.with_account(livekit, url, salon.user.user_id, name="Alice"):
        with pytest.raises(TurnedAway):
            await ask_for_ticket(url, "Bob")
        await salon.say("!visio Nouveau")
        new = await salon.card(is_("open"), number=2)
        assert new.url != url


async def test_a_redacted_edit_or_answer_changes_nothing(salon: Salon) -> None:
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    pong = await salon.ask("!visio ping")
    await salon.user.redact(salon.room_id, pong["event_id"])
    async with await Visitor.by_link(url, "Ada"):
        await salon.card(inside("Ada"))
        edit = next(e for e in reversed(salon.ours()) if "m.new_content" in e["content"])
        await salon.user.redact(salon.room_id, edit["event_id"])
        async with await Visitor.by_link(url, "Bob"):
            await salon.card(inside("Ada", "Bob"))
    await salon.card(is_("ended"))


async def test_when_encryption_is_turned_on_the_card_loses_link_and_names(salon: Salon) -> None:
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    async with await Visitor.by_link(url, "Zéphyrine"):
        await salon.card(inside("Zéphyrine"))
        algorithm = {"algorithm": "m.megolm.v1.aes-sha2"}
        await salon.user.set_state(salon.room_id, "m.room.encryption", algorithm)
        card = await salon.card(is_("ended"))
        assert card.call["end_reason"] == "untied"
        assert card.url == ""
        assert url not in card.body
        assert "call_url" not in card.content
        await salon.user.wait_until(lambda: any("chiffré de bout en bout" in said for said in salon.said()))

        async def forgotten() -> bool:
            said = await salon.everything()
            return "Zéphyrine" not in said

        await until(forgotten)


async def test_no_card_comes_back_into_a_room_that_was_encrypted_meanwhile(
    salon: Salon, livekit: LiveKit
) -> None:
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    async with await Visitor.by_link(url, "Ada"):
        await salon.card(inside("Ada"))
    await salon.card(is_("ended"))
    await salon.user.set_state(salon.room_id, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
    await salon.user.wait_until(lambda: "chiffré de bout en bout" in salon.said()[-1])

    async def turned_away() -> bool:
        try:
            await ask_for_ticket(url, "Bob")
        except TurnedAway as refusal:
            return refusal.reason == "over"
        return False

    async with Visitor.with_account(livekit, url, salon.user.user_id, name="Alice"):
        await until(turned_away)
    assert len(salon.cards) == 1


# What the bridge keeps


def files_of(bridge: LocalBridge) -> list[Path]:
    return [file for file in bridge.folder.rglob("*") if file.is_file() and file.suffix != ".yaml"]


def kept(bridge: LocalBridge, words: str) -> list[str]:
    """The names of the bridge's files, database and log, in which some words stand."""
    return [file.name for file in files_of(bridge) if words.encode() in file.read_bytes()]


async def test_a_message_that_is_not_for_the_bridge_reaches_neither_database_nor_log(
    brisk: LocalBridge, salon: Salon
) -> None:
    secret, thread = secrets.token_hex(12), secrets.token_hex(12)
    first = await salon.say(f"Le mot de passe est {secret}")
    await salon.say(f"{secret} !visio")
    await salon.user.edit(salon.room_id, first, f"!visio {secret}")
    await salon.say(f"> !visio {secret}\n\nOui")
    relation: dict[str, Any] = {"m.relates_to": {"rel_type": "m.thread", "event_id": first}}
    await salon.say(f"Réponse {thread}", **relation)
    await salon.user.set_state(salon.room_id, "m.room.topic", {"topic": secret})
    assert await salon.reply("!visio statut") == NOTHING_OPEN
    assert not kept(brisk, secret)
    assert not kept(brisk, thread)
    assert {file.name for file in files_of(brisk)} >= {"passerelle.db", "passerelle.log"}


async def test_every_name_is_gone_from_database_and_log_after_the_end(
    brisk: LocalBridge, salon: Salon, livekit: LiveKit
) -> None:
    names = [f"Zéphyrine-{secrets.token_hex(6)}" for _ in range(3)]
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    async with (
        await Visitor.by_link(url, names[0]),
        Visitor.with_account(livekit, url, salon.user.user_id, name=names[1]),
        Visitor.with_account(livekit, url, "@ghost:localhost", name=names[2], hidden=True),
    ):
        await salon.card(lambda c: c.names == set(names[:2]) and c.call["listening"] == 1)
        await salon.reply("!visio statut")
        await salon.reply(f"!visio muet {names[0]}")
        await salon.say(f"!visio expulser {names[1]}")
        await salon.card(inside(names[0]))
        assert kept(brisk, names[0]) != [], "while they are in, the database knows them"
    await salon.card(is_("ended"))
    await until(lambda: not any(kept(brisk, name) for name in names), timeout=15)

    async def forgotten() -> bool:
        said = await salon.everything()
        return not any(name in said.replace(f"!visio muet {names[0]}", "") for name in names[::2])

    await until(forgotten)


async def test_the_secret_of_a_link_is_in_no_log(brisk: LocalBridge, salon: Salon) -> None:
    await salon.say("!visio")
    card = await salon.card(is_("open"))
    async with await Visitor.by_link(card.url, "Ada"):
        await salon.card(inside("Ada"))
    assert card.url.partition("#")[2].encode() not in brisk.log_file.read_bytes()


async def test_a_card_is_english_where_the_bridge_is(make_bridge: MakeBridge, alice: MatrixUser) -> None:
    settings = {"bot": {"language": "en", "timezone": "Europe/London", "support": "https://help.example"}}
    bridge = make_bridge(settings)
    await bridge.start()
    salon = await Salon.made_by(alice, bridge.bot_id)
    assert "Hello, I am the Visio service." in salon.said()[0]
    assert "https://help.example" in await salon.reply("!visio help")
    await salon.say("!visio Budget")
    card = await salon.card(is_("open"))
    lines = card.body.splitlines()
    assert lines[0] == "Meeting open: Budget"
    assert re.fullmatch(r"By .+, at \d\d:\d\d \(London time\)\. Nobody is there yet\.", lines[1])
    assert lines[2] == f"Join the meeting: {card.url}"
