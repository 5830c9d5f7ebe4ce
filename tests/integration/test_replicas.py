"""Several bridges on one PostgreSQL: they share the rooms, and nothing is done twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from appservice.sharding import shard_of
from bridge.demo.matrix_user import MatrixUser
from tests.conftest import MakeBridge
from tests.support.cards import Salon, inside, is_
from tests.support.people import Visitor
from tests.support.replicas import Replicas, owners, two_replicas
from tests.support.slots import Slot

ROOMS_OF_EACH = 3
PONG = "Je suis là."


@pytest.fixture
async def replicas(make_bridge: MakeBridge, slot: Slot, postgres_url: str) -> AsyncIterator[Replicas]:
    """Two running bridges in one place, behind a balancer, on one database."""
    settings = {"calls": {"clock": "1s", "grace": "2s"}}
    async with two_replicas(make_bridge, slot, postgres_url, settings) as (first, second):
        # Only one of them gets the webhooks, and has to tell the other.
        second.route.copies = 0
        yield first, second
        await asyncio.gather(first.stop(), second.stop())


async def salons_of_both(user: MatrixUser, bot_id: str, postgres_url: str) -> list[Salon]:
    """Rooms of which each replica owns some: which one a room falls to is in its id."""
    owner = await owners(postgres_url)
    salons: dict[str, list[Salon]] = {name: [] for name in owner.values()}
    while min(map(len, salons.values())) < ROOMS_OF_EACH:
        salon = await Salon.made_by(user, bot_id)
        salons[owner[shard_of(salon.room_id)]].append(salon)
    return [salon for some in salons.values() for salon in some[:ROOMS_OF_EACH]]


async def test_two_replicas_share_the_rooms_and_do_nothing_twice(
    replicas: Replicas, postgres_url: str, alice: MatrixUser, bob: MatrixUser
) -> None:
    _, second = replicas
    salons = await salons_of_both(alice, second.bot_id, postgres_url)
    await asyncio.gather(*(salon.admit(bob) for salon in salons))

    # Two people in each room ask at the same time.
    await asyncio.gather(*(salon.say("!visio", by=user) for salon in salons for user in (alice, bob)))
    cards = await asyncio.gather(*(salon.card(is_("open")) for salon in salons))
    for salon, card in zip(salons, cards, strict=True):
        assert card.url in (await salon.greeting(2))["content"]["body"]
    logs = [replica.log_file.read_text().count("call.opened") for replica in replicas]
    assert sum(logs) == len(salons)
    assert all(logs), f"both have worked: {logs}"

    guests = [await (await Visitor.by_link(card.url, "Ada")).join() for card in cards]
    await asyncio.gather(*(salon.card(inside("Ada")) for salon in salons))

    asked = [await salon.say("!visio ping") for salon in salons]
    for salon, question in zip(salons, asked, strict=True):
        assert (await salon.answer_to(question))["content"]["body"] == PONG
    for guest in guests:
        await guest.leave()
    ended = await asyncio.gather(*(salon.card(is_("ended")) for salon in salons))
    assert [card.call["came"] for card in ended] == [1] * len(salons)

    for salon in salons:
        assert len(salon.cards) == 1
        assert len(salon.answers()) == 3, salon.said()
