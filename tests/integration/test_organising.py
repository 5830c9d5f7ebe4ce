"""Who may do what in a call, and what its organisers do to others, on real servers (CONTRACT §4)."""

from __future__ import annotations

import pytest
from livekit import api

from bridge.demo.guest import Guest, TurnedAway, ask_for_ticket
from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.livekit import LiveKit
from tests.conftest import MakeBridge, NewUser
from tests.support.cards import Salon, inside, is_, mentioning, plain
from tests.support.people import Visitor
from tests.support.waiting import until

NOTHING_OPEN = "Aucune visio n’est ouverte ici. Écrivez !visio pour en ouvrir une."


# Who may


async def test_others_may_not_end_mute_kick_ring_or_choose_the_language(
    salon: Salon, bob: MatrixUser
) -> None:
    await salon.admit(bob)
    starter = salon.user.user_id[1:].partition(":")[0]
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    async with await Visitor.by_link(url, "Ada"):
        await salon.card(inside("Ada"))
        assert f"Seuls {starter} et les modérateurs peuvent terminer" in await salon.reply(
            "!visio fin", by=bob
        )
        for command in ("!visio muet Ada", "!visio expulser Ada", f"!visio appeler {bob.user_id}"):
            assert f"seuls {starter} et les modérateurs peuvent faire cela" in await salon.reply(
                command, by=bob
            )
        assert "seuls les modérateurs peuvent faire cela" in await salon.reply("!visio langue en", by=bob)
        assert salon.cards[-1].names == {"Ada"}


async def test_the_one_who_opened_it_needs_no_power(salon: Salon, bob: MatrixUser) -> None:
    await salon.admit(bob)
    await salon.say("!visio", by=bob)
    await salon.card(is_("open"))
    await salon.say("!visio fin", by=bob)
    card = await salon.card(is_("ended"))
    assert card.call["started_by"] == bob.user_id


async def test_a_moderator_may_end_what_others_opened(salon: Salon, bob: MatrixUser) -> None:
    await salon.admit(bob)
    await salon.give_power(bob, 50)
    await salon.say("!visio")
    await salon.card(is_("open"))
    await salon.say("!visio end", by=bob)
    await salon.card(is_("ended"))


async def test_just_below_fifty_is_no_moderator(salon: Salon, bob: MatrixUser) -> None:
    await salon.admit(bob)
    await salon.give_power(bob, 49)
    await salon.say("!visio")
    await salon.card(is_("open"))
    assert "les modérateurs peuvent terminer" in await salon.reply("!visio end", by=bob)


async def test_who_may_not_open_hears_who_may(salon: Salon, new_user: NewUser) -> None:
    stranger = await new_user("carl-stranger")
    await salon.admit(stranger)
    answer = await salon.reply("!visio", by=stranger)
    assert "Dans ce salon, seuls les membres de" in answer
    assert not salon.cards
    await salon.say("!visio")
    card = await salon.card(is_("open"))
    assert card.url in await salon.reply("!visio", by=stranger), "any member gets the link"


async def test_in_a_large_room_only_moderators_open(
    make_bridge: MakeBridge, alice: MatrixUser, bob: MatrixUser
) -> None:
    bridge = make_bridge({"limits": {"large_room": 2}})
    await bridge.start()
    salon = await Salon.made_by(alice, bridge.bot_id)
    await salon.admit(bob)
    answer = await salon.reply("!visio", by=bob)
    assert answer == "Dans ce salon, seuls les modérateurs peuvent ouvrir une visio."
    assert await salon.reply("!visio statut", by=bob) == NOTHING_OPEN
    await salon.say("!visio")
    card = await salon.card(is_("open"))
    assert card.call["started_by"] == alice.user_id


# Calling people


async def test_ringing_mentions_people_in_one_text_message(salon: Salon, bob: MatrixUser) -> None:
    await salon.admit(bob)
    await salon.say("!visio Point budget")
    card = await salon.card(is_("open"))
    event = await salon.ask(f"!visio appeler {bob.user_id}", **mentioning(bob.user_id))
    content = event["content"]
    assert content["msgtype"] == "m.text"
    assert content["m.mentions"] == {"user_ids": [bob.user_id]}
    assert card.url in content["body"]
    assert "Point budget" in content["body"]
    for _ in range(3):
        again = await salon.ask(f"!visio appeler {bob.user_id}", **mentioning(bob.user_id))
    assert "dernier appel il y a moins d’une minute" in again["content"]["body"]
    assert again["content"]["m.mentions"] == {}


async def test_who_is_not_in_the_room_does_not_hear_a_call_and_the_caller_is_told(
    salon: Salon, bob: MatrixUser
) -> None:
    await salon.say("!visio")
    await salon.card(is_("open"))
    asked = await salon.say(f"!visio appeler {bob.user_id}", **mentioning(bob.user_id))
    ring = await salon.answer_to(asked)
    assert ring["content"]["m.mentions"] == {"user_ids": [bob.user_id]}
    remark = await salon.answer_to(asked, number=2)
    assert "n’est pas dans ce salon et n’entend pas l’appel" in remark["content"]["body"]


async def test_at_most_ten_are_called_with_one_message(salon: Salon) -> None:
    crowd = [f"@user{number}:localhost" for number in range(12)]
    await salon.say("!visio")
    await salon.card(is_("open"))
    asked = await salon.say(f"!visio call {' '.join(crowd)}", **mentioning(*crowd))
    ring = await salon.answer_to(asked)
    assert ring["content"]["m.mentions"] == {"user_ids": crowd[:10]}
    more = await salon.answer_to(asked, number=2)
    assert "les 10 premières personnes" in more["content"]["body"]
    assert more["content"]["m.mentions"] == {}


# Acting on people


async def test_muting_turns_the_microphone_off_in_the_sfu(salon: Salon, livekit: LiveKit) -> None:
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    room = "passerelle-" + url.partition("#")[0].rpartition("/")[2]
    async with (
        await Guest.with_link(url, "Chloé Martin"),
        api.LiveKitAPI(livekit.api_url, livekit.key, livekit.secret) as sfu,
    ):
        await salon.card(inside("Chloé Martin"))

        async def microphone_is(*, muted: bool) -> bool:
            listed = await sfu.room.list_participants(api.ListParticipantsRequest(room=room))
            tracks = [track for person in listed.participants for track in person.tracks]
            return [t.muted for t in tracks if t.source == api.TrackSource.MICROPHONE] == [muted]

        await until(lambda: microphone_is(muted=False))
        assert "J’ai coupé le micro de « Chloé Martin »" in plain(await salon.reply("!visio muet chloe"))
        await until(lambda: microphone_is(muted=True))


async def test_kicking_puts_somebody_out_until_the_end(salon: Salon) -> None:
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    async with (
        await Visitor.by_link(url, "Denis Petit"),
        await Visitor.by_link(url, "Chloé", visitor="c" * 22) as chloe,
    ):
        await salon.card(inside("Denis Petit", "Chloé"))
        # As people copy it from the card.
        answer = plain(await salon.reply("!visio expulser « Chloé » (sans compte)"))
        assert "J’ai retiré « Chloé » (sans compte) de la visio." in answer
        await chloe.wait_until_put_out()
        await salon.card(inside("Denis Petit"))
        with pytest.raises(TurnedAway) as refusal:
            await ask_for_ticket(url, "Chloé", visitor="c" * 22)
        assert refusal.value.reason == "removed"
        async with chloe.again() as with_her_old_token:
            await with_her_old_token.wait_until_put_out()
        assert salon.cards[-1].names == {"Denis Petit"}
        assert salon.cards[-1].call["peak"] == 2


async def test_an_ambiguous_or_unknown_name_does_nothing(salon: Salon) -> None:
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    async with await Visitor.by_link(url, "Marie Curie"), await Visitor.by_link(url, "Marie Dupont"):
        await salon.card(inside("Marie Curie", "Marie Dupont"))
        answer = plain(await salon.reply("!visio expulser Marie"))
        assert "Ce nom désigne plusieurs personnes" in answer
        assert "Marie Curie" in answer
        assert "Marie Dupont" in answer
        answer = plain(await salon.reply("!visio muet Zorro"))
        assert "Personne ne s’appelle « Zorro » dans la visio." in answer
        assert salon.cards[-1].names == {"Marie Curie", "Marie Dupont"}
