"""Links to meetings that exist in Visio, or may one day: told to the bridge, or just posted."""

from __future__ import annotations

import asyncio

import pytest

from bridge.demo.matrix_user import Event, MatrixUser
from bridge.demo.peers.livekit import LiveKit
from bridge.demo.visio.faults import Fault, Harm
from bridge.demo.visio.guest import VisioGuest
from bridge.demo.visio.stand_in import StandIn
from bridge.demo.visio.tickets import let_in
from bridge.demo.visio.world import new_slug
from tests.benchmarks.witness import Witness
from tests.conftest import MakeBridge, MakeVisio, NewUser
from tests.integration.visio.conftest import many_salons, with_visio
from tests.support.bridges import LocalBridge
from tests.support.cards import Salon, inside, is_
from tests.support.waiting import until

ROOMS_WITH_ONE_LINK = 25


async def test_a_meeting_that_is_followed_shows_who_is_in_and_goes_on_when_it_is_let_go(
    salon: Salon, visio: StandIn
) -> None:
    room = visio.world.add_room(access_level="public")
    async with VisioGuest(await visio.ticket(room, "Jean")) as jean:
        await salon.say(f"!visio lier {visio.link(room)}")
        card = await salon.card(inside("Jean"))
        assert (card.url, card.call["provider"]) == (visio.link(room), "visio")
        await salon.say("!visio fin")
        card = await salon.card(is_("ended"))
        assert card.call["url"] is None
        assert jean.inside, "an adopted meeting is only untied"


async def test_the_link_that_somebody_posts_is_followed(salon: Salon, visio: StandIn) -> None:
    room = visio.world.add_room(access_level="public")
    await salon.say(f"Le lien pour demain : {visio.link(room)} (10 h)")
    card = await salon.card(is_("open"))
    assert card.url == visio.link(room)
    async with VisioGuest(await visio.ticket(room, "Jean")):
        await salon.card(inside("Jean"))
    await salon.card(is_("ended"))


async def test_behind_a_lobby_people_are_counted_and_not_named(salon: Salon, visio: StandIn) -> None:
    room = visio.world.add_room(access_level="restricted")
    await salon.say(f"!visio lier {visio.link(room)}")
    await salon.card(is_("open"))
    async with VisioGuest(let_in(visio.sfu, room.id, "Jean")):
        card = await salon.card(is_("active"))
        assert "Un organisateur doit vous faire entrer." in card.body
        assert (card.call["count"], card.call["participants"]) == (1, [])
        assert "Jean" not in card.body


async def test_where_it_is_asked_whoever_may_start_a_call_agrees_with_a_reaction(
    make_bridge: MakeBridge, visio: StandIn, alice: MatrixUser, new_user: NewUser
) -> None:
    bridge = make_bridge(with_visio(visio, adopt_links="ask"))
    await bridge.start()
    stranger = await new_user("bob-stranger")
    salon = await Salon.made_by(alice, bridge.bot_id)
    await salon.admit(stranger)
    room = visio.world.add_room(access_level="public")
    posted = await salon.say(f"On se voit sur {visio.link(room)}")

    offer = await alice.wait_for(salon.room_id, lambda e: _reaction_to(e, posted, bridge.bot_id))
    key = offer["content"]["m.relates_to"]["key"]
    content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": posted, "key": key}}
    await stranger.send(salon.room_id, "m.reaction", content)
    await salon.reply("!visio ping")
    assert salon.cards == [], "who may not start a call may not adopt one"
    await alice.send(salon.room_id, "m.reaction", content)
    card = await salon.card(is_("open"))
    assert card.url == visio.link(room)

    async def withdrawn() -> bool:
        events = await alice.history(salon.room_id)
        return not any(_reaction_to(event, posted, bridge.bot_id) for event in events)

    await until(withdrawn)


def _reaction_to(event: Event, event_id: str, sender: str) -> bool:
    relation = event["content"].get("m.relates_to", {})
    ours = event["type"] == "m.reaction" and event["sender"] == sender
    return bool(ours and relation.get("event_id") == event_id)


async def test_where_links_are_never_followed_a_command_still_follows_one(
    make_bridge: MakeBridge, visio: StandIn, alice: MatrixUser
) -> None:
    bridge = make_bridge(with_visio(visio, adopt_links="never"))
    await bridge.start()
    salon = await Salon.made_by(alice, bridge.bot_id)
    room = visio.world.add_room(access_level="public")
    posted = await salon.say(visio.link(room))
    await salon.reply("!visio ping")
    assert salon.cards == []
    assert not [e for e in salon.timeline if _reaction_to(e, posted, bridge.bot_id)]
    await salon.say(f"!visio adopt {visio.link(room)}")
    assert (await salon.card(is_("open"))).url == visio.link(room)


async def test_a_meeting_that_does_not_exist_yet_is_followed_once_it_does(
    salon: Salon, visio: StandIn
) -> None:
    slug = new_slug()
    await salon.say(f"!visio lier {visio.link(slug)}")
    await salon.card(is_("open"))
    room = visio.world.add_room(slug)
    async with VisioGuest(await visio.ticket(room, "Jean")):
        await salon.card(inside("Jean"))


async def test_a_slug_that_nobody_registered_is_followed_before_and_after_somebody_does(
    make_visio: MakeVisio, make_bridge: MakeBridge, livekit: LiveKit, alice: MatrixUser
) -> None:
    visio = make_visio(livekit, allow_unregistered_rooms=True)
    bridge = make_bridge({**with_visio(visio), "calls": {"provider": "visio", "grace": "10m", "clock": "1s"}})
    await bridge.start()
    salon = await Salon.made_by(alice, bridge.bot_id)
    slug = new_slug()
    await salon.say(f"!visio lier {visio.link(slug)}")
    async with VisioGuest(await visio.ticket(slug, "Jean")) as jean:
        assert jean.ticket.sfu_room == slug
        await salon.card(inside("Jean"))
    await salon.card(inside())
    room = visio.world.add_room(slug)
    async with VisioGuest(await visio.ticket(room, "Jeanne")) as jeanne:
        assert jeanne.ticket.sfu_room == room.id
        await salon.card(inside("Jeanne"))


@pytest.mark.timeout(300)  # fifty rooms are made first
async def test_the_same_link_in_many_rooms_gives_each_its_card_and_the_sfu_one_question(
    make_bridge: MakeBridge, livekit: LiveKit, visio: StandIn, alice: MatrixUser
) -> None:
    async with Witness(livekit) as witness:
        bridge = make_bridge({**with_visio(visio), "sfu": {"api_url": witness.url}})
        await bridge.start()
        salons = await many_salons(alice, bridge.bot_id, ROOMS_WITH_ONE_LINK)
        room = visio.world.add_room(access_level="public")
        visio.visits.clear()
        await asyncio.gather(*(salon.say(f"!visio lier {visio.link(room)}") for salon in salons))
        await asyncio.gather(*(salon.card(is_("open")) for salon in salons))
        assert visio.count(path=f"/rooms/{room.slug}/") < ROOMS_WITH_ONE_LINK / 5
        witness.forget()
        async with VisioGuest(await visio.ticket(room, "Jean")):
            await asyncio.gather(*(salon.card(inside("Jean")) for salon in salons))
            await witness.wait_for_looks([room.id], 2)
            # Some rounds of the clock, and hints: each a question or two, never one for each room.
            assert witness.looks[room.id] < ROOMS_WITH_ONE_LINK


async def test_people_who_gather_again_behind_a_followed_link_get_a_new_card(
    salon: Salon, visio: StandIn
) -> None:
    room = visio.world.add_room(access_level="public")
    await salon.say(f"!visio lier {visio.link(room)}")
    async with VisioGuest(await visio.ticket(room, "Jean")):
        await salon.card(inside("Jean"))
    await salon.card(is_("ended"))
    async with VisioGuest(await visio.ticket(room, "Jeanne")):
        again = await salon.card(inside("Jeanne"), number=2)
        assert again.url == visio.link(room)


async def test_two_rooms_follow_one_meeting_and_one_may_let_go(
    visio_bridge: LocalBridge, salon: Salon, visio: StandIn
) -> None:
    other = await Salon.made_by(salon.user, visio_bridge.bot_id)
    room = visio.world.add_room(access_level="public")
    async with VisioGuest(await visio.ticket(room, "Jean")):
        for each in (salon, other):
            await each.say(f"!visio lier {visio.link(room)}")
            await each.card(inside("Jean"))
        await salon.say("!visio fin")
        await salon.card(is_("ended"))
        async with VisioGuest(await visio.ticket(room, "Jeanne")):
            await other.card(inside("Jean", "Jeanne"))


async def test_hosts_that_only_look_like_visios_are_never_asked(
    salon: Salon, visio: StandIn, make_visio: MakeVisio
) -> None:
    trap = make_visio()
    here, there = f"127.0.0.1:{visio.port}", f"127.0.0.1:{trap.port}"
    slug = new_slug()
    links = [
        f"http://{there}/{slug}",
        f"http://{here}@{there}/{slug}",
        f"http://{there}#{here}/{slug}",
        f"http://{there}\\@{here}/{slug}",
        f"http://{there}/?{here}/{slug}",
        f"http://{there}/{here}/{slug}",
        f"http://user@{here}/{slug}",
        f"http://127.0.0.1.:{visio.port}/{slug}",
        f"http://127.0.0.1%3A{visio.port}/{slug}",
        f"http://127.1:{visio.port}/{slug}",
        f"http://2130706433:{visio.port}/{slug}",
        f"http://[::ffff:127.0.0.1]:{visio.port}/{slug}",
        f"http://localhost:{visio.port}/{slug}",
        f"https://{here}/{slug}",
        f"http://127.0.0.1:0{visio.port}/{slug}",
        f"http://{here}/../{slug}",
        f"http://{here}/{slug}/../../x",
        f"http://１２７.0.0.1:{visio.port}/{slug}",
        f"http://{here}/api/v1.0/rooms/{slug}/",
    ]
    visio.visits.clear()
    for link in links:
        await salon.say(f"On se retrouve ici : {link}")
        await salon.ask(f"!visio lier {link}")
    # Rooms are worked through in order: once this one is followed, nothing is left of the others.
    true = visio.world.add_room(access_level="public")
    await salon.say(f"!visio lier {visio.link(true)}")
    await salon.card(is_("open"))
    assert trap.visits == []
    assert {visit.path for visit in visio.visits if slug in visit.path} == set()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirection_to_another_host_is_not_followed(
    make_visio: MakeVisio, make_bridge: MakeBridge, livekit: LiveKit, alice: MatrixUser, status: int
) -> None:
    visio, trap = make_visio(livekit), make_visio()
    room = visio.world.add_room(access_level="public")
    visio.faults.add(Fault(Harm.REDIRECT, path="/rooms/", to=f"{trap.url}/api/v1.0/rooms/x/", status=status))
    bridge = make_bridge(with_visio(visio))
    await bridge.start()
    salon = await Salon.made_by(alice, bridge.bot_id)
    await salon.say(f"!visio lier {visio.link(room)}")
    await salon.card(is_("failed"))
    await salon.say("!visio")
    await salon.card(is_("failed"), number=2)
    assert trap.visits == []
