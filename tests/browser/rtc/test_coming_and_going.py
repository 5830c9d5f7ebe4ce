"""Three in Element Call and three in Visio: they meet, go, crash, come back and are called otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from bridge.demo.guest import Guest
from bridge.demo.matrix_user import MatrixUser
from bridge.demo.visio.world import User
from tests.browser.rtc.bridge_scene import House, shows
from tests.browser.rtc.element_call import ElementCall
from tests.browser.rtc.patience import PATIENCE
from tests.browser.rtc.rooms import MEMBERSHIP
from tests.browser.rtc.visio_page import VisioPage
from tests.support.cards import Card

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass(frozen=True)
class Colleague:
    """Somebody in Visio without a browser: of three, one page is enough."""

    guest: Guest
    identity: str

    async def sees_and_hears(self, *identities: str) -> None:
        """Wait until frames and audible sound of each of these arrive, counted from now."""
        waiting = [self.guest.wait_for_media(each, frames=3, timeout=PATIENCE) for each in identities]
        await asyncio.gather(*waiting)


@pytest.mark.timeout(300)
async def test_three_and_three_meet_and_then_come_and_go(house: House) -> None:
    salon, users = await house.salon("Alice", "Bob", "Carole")
    alice, bob, carole = users
    card = await house.meeting(salon)
    louis_account = house.account("Louis Pasteur")
    async with AsyncExitStack() as guests:
        with_alice, with_bob, with_carole = await house.call(salon, *users)
        marie, pierre, louis_at_first = await asyncio.gather(
            house.visio(card, "Marie Curie"),
            colleague(house, card, "Pierre Curie", guests),
            colleague(house, card, "Louis Pasteur", guests, louis_account),
        )
        everybody = {"Alice", "Bob", "Carole", "Marie Curie", "Pierre Curie", "Louis Pasteur"}
        await all_meet(everybody, [with_alice, with_bob, with_carole], [marie, pierre, louis_at_first])
        assert (await salon.card(shows(*everybody))).call["count"] == 6

        await asyncio.gather(louis_at_first.guest.leave(), marie.crash(), with_carole.crash())

        # While nobody knows yet that these two are gone: a new name,
        room = house.stand_in.room_of(card.url)
        await house.stand_in.organiser.rename(room, pierre.identity, "Pierre Chappuis")
        await asyncio.gather(with_alice.sees("Pierre Chappuis"), with_bob.sees("Pierre Chappuis"))
        # another rung: a ghost that may not be in the room leaves its tile to the bot,
        await alice.ban(salon.room_id, caller_called("Pierre Chappuis", alice, salon.room_id))
        await asyncio.gather(*(call.sees_nobody_called("Pierre") for call in (with_alice, with_bob)))
        await all_meet({"Alice", "Bob", "Visio"}, [with_alice, with_bob], [pierre])
        # and somebody who is put out of the room.
        await alice.kick(salon.room_id, bob.user_id)
        await with_alice.sees_nobody_called("Bob")
        await tokens_open_nothing(with_bob)
        await all_meet({"Alice", "Visio"}, [with_alice], [pierre])

        # Before anybody knows that she was gone, one comes back and stands there twice for a while.
        (with_carole,), louis = await asyncio.gather(
            house.call(salon, carole), house.visio(card, "Louis Pasteur", account=louis_account)
        )
        four = {"Alice", "Carole", "Louis Pasteur", "Visio"}
        await with_alice.sees_only(*four)
        await all_meet(four, [with_alice, with_carole], [louis, pierre])
        assert not any(tile.waiting for tile in await with_alice.tiles())
        await louis.is_with(with_alice.identity, with_carole.identity, pierre.identity)
        # The card of a roster that changes often is late; who asks is told at once.
        told = await salon.reply("!visio statut")
        assert all(name in told for name in ("Alice", "Carole", "Louis Pasteur", "Pierre Chappuis"))
        assert not any(name in told for name in ("Bob", "Marie"))


async def colleague(
    house: House, card: Card, name: str, guests: AsyncExitStack, account: User | None = None
) -> Colleague:
    """Join the meeting; they leave with the stack."""
    ticket = await house.ticket(card, name, account=account)
    guest = await guests.enter_async_context(Guest(ticket.name, ticket.sfu_url, ticket.token))
    return Colleague(guest, ticket.identity)


async def all_meet(
    names: set[str], calls: Sequence[ElementCall], in_visio: Sequence[VisioPage | Colleague]
) -> None:
    """Wait until each of them sees these names, and sees and hears all others."""
    everybody = [call.identity for call in calls] + [each.identity for each in in_visio]
    waiting = [call.sees(*names) for call in calls]
    waiting += [call.hears(len(names) - 1) for call in calls]
    for somebody in in_visio:
        waiting.append(somebody.sees_and_hears(*(who for who in everybody if who != somebody.identity)))
    await asyncio.gather(*waiting)


def caller_called(name: str, user: MatrixUser, room_id: str) -> str:
    """Who of those in a room's call has this name, as one of its members sees it."""
    state = user.room(room_id).state
    callers = (event for (kind, _), event in state.items() if kind == MEMBERSHIP and event["content"])
    found: list[str] = [event["sender"] for event in callers]
    return next(who for who in found if state["m.room.member", who]["content"]["displayname"] == name)


async def tokens_open_nothing(call: ElementCall) -> None:
    """Try every token with which a page has connected."""
    sockets = [url for url in call.requests if url.startswith("ws") and "/livekit/rtc" in url]
    assert sockets
    async with aiohttp.ClientSession() as session:
        for url in sockets:
            assert parse_qs(urlsplit(url).query)["access_token"]
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(url)
            assert refused.value.status in (401, 403)
