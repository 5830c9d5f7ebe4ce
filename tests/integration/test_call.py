"""A call from ``!visio`` to its end, through the real homeserver and the real SFU."""

from __future__ import annotations

import asyncio
import re
import time

import aiohttp
import pytest

from bridge.demo.guest import TurnedAway, ask_for_ticket
from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.livekit import LiveKit
from tests.conftest import MakeBridge, NewUser
from tests.support.bridges import LocalBridge
from tests.support.cards import CALL, Card, Salon, inside, is_
from tests.support.people import Visitor
from tests.support.waiting import until

KEYS = {
    *("v", "id", "state", "subject", "url", "provider", "started_by", "started_ts", "first_join_ts"),
    *("ended_ts", "end_reason", "participants", "count", "peak", "came", "listening", "encrypted_room"),
    *("stale_since_ts", "recording", "transcription", "adopted", "attendance", "access", "dial_in"),
}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def test_the_whole_story_of_a_call(salon: Salon) -> None:
    before = now_ms()
    await salon.say("!visio Point budget")
    card = await salon.card(is_("open"))
    assert card.body.splitlines()[0] == "Visio ouverte : Point budget"
    assert f"Rejoindre la visio : {card.url}" in card.body
    assert "Personne n’est encore là." in card.body
    assert card.content["call_url"] == card.url

    async with await Visitor.by_link(card.url, "Chloé Martin") as chloe:
        card = await salon.card(inside("Chloé Martin"))
        assert card.body.splitlines()[0] == "Visio en cours : Point budget"
        assert "1 personne : « Chloé Martin » (sans compte)." in card.body.replace("\u00a0", " ").replace(
            "\u202f", " "
        )
        async with await Visitor.by_link(card.url, "Denis Petit"):
            card = await salon.card(inside("Chloé Martin", "Denis Petit"))
            assert "2 personnes" in card.body
            await chloe.leave()
            await salon.card(inside("Denis Petit"))

    card = await salon.card(is_("ended"))
    first, second, *_ = card.body.splitlines()
    assert first == "Visio terminée : Point budget"
    assert "2 personnes sont venues." in second
    assert card.states() == ["open", "active", "ended"]
    first_lines = {(version[CALL]["state"], version["body"].splitlines()[0]) for version in card.versions}
    assert len(first_lines) == 3, "the first line changes only with the state"
    assert len(salon.cards) == 1
    call = card.call
    assert set(call) == KEYS
    assert call | {"id": "", "started_ts": 0, "first_join_ts": 0, "ended_ts": 0} == {
        "v": 1,
        "id": "",
        "state": "ended",
        "subject": "Point budget",
        "url": None,
        "provider": "livekit",
        "started_by": salon.user.user_id,
        "started_ts": 0,
        "first_join_ts": 0,
        "ended_ts": 0,
        "end_reason": "empty",
        "participants": [],
        "count": 0,
        "peak": 2,
        "came": 2,
        "listening": 0,
        "encrypted_room": False,
        "stale_since_ts": None,
        "recording": False,
        "transcription": False,
        "adopted": False,
        "attendance": True,
        "access": None,
        "dial_in": None,
    }
    assert before <= call["started_ts"] <= call["first_join_ts"] <= call["ended_ts"] <= now_ms()
    assert "call_url" not in card.content
    assert "#" not in card.body


async def test_after_the_end_no_name_and_no_link_is_left_in_the_room(salon: Salon) -> None:
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    async with await Visitor.by_link(url, "Zéphyrine Untel"):
        card = await salon.card(inside("Zéphyrine Untel"))
    await salon.card(is_("ended"))

    async def forgotten() -> bool:
        return "Zéphyrine" not in await salon.everything()

    await until(forgotten)
    first = next(e for e in salon.timeline if e["event_id"] == card.event_id)
    assert "Zéphyrine" not in str(first["content"]), "what cannot be redacted never held a name"


async def test_an_ended_call_lets_nobody_in(salon: Salon) -> None:
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    await salon.say("!visio fin")
    await salon.card(is_("ended"))
    with pytest.raises(TurnedAway) as refusal:
        await ask_for_ticket(url, "Late")
    assert refusal.value.reason == "over"


async def test_every_event_of_ours_says_whom_it_mentions(salon: Salon) -> None:
    await salon.say("!visio aide")
    await salon.say("!visio Point budget")
    card = await salon.card(is_("open"))
    async with await Visitor.by_link(card.url, "Chloé"):
        await salon.card(inside("Chloé"))
        await salon.say("!visio fin")
        await salon.say("!visio fin oui")
        await salon.card(is_("ended"))
    ours = salon.ours()
    assert len(ours) >= 6
    for event in ours:
        content = event["content"]
        assert content["m.mentions"] == {}
        assert content["msgtype"] == "m.notice"
        if "m.new_content" in content:
            assert content["m.new_content"]["m.mentions"] == {}
            assert content["m.new_content"][CALL] == content[CALL]
            assert content["m.new_content"].get("call_url") == content.get("call_url")
            assert content["body"].startswith("* ")


async def test_many_who_ask_at_once_get_one_call_one_card_and_the_link(
    brisk: LocalBridge, salon: Salon, bob: MatrixUser, new_user: NewUser
) -> None:
    carol = await new_user("carol")
    await salon.admit(bob, carol)

    await asyncio.gather(*(salon.say("!visio", by=user) for user in (salon.user, bob, carol, bob)))
    card = await salon.card(is_("open"))

    await salon.user.wait_until(lambda: sum(card.url in text for text in salon.said()) == 3)
    await salon.reply("!visio ping")
    assert len(salon.cards) == 1
    assert sum(card.url in text for text in salon.said()) == 3
    assert card.call["started_by"] in {salon.user.user_id, bob.user_id, carol.user_id}


async def test_a_second_command_gets_the_link_and_no_second_card(salon: Salon) -> None:
    await salon.say("!visio Point budget")
    card = await salon.card(is_("open"))
    answer = await salon.ask("!visio Autre chose")
    assert card.url in answer["content"]["body"]
    assert "Point budget" in answer["content"]["body"]
    assert len(salon.cards) == 1


async def test_a_matrix_user_is_verified_and_stands_bare_and_a_listener_is_counted(
    salon: Salon, livekit: LiveKit
) -> None:
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    me = salon.user.user_id
    async with (
        Visitor.with_account(livekit, url, me, name="Alice Durand"),
        Visitor.with_account(livekit, url, "@spy:elsewhere", name="Spy", hidden=True),
    ):
        card = await salon.card(lambda c: c.names == {"Alice Durand"} and c.call["listening"] == 1)
        (person,) = card.call["participants"]
        assert person | {"joined_ts": 0} == {
            "name": "Alice Durand",
            "kind": "matrix",
            "verified": True,
            "user_id": me,
            "joined_ts": 0,
            "hand": False,
            "role": None,
        }
        assert abs(person["joined_ts"] - now_ms()) < 60_000
        assert card.call["count"] == 1
        assert "Alice Durand." in card.body
        assert "1 à l’écoute" in card.body
        assert "Spy" not in card.body


async def test_who_comes_back_within_the_grace_is_not_counted_twice(
    bridge: LocalBridge, alice: MatrixUser
) -> None:
    salon = await Salon.made_by(alice, bridge.bot_id)
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    for _ in range(2):
        async with await Visitor.by_link(url, "Ada", visitor="a" * 22):
            await salon.card(inside("Ada"))
        card = await salon.card(lambda c: c.call["count"] == 0)
        assert card.state == "active"
        assert "Personne en ce moment." in card.body
    await salon.say("!visio fin")
    card = await salon.card(is_("ended"))
    assert (card.call["came"], card.call["peak"]) == (1, 1)
    assert "1 personne est venue." in card.body


async def test_a_call_that_nobody_joins_times_out(make_bridge: MakeBridge, alice: MatrixUser) -> None:
    bridge = make_bridge({"calls": {"open_timeout": "1s", "clock": "1s"}})
    await bridge.start()
    salon = await Salon.made_by(alice, bridge.bot_id)
    await salon.say("!visio")
    card = await salon.card(is_("ended"))
    assert card.call["end_reason"] == "timeout"
    assert "Personne n’est venu." in card.body


async def test_people_who_gather_again_behind_the_link_get_a_new_card(salon: Salon, livekit: LiveKit) -> None:
    await salon.say("!visio Revue")
    old = await salon.card(is_("open"))
    async with await Visitor.by_link(old.url, "Ada"):
        await salon.card(inside("Ada"))
    ended = await salon.card(is_("ended"))

    # Somebody whose token is still good, as after a lost connection, and then somebody by the link.
    async with Visitor.with_account(livekit, old.url, salon.user.user_id, name="Alice"):
        again = await salon.card(inside("Alice"), number=2)
        assert again.state == "active"
        assert again.url == old.url
        assert again.call["id"] != old.call["id"]
        assert again.call["subject"] == "Revue"
        async with await Visitor.by_link(old.url, "Bob"):
            await salon.card(inside("Alice", "Bob"), number=2)
    await salon.card(is_("ended"), number=2)
    assert salon.cards[0].content == ended.content, "the old card stays as it ended"


async def test_when_the_call_is_ended_everybody_is_put_out(salon: Salon) -> None:
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    async with await Visitor.by_link(url, "Ada") as ada:
        await salon.card(inside("Ada"))
        await salon.say("!visio fin")
        await salon.say("!visio fin oui")
        card = await salon.card(is_("ended"))
        assert card.call["end_reason"] == "command"
        await ada.wait_until_put_out()


async def test_a_full_meeting_says_so_on_the_card_and_at_the_door(
    make_bridge: MakeBridge, alice: MatrixUser
) -> None:
    bridge = make_bridge({"calls": {"max_participants": 2, "clock": "1s"}})
    await bridge.start()
    salon = await Salon.made_by(alice, bridge.bot_id)
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    async with await Visitor.by_link(url, "Ada"), await Visitor.by_link(url, "Bob"):
        card = await salon.card(inside("Ada", "Bob"))
        assert "Complet : 2 sur 2." in card.body
        with pytest.raises(TurnedAway) as refusal:
            await ask_for_ticket(url, "Cleo")
        assert refusal.value.reason == "full"


async def test_a_meeting_that_cannot_be_opened_gets_a_card_that_says_so(
    make_bridge: MakeBridge, alice: MatrixUser
) -> None:
    bridge = make_bridge({"sfu": {"secret": "a-wrong-secret-of-some-length-or-other"}})
    await bridge.start()
    salon = await Salon.made_by(alice, bridge.bot_id)
    await salon.say("!visio Point budget")
    card = await salon.card(is_("failed"))
    assert card.body.splitlines()[0] == "Visio impossible : Point budget"
    assert card.url == ""
    assert "Aucune réunion n’est ouverte." in card.body
    found = re.search(r"Réf\. (\w+)", card.body)
    assert found is not None
    assert f"ref={found[1]}" in bridge.log_file.read_text(), "the reference leads to the log"
    assert (
        await salon.reply("!visio statut")
        == "Aucune visio n’est ouverte ici. Écrivez !visio pour en ouvrir une."
    )


async def test_numbers_only_where_names_are_never_shown(make_bridge: MakeBridge, alice: MatrixUser) -> None:
    bridge = make_bridge({"calls": {"names": "never", "clock": "1s"}})
    await bridge.start()
    salon = await Salon.made_by(alice, bridge.bot_id)
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    async with await Visitor.by_link(url, "Zéphyrine"):
        card = await salon.card(lambda c: c.call["count"] == 1)
        assert "1 personne." in card.body
        status = await salon.reply("!visio statut")
        assert "1 personne." in status
    assert "Zéphyrine" not in await salon.everything()


async def test_names_stay_where_they_are_kept(make_bridge: MakeBridge, alice: MatrixUser) -> None:
    bridge = make_bridge({"calls": {"names": "keep", "clock": "1s", "grace": "1s"}})
    await bridge.start()
    salon = await Salon.made_by(alice, bridge.bot_id)
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    async with await Visitor.by_link(url, "Zéphyrine"):
        await salon.card(inside("Zéphyrine"))
    card = await salon.card(is_("ended"))
    assert "Zéphyrine" in card.body
    await salon.reply("!visio ping")
    assert not [e for e in salon.timeline if e["type"] == "m.room.redaction"]


async def test_the_join_page_is_served_and_tells_a_wrong_link(brisk: LocalBridge, salon: Salon) -> None:
    await salon.say("!visio")
    card = await salon.card(is_("open"))
    assert re.fullmatch(rf"{brisk.public_url}/call/[\w-]+#[\w-]{{20,}}", card.url)
    async with aiohttp.ClientSession() as session, session.get(card.url) as response:
        assert response.status == 200
    with pytest.raises(TurnedAway) as refusal:
        await ask_for_ticket(card.url + "x", "Mallory")
    assert refusal.value.reason == "wrong_link"


def test_states_are_told_once_each() -> None:
    versions = tuple({CALL: {"state": state}} for state in ("open", "open", "active", "open"))
    assert Card("$1", versions).states() == ["open", "active", "open"]
