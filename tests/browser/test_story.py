"""The whole way: typed in a room of a real homeserver, joined in a browser, and over for everybody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, BrowserContext, expect

from bridge.demo.cards import CardWatch
from bridge.demo.client import building
from bridge.demo.client.login import new_device
from bridge.demo.client.server import ClientServer
from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.synapse import Synapse
from tests.browser.guest import WATCH_CONNECTIONS, Guest
from tests.browser.pictures import portraits, side_by_side
from tests.support.bridges import LocalBridge

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]


@asynccontextmanager
async def somebody(browser: Browser, portrait: str) -> AsyncIterator[BrowserContext]:
    """A clean browser, in French, with a face."""
    async with await browser.new_context(locale="fr", viewport={"width": 780, "height": 440}) as context:
        for script in (WATCH_CONNECTIONS, portraits(portrait)):
            await context.add_init_script(script)
        yield context


async def test_from_the_command_in_the_room_to_people_talking_in_the_browser(
    synapse: Synapse, bridge: LocalBridge, browser: Browser
) -> None:
    async with (
        await MatrixUser.register(synapse.url, "story-alice", secret=synapse.registration_secret) as alice,
        ClientServer(building.install()) as client,
        somebody(browser, "visio") as in_room,
        somebody(browser, "matrix") as with_link,
    ):
        room_id = await alice.create_room(name="Équipe budget", invite=[bridge.bot_id])
        await alice.wait_until(lambda: bridge.bot_id in alice.room(room_id).members())
        await alice.request("PUT", f"/v3/profile/{alice.user_id}/displayname", {"displayname": "Alice"})
        cards = CardWatch(alice, room_id)

        room = await in_room.new_page()
        await room.set_viewport_size({"width": 520, "height": 440})
        await room.goto(client.address(await new_device(alice), room_id, language="fr"))
        await room.get_by_label("Message", exact=True).fill("!visio Point budget")
        await room.get_by_role("button", name="Envoyer").click()
        async with in_room.expect_page() as opened:
            await room.get_by_role("link", name="Rejoindre la visio").click()
        marie = Guest(await opened.value, "fr")
        await marie.sees_title("Point budget")
        await marie.join("Marie Curie")

        ada = Guest(await with_link.new_page(), "fr")
        await ada.page.goto(cards.versions[-1].call["url"])
        await ada.join("Ada Lovelace")
        await cards.wait_for(lambda card: card.names == {"Marie Curie", "Ada Lovelace"})
        await marie.receives_sound_and_pictures()
        await ada.receives_sound_and_pictures()
        await expect(room.get_by_role("log")).to_contain_text("« Ada Lovelace » (sans compte)")
        await side_by_side(browser, "card", room, marie.page)
        await ada.leave()
        await cards.wait_for(lambda card: card.names == {"Marie Curie"})

        await alice.say(room_id, "!visio fin")
        await alice.wait_for(room_id, lambda event: "!visio fin oui" in event["content"].get("body", ""))
        await alice.say(room_id, "!visio fin oui")
        await cards.wait_for(lambda card: card.state == "ended")
        await marie.sees_title("La réunion est terminée")
        await expect(room.get_by_role("log")).to_contain_text("Visio terminée : Point budget")
        assert len(cards.cards) == 1
