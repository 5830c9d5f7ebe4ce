"""Meetings that the bridge opens in Visio, from ``!visio`` to their end."""

from __future__ import annotations

from typing import Any

from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.livekit import LiveKit
from bridge.demo.visio import tickets
from bridge.demo.visio.guest import VisioGuest
from bridge.demo.visio.stand_in import StandIn
from bridge.demo.visio.world import Access, Role
from tests.conftest import MakeBridge, MakeVisio
from tests.integration.visio.conftest import with_visio
from tests.support.cards import Card, Salon, inside, is_, plain


def person(card: Card, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(p for p in card.call["participants"] if p["name"] == name)
    return found


async def test_a_meeting_is_made_in_visio_and_its_link_stands_on_the_card(
    salon: Salon, visio: StandIn
) -> None:
    made = visio.count("POST", "/external-api/v1.0/rooms/")
    await salon.say("!visio Point budget")
    card = await salon.card(is_("open"))
    room = visio.room_of(card.url)
    assert card.url == visio.link(room)
    assert card.content["call_url"] == card.url
    assert card.call["provider"] == "visio"
    assert card.body.splitlines()[0] == "Visio ouverte : Point budget"
    assert "Toute personne qui a ce lien peut entrer." in card.body
    assert room.access_level is Access.PUBLIC
    assert room.roles == {visio.service.id: Role.OWNER}
    assert visio.count("POST", "/external-api/v1.0/rooms/") == made + 1


async def test_people_of_every_kind_come_and_go_on_the_card(salon: Salon, visio: StandIn) -> None:
    ada = visio.world.add_user("ada@stand-in.example", "Ada Lovelace")
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    room = visio.room_of(url)
    async with (
        VisioGuest(await visio.ticket(room, "Jean")) as jean,
        VisioGuest(await visio.ticket(room, user=ada)),
        VisioGuest(tickets.phone(visio.sfu, room.id, "+33612345678")) as phone,
        VisioGuest(tickets.recorder(visio.sfu, room.id)),
    ):
        card = await salon.card(lambda card: card.call["count"] == 3)
        known = person(card, "Ada Lovelace")
        assert (known["kind"], known["verified"], known["user_id"]) == ("visio", True, None)
        assert (person(card, "Jean")["kind"], person(card, "Jean")["verified"]) == ("guest", False)
        assert sorted(p["kind"] for p in card.call["participants"]) == ["guest", "phone", "visio"]
        assert "0612345678" not in card.body
        assert "+33612345678" not in card.body
        assert card.call["listening"] == 0, "a recorder is told of in another way"
        await phone.leave()
        await salon.card(inside("Jean", "Ada Lovelace"))
        await visio.organiser.rename(room, jean.identity, "Jean Dupont")
        await salon.card(inside("Jean Dupont", "Ada Lovelace"))
    card = await salon.card(is_("ended"))
    assert (card.call["came"], card.call["peak"]) == (3, 3)
    assert card.call["url"] is None


async def test_hands_and_roles_follow(salon: Salon, visio: StandIn) -> None:
    ada = visio.world.add_user("ada@stand-in.example", "Ada Lovelace")
    await salon.say("!visio")
    room = visio.room_of((await salon.card(is_("open"))).url)
    async with VisioGuest(await visio.ticket(room, user=ada)) as guest:
        await salon.card(inside("Ada Lovelace"))
        await visio.organiser.raise_hand(room, guest.identity)
        await salon.card(lambda card: person(card, "Ada Lovelace").get("hand") is True)
        await visio.organiser.raise_hand(room, guest.identity, raised=False)
        await salon.card(lambda card: not person(card, "Ada Lovelace").get("hand"))
        await visio.organiser.change_role(room, ada, "administrator")
        await salon.card(lambda card: person(card, "Ada Lovelace").get("role") == "administrator")


async def test_accounts_that_never_logged_in_share_an_identity_and_are_one_unverified_person(
    salon: Salon, visio: StandIn
) -> None:
    new = visio.world.add_user("new@stand-in.example", "New Comer", provisional=True)
    await salon.say("!visio")
    room = visio.room_of((await salon.card(is_("open"))).url)
    async with VisioGuest(await visio.ticket(room, user=new)):
        card = await salon.card(inside("New Comer"))
        assert person(card, "New Comer")["verified"] is False


async def test_recording_and_transcription_show_while_they_run(salon: Salon, visio: StandIn) -> None:
    await salon.say("!visio")
    room = visio.room_of((await salon.card(is_("open"))).url)
    async with VisioGuest(await visio.ticket(room, "Jean")):
        await salon.card(inside("Jean"))
        await visio.organiser.start_recording(room)
        await visio.organiser.recording_runs(room)
        card = await salon.card(lambda card: card.call["recording"])
        assert "Enregistrement en cours." in card.body
        assert card.call["transcription"] is False
        await visio.organiser.stop_recording(room)
        await visio.organiser.recording_ended(room)
        card = await salon.card(lambda card: not card.call["recording"])
        assert "Enregistrement" not in card.body
        await visio.organiser.start_recording(room, mode="transcript")
        card = await salon.card(lambda card: card.call["transcription"])
        assert "Transcription en cours." in card.body
        assert card.call["recording"] is False


async def test_the_card_says_who_can_enter_and_follows_when_the_owner_changes_it(
    salon: Salon, visio: StandIn
) -> None:
    await salon.say("!visio")
    room = visio.room_of((await salon.card(is_("open"))).url)
    async with VisioGuest(await visio.ticket(room, "Jean")):
        card = await salon.card(inside("Jean"))
        assert "Toute personne qui a ce lien peut entrer." in card.body
        await visio.organiser.change_access(room, "restricted")
        await salon.card(lambda card: "Toute personne" not in card.body)


async def test_ending_it_puts_everybody_out_in_visio(salon: Salon, visio: StandIn) -> None:
    await salon.say("!visio")
    room = visio.room_of((await salon.card(is_("open"))).url)
    async with VisioGuest(await visio.ticket(room, "Jean")) as jean:
        await salon.card(inside("Jean"))
        await salon.say("!visio fin")
        await salon.say("!visio fin oui")
        card = await salon.card(is_("ended"))
        assert card.call["end_reason"] == "command"
        await jean.wait_until_put_out()


async def test_people_who_gather_again_behind_the_link_get_a_new_card(salon: Salon, visio: StandIn) -> None:
    await salon.say("!visio Revue")
    old = await salon.card(is_("open"))
    room = visio.room_of(old.url)
    async with VisioGuest(await visio.ticket(room, "Jean")):
        await salon.card(inside("Jean"))
    await salon.card(is_("ended"))
    async with VisioGuest(await visio.ticket(room, "Jeanne")):
        again = await salon.card(inside("Jeanne"), number=2)
        assert (again.url, again.state) == (old.url, "active")
        assert again.call["id"] != old.call["id"]
        assert again.call["subject"] == "Revue"


async def test_muting_and_putting_out_works_in_visio_too(salon: Salon, visio: StandIn) -> None:
    await salon.say("!visio")
    room = visio.room_of((await salon.card(is_("open"))).url)
    async with VisioGuest(await visio.ticket(room, "Jean")) as jean:
        await salon.card(inside("Jean"))
        await salon.say("!visio expulser Jean")
        await jean.wait_until_put_out()
        await salon.card(lambda card: card.call["count"] == 0)


async def test_where_people_can_dial_in_the_card_says_how(
    make_visio: MakeVisio, make_bridge: MakeBridge, livekit: LiveKit, alice: MatrixUser
) -> None:
    visio = make_visio(livekit, room_telephony_enabled=True)
    bridge = make_bridge(with_visio(visio))
    await bridge.start()
    salon = await Salon.made_by(alice, bridge.bot_id)
    await salon.say("!visio")
    card = await salon.card(is_("open"))
    pin = visio.room_of(card.url).pin_code
    assert pin is not None
    body = plain(card.body).replace(" ", "")
    assert pin in body
    assert "170001234" in body


async def test_where_the_owner_is_the_user_the_meeting_is_theirs(
    make_visio: MakeVisio, make_bridge: MakeBridge, livekit: LiveKit, alice: MatrixUser
) -> None:
    visio = make_visio(livekit)
    server = alice.user_id.partition(":")[2]
    emails = {server: ["*@stand-in.example"]}
    localpart = alice.user_id[1:].partition(":")[0]
    owner = visio.world.add_user(f"{localpart}@stand-in.example", "Alice")
    bridge = make_bridge(with_visio(visio, owner="user", emails=emails, access_level="trusted"))
    await bridge.start()
    salon = await Salon.made_by(alice, bridge.bot_id)
    await salon.say("!visio")
    card = await salon.card(is_("open"))
    assert visio.room_of(card.url).roles == {owner.id: Role.OWNER}
    assert "Avec ProConnect, vous entrez directement" in card.body


async def test_where_nobody_can_let_people_in_the_card_says_so(
    make_bridge: MakeBridge, visio: StandIn, alice: MatrixUser
) -> None:
    bridge = make_bridge(with_visio(visio, access_level="trusted"))
    await bridge.start()
    salon = await Salon.made_by(alice, bridge.bot_id)
    await salon.say("!visio")
    card = await salon.card(is_("open"))
    assert visio.room_of(card.url).access_level is Access.TRUSTED
    assert "Sans ProConnect, vous ne pourrez pas entrer." in card.body


async def test_without_webhooks_people_show_all_the_same(
    make_bridge: MakeBridge, visio: StandIn, alice: MatrixUser
) -> None:
    bridge = make_bridge({**with_visio(visio), "sfu": {"webhooks": False}})
    await bridge.start()
    salon = await Salon.made_by(alice, bridge.bot_id)
    await salon.say("!visio")
    room = visio.room_of((await salon.card(is_("open"))).url)
    async with VisioGuest(await visio.ticket(room, "Jean")):
        await salon.card(inside("Jean"))
    await salon.card(is_("ended"))
