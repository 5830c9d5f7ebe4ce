"""Rooms of every kind, and what happens to the bot in them (DESIGN §5, CONTRACT §4)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any
from urllib.parse import quote

import pytest

from bridge.demo.matrix_user import MatrixRefused, MatrixUser
from tests.conftest import NewUser
from tests.support.bridges import LocalBridge
from tests.support.cards import Salon, inside, is_
from tests.support.people import Visitor
from tests.support.waiting import until

NOTHING_OPEN = "Aucune visio n’est ouverte ici. Écrivez !visio pour en ouvrir une."
PONG = "Je suis là."
ENCRYPTION = {"algorithm": "m.megolm.v1.aes-sha2"}
WELCOME = "Bonjour, je suis le service Visio de Testbourg."
UNREADABLE = "Ce salon est chiffré de bout en bout"


def membership_of(salon: Salon) -> dict[str, Any]:
    event = salon.user.room(salon.room_id).state.get(("m.room.member", salon.bot_id), {"content": {}})
    content: dict[str, Any] = event["content"]
    return content


async def is_out(salon: Salon) -> None:
    await salon.user.wait_until(lambda: membership_of(salon).get("membership") in ("leave", "ban"))


async def invite_again(salon: Salon, count: int = 2) -> None:
    """Invite the bot once more, and wait for its so-manieth greeting."""
    await salon.user.invite(salon.room_id, salon.bot_id)
    await salon.user.wait_until(lambda: sum(WELCOME in said for said in salon.said()) == count)


async def upgrade(salon: Salon, version: str) -> str:
    """Replace a room by a new one; answers its id."""
    path = f"/v3/rooms/{quote(salon.room_id)}/upgrade"
    replacement: str = (await salon.user.request("POST", path, {"new_version": version}))["replacement_room"]
    return replacement


# Coming and going


async def test_the_bot_greets_once(salon: Salon, bob: MatrixUser) -> None:
    assert salon.said()[0].startswith(WELCOME)
    assert "Pour une réunion vidéo, écrivez !visio" in salon.said()[0]
    await salon.admit(bob)
    await salon.user.set_state(salon.room_id, "m.room.name", {"name": "Autre nom"})
    assert await salon.reply("!visio ping") == PONG
    assert len(salon.said()) == 2


async def test_an_invitation_against_the_rules_is_refused_with_a_reason(
    brisk: LocalBridge, new_user: NewUser
) -> None:
    stranger = await new_user("eve-stranger")
    salon = Salon(stranger, await stranger.create_room(invite=[brisk.bot_id]), brisk.bot_id)
    await is_out(salon)
    reason = membership_of(salon)["reason"]
    assert reason == "Ce service n’accepte pas votre invitation. Adressez-vous à votre administrateur."


async def test_kicked_in_mid_call_the_bot_says_nothing_and_comes_back_when_invited(salon: Salon) -> None:
    await salon.say("!visio Premier")
    url = (await salon.card(is_("open"))).url
    async with await Visitor.by_link(url, "Ada"):
        await salon.card(inside("Ada"))
        said = len(salon.ours())
        await salon.user.kick(salon.room_id, salon.bot_id)
    await salon.say("!visio")
    await invite_again(salon)
    assert await salon.reply("!visio statut") == NOTHING_OPEN
    assert len(salon.ours()) == said + 2, "a greeting and an answer"
    await salon.say("!visio Second")
    card = await salon.card(is_("open"), number=2)
    assert card.url != url


async def test_banned_and_let_in_again(salon: Salon) -> None:
    await salon.say("!visio")
    await salon.card(is_("open"))
    await salon.user.ban(salon.room_id, salon.bot_id)
    path = f"/v3/rooms/{quote(salon.room_id)}/unban"
    await salon.user.request("POST", path, {"user_id": salon.bot_id})
    await invite_again(salon)
    assert await salon.reply("!visio statut") == NOTHING_OPEN


async def test_an_invitation_taken_back_harms_nobody(brisk: LocalBridge, alice: MatrixUser) -> None:
    room = await alice.create_room()
    salon = Salon(alice, room, brisk.bot_id)
    await alice.invite(room, brisk.bot_id)
    await alice.kick(room, brisk.bot_id)
    await is_out(salon)
    await alice.invite(room, brisk.bot_id)
    await salon.greeting()
    assert await salon.reply("!visio ping") == PONG


# Encrypted rooms


async def test_in_an_encrypted_room_the_bot_says_once_that_it_cannot_read(
    brisk: LocalBridge, alice: MatrixUser
) -> None:
    encrypted = [{"type": "m.room.encryption", "state_key": "", "content": ENCRYPTION}]
    salon = await Salon.made_by(alice, brisk.bot_id, initial_state=encrypted)
    assert UNREADABLE in salon.said()[0]
    await salon.say("!visio")
    await salon.say("!visio aide")
    await alice.send(salon.room_id, "m.room.encrypted", {"algorithm": "m.megolm.v1.aes-sha2"})
    # Back in the room it says so anew, which proves that it is past what was written before.
    await alice.kick(salon.room_id, salon.bot_id)
    await alice.invite(salon.room_id, salon.bot_id)
    await alice.wait_until(lambda: len(salon.said()) >= 2)
    assert [UNREADABLE in said for said in salon.said()] == [True, True]
    assert not salon.cards


async def test_encryption_turned_on_later_is_told_once(salon: Salon) -> None:
    await salon.user.set_state(salon.room_id, "m.room.encryption", ENCRYPTION)
    await salon.user.wait_until(lambda: UNREADABLE in salon.said()[-1])
    await salon.user.set_state(salon.room_id, "m.room.encryption", {**ENCRYPTION, "rotation_period_msgs": 9})
    await salon.say("!visio")
    await salon.user.kick(salon.room_id, salon.bot_id)
    await salon.user.invite(salon.room_id, salon.bot_id)
    await salon.user.wait_until(lambda: len(salon.said()) >= 3)
    assert len(salon.said()) == 3
    assert not salon.cards


# Upgrades


async def test_a_call_follows_the_upgrade_of_a_public_room_by_itself(
    brisk: LocalBridge, alice: MatrixUser
) -> None:
    old = await Salon.made_by(alice, brisk.bot_id, preset="public_chat", room_version="10")
    await old.reply("!visio langue en")
    await old.say("!visio Budget")
    before = await old.card(is_("open"))
    async with await Visitor.by_link(before.url, "Ada"):
        await old.card(inside("Ada"))
        new = Salon(alice, await upgrade(old, "11"), brisk.bot_id)
        card = await new.card(inside("Ada"))
        assert card.url == before.url
        assert card.call["id"] == before.call["id"]
        assert card.body.startswith("Meeting in progress: Budget"), "the language came along"
        async with await Visitor.by_link(card.url, "Bob"):
            await new.card(inside("Ada", "Bob"))
    await new.card(is_("ended"))
    first = next(e for e in new.timeline if e["event_id"] == card.event_id)
    assert "Ada" not in str(first["content"])


async def test_a_call_follows_the_upgrade_of_a_private_room_once_the_bot_is_invited(
    brisk: LocalBridge, alice: MatrixUser
) -> None:
    old = await Salon.made_by(alice, brisk.bot_id, room_version="11")
    await old.say("!visio Budget")
    before = await old.card(is_("open"))
    new = Salon(alice, await upgrade(old, "12"), brisk.bot_id)
    await alice.invite(new.room_id, brisk.bot_id)
    card = await new.card(is_("open"))
    assert card.url == before.url
    assert card.call["id"] == before.call["id"]
    await new.say("!visio fin")
    await new.card(is_("ended"))


async def test_a_call_does_not_follow_into_an_encrypted_room(brisk: LocalBridge, alice: MatrixUser) -> None:
    old = await Salon.made_by(alice, brisk.bot_id)
    await old.say("!visio Budget")
    await old.card(is_("open"))
    path = "/v3/createRoom"
    encrypted = {"type": "m.room.encryption", "state_key": "", "content": ENCRYPTION}
    predecessor = {"predecessor": {"room_id": old.room_id, "event_id": "$nothing"}}
    body = {"creation_content": predecessor, "initial_state": [encrypted]}
    new = Salon(alice, (await alice.request("POST", path, body))["room_id"], brisk.bot_id)
    tombstone = {"body": "Replaced", "replacement_room": new.room_id}
    await alice.set_state(old.room_id, "m.room.tombstone", tombstone)
    await alice.invite(new.room_id, brisk.bot_id)
    assert UNREADABLE in (await new.greeting())["content"]["body"]
    assert "Visio ouverte" in await old.reply("!visio statut")
    assert not new.cards


async def test_where_the_bot_has_the_power_the_old_card_is_taken_away(
    brisk: LocalBridge, alice: MatrixUser
) -> None:
    old = await Salon.made_by(alice, brisk.bot_id)
    await old.say("!visio Budget")
    before = await old.card(is_("open"))
    async with await Visitor.by_link(before.url, "Zéphyrine"):
        await old.card(inside("Zéphyrine"))
        predecessor = {"predecessor": {"room_id": old.room_id, "event_id": "$nothing"}}
        body = {"creation_content": predecessor, "invite": [brisk.bot_id]}
        new = Salon(alice, (await alice.request("POST", "/v3/createRoom", body))["room_id"], brisk.bot_id)
        await new.greeting()
        assert not new.cards, "the old room has not said yet that it is replaced"
        tombstone = {"body": "Replaced", "replacement_room": new.room_id}
        await alice.set_state(old.room_id, "m.room.tombstone", tombstone)
        card = await new.card(inside("Zéphyrine"))
        assert card.call["id"] == before.call["id"]

        async def taken_away() -> bool:
            said = await old.everything()
            return "Zéphyrine" not in said and before.url not in said

        await until(taken_away)


async def test_nobody_takes_a_call_away_by_naming_its_room_as_a_predecessor(
    salon: Salon, bob: MatrixUser
) -> None:
    await salon.say("!visio")
    await salon.card(is_("open"))
    body = {
        "invite": [salon.bot_id],
        "creation_content": {"predecessor": {"room_id": salon.room_id, "event_id": "$nothing"}},
    }
    room = (await bob.request("POST", "/v3/createRoom", body))["room_id"]
    thief = Salon(bob, room, salon.bot_id)
    await thief.greeting()
    assert await thief.reply("!visio statut") == NOTHING_OPEN
    assert "Visio ouverte" in await salon.reply("!visio statut")


# Power


async def test_the_creator_of_a_version_12_room_is_its_only_power(
    brisk: LocalBridge, alice: MatrixUser, bob: MatrixUser
) -> None:
    salon = await Salon.made_by(alice, brisk.bot_id, room_version="12")
    levels = await alice.state(salon.room_id, "m.room.power_levels")
    assert alice.user_id not in levels.get("users", {})
    await salon.admit(bob)
    await salon.say("!visio", by=bob)
    await salon.card(is_("open"))
    assert "Seuls les modérateurs" not in await salon.reply("!visio langue en")
    assert "only moderators" in await salon.reply("!visio lang fr", by=bob)
    await salon.say("!visio fin")
    await salon.card(is_("ended"))


async def test_where_nobody_may_invite_the_direct_chat_works(
    brisk: LocalBridge, alice: MatrixUser, bob: MatrixUser
) -> None:
    room = await alice.create_room(invite=[bob.user_id], room_version="11")
    await bob.join(room)
    levels = await alice.state(room, "m.room.power_levels")
    closed = {**levels, "invite": 100, "users": {alice.user_id: 99}}
    await alice.set_state(room, "m.room.power_levels", closed)
    for user in (alice, bob):
        with pytest.raises(MatrixRefused):
            await user.invite(room, brisk.bot_id)
    chat = await Salon.direct(bob, brisk.bot_id)
    await chat.say("visio Point budget")
    card = await chat.card(is_("open"))
    assert card.call["subject"] == "Point budget"
    await alice.say(room, card.url)


async def test_a_muted_bot_breaks_nothing_and_works_again_when_it_may_speak(salon: Salon) -> None:
    await salon.say("!visio Premier")
    card = await salon.card(is_("open"))
    levels = await salon.user.state(salon.room_id, "m.room.power_levels")
    await salon.user.set_state(salon.room_id, "m.room.power_levels", {**levels, "events_default": 50})
    said = len(salon.ours())
    async with await Visitor.by_link(card.url, "Ada"):
        await salon.say("!visio statut")
        await salon.say("!visio aide")
        await salon.user.set_state(salon.room_id, "m.room.power_levels", levels)
        await salon.user.wait_until(lambda: salon.cards)
    await salon.say("!visio ping")
    # Whether the earlier answers were refused or came just after is a matter of moments.
    await salon.user.wait_until(lambda: PONG in salon.said(), 20)
    assert len(salon.ours()) >= said + 1


async def test_a_bot_that_may_not_speak_from_the_beginning_opens_nothing(
    brisk: LocalBridge, alice: MatrixUser
) -> None:
    room = await alice.create_room(invite=[brisk.bot_id], power_levels={"events_default": 50})
    salon = Salon(alice, room, brisk.bot_id)
    await alice.wait_until(lambda: membership_of(salon).get("membership") == "join")
    await salon.say("!visio")
    await until(lambda: calls_over(brisk, room) == 1)
    levels = await alice.state(room, "m.room.power_levels")
    await alice.set_state(room, "m.room.power_levels", {**levels, "events_default": 0})
    assert await salon.reply("!visio statut") == NOTHING_OPEN, "a call without a card is tied to nothing"
    await salon.say("!visio")
    await salon.card(is_("open"))


def calls_over(bridge: LocalBridge, room_id: str) -> int:
    """How many of a room's calls are over, by the bridge's database."""
    with closing(sqlite3.connect(f"file:{bridge.folder / 'passerelle.db'}?mode=ro", uri=True)) as database:
        query = "SELECT count(*) FROM calls WHERE room_id = ? AND is_over"
        return int(database.execute(query, (room_id,)).fetchone()[0])
