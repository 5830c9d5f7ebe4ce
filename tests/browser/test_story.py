"""The whole way: typed in a room of a real homeserver, joined in a browser, and over for everybody."""

from __future__ import annotations

import pytest

from bridge.demo.cards import CardWatch
from bridge.demo.guest import Guest
from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.synapse import Synapse
from tests.browser.conftest import NewGuest
from tests.support.bridges import LocalBridge

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_from_the_command_in_the_room_to_people_talking_in_the_browser(
    synapse: Synapse, bridge: LocalBridge, new_guest: NewGuest
) -> None:
    async with await MatrixUser.register(
        synapse.url, "story-alice", secret=synapse.registration_secret
    ) as alice:
        room = await alice.create_room(invite=[bridge.bot_id])
        await alice.wait_until(lambda: bridge.bot_id in alice.room(room).members())
        cards = CardWatch(alice, room)
        await alice.say(room, "!visio Point budget")
        link = (await cards.wait_for(lambda card: card.state == "open")).call["url"]

        ada = await new_guest(link)
        await ada.sees_title("Point budget")
        await ada.join("Ada Lovelace")
        async with await Guest.with_link(link, "Denis Petit") as denis:
            await cards.wait_for(lambda card: card.names == {"Ada Lovelace", "Denis Petit"})
            await denis.wait_for_media("Ada Lovelace")
            await ada.receives_sound_and_pictures()
        await cards.wait_for(lambda card: card.names == {"Ada Lovelace"})

        await alice.say(room, "!visio fin")
        await alice.wait_for(room, lambda event: "!visio fin oui" in event["content"].get("body", ""))
        await alice.say(room, "!visio fin oui")
        await cards.wait_for(lambda card: card.state == "ended")
        await ada.sees_title("The meeting is over")
        assert len(cards.cards) == 1
