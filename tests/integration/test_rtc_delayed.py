"""Memberships that the homeserver empties by itself, on the real one (MSC4140)."""

from __future__ import annotations

import aiohttp

from appservice.client import Client
from appservice.delayed import DelayedState
from appservice.intents import Actors
from appservice.namespace import Namespace
from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.synapse import Synapse
from bridge.keeper.safeguard import DELAY_MS
from bridge.rtc.membership import MEMBER_TYPE
from tests.support.slots import Slot

KEY = "_bot_VISIO_m.call"


async def test_a_membership_is_emptied_when_nobody_puts_that_off(
    synapse: Synapse, slot: Slot, alice: MatrixUser
) -> None:
    registration = slot.registration
    namespace = Namespace(synapse.server_name, registration.bot, registration.ghost_prefix)
    async with aiohttp.ClientSession() as session:
        client = Client(synapse.url, registration.as_token, session)
        bot, delayed = Actors(client, namespace).bot, DelayedState(client)
        await bot.register()
        room = await alice.create_room(invite=[bot.user_id], power_levels={"events": {MEMBER_TYPE: 0}})
        await bot.join(room, ())
        assert await delayed.longest(bot.user_id) >= DELAY_MS

        await bot.send_state(room, MEMBER_TYPE, KEY, {"written": "first"})
        given_up = await delayed.schedule_empty(bot.user_id, room, MEMBER_TYPE, KEY, 60_000)
        await delayed.restart(bot.user_id, given_up)
        await delayed.cancel(bot.user_id, given_up)
        assert await alice.state(room, MEMBER_TYPE, KEY) == {"written": "first"}

        await delayed.schedule_empty(bot.user_id, room, MEMBER_TYPE, KEY, 500)
        await alice.wait_for(
            room, lambda event: event.get("state_key") == KEY and event["content"] == {}, timeout=15
        )
