"""Several bridges on one PostgreSQL: they share the rooms, nothing is done twice, one may die."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.ports import reserve_port
from tests.conftest import MakeBridge
from tests.support.bridges import LocalBridge
from tests.support.cards import Salon
from tests.support.chaos_balancer import Backend, Balancer
from tests.support.people import Visitor
from tests.support.slots import Slot
from tests.support.waiting import until

ROOMS = 6
PONG = "Je suis là."


def inside(*names: str) -> Any:
    return lambda card: card.names == set(names)


def is_(state: str) -> Any:
    return lambda card: card.state == state


@pytest.fixture
async def replicas(
    make_bridge: MakeBridge, slot: Slot, postgres_url: str
) -> AsyncIterator[tuple[LocalBridge, LocalBridge]]:
    """Two running bridges in one place, behind a balancer, on one database."""
    public = reserve_port()
    made = []
    for _ in range(2):
        own = dataclasses.replace(slot, internal_port=reserve_port(), public_port=reserve_port())
        settings = {
            "database": {"url": postgres_url},
            "calls": {"clock": "1s", "grace": "2s"},
            "appservice": {"url": slot.internal_url},
            "web": {"public_url": f"http://127.0.0.1:{public}"},
        }
        made.append(make_bridge(settings, slot=own))
    first, second = made
    # Only one of them gets the webhooks, and has to tell the other.
    second.route.copies = 0
    internal = [Backend(each.internal_url, f"{each.internal_url}/health/ready") for each in made]
    browsers = [Backend(each.public_url, f"{each.internal_url}/health/ready") for each in made]
    async with Balancer(slot.internal_port, internal), Balancer(public, browsers):
        await asyncio.gather(first.start(), second.start())
        await until(lambda: all(backend.ready for backend in internal + browsers), 20)
        await until(lambda: any("replicas=2" in each.log_file.read_text() for each in made), 20)
        yield first, second
        await asyncio.gather(first.stop(), second.stop())


async def test_two_replicas_share_the_rooms_and_one_may_die(
    replicas: tuple[LocalBridge, LocalBridge], alice: MatrixUser, bob: MatrixUser
) -> None:
    first, second = replicas
    salons = await asyncio.gather(*(Salon.made_by(alice, first.bot_id) for _ in range(ROOMS)))
    await asyncio.gather(*(salon.admit(bob) for salon in salons))

    # Two people in each room ask at the same time.
    await asyncio.gather(*(salon.say("!visio", by=user) for salon in salons for user in (alice, bob)))
    cards = await asyncio.gather(*(salon.card(is_("open")) for salon in salons))
    for salon, card in zip(salons, cards, strict=True):
        assert card.url in (await salon.greeting(2))["content"]["body"]
    logs = [replica.log_file.read_text().count("call.opened") for replica in replicas]
    assert sum(logs) == ROOMS
    assert all(logs), f"both have worked: {logs}"

    guests = [await (await Visitor.by_link(card.url, "Ada")).join() for card in cards]
    await asyncio.gather(*(salon.card(inside("Ada")) for salon in salons))

    second.kill()
    asked = [await salon.say("!visio ping") for salon in salons]
    for salon, question in zip(salons, asked, strict=True):
        assert (await salon.answer_to(question))["content"]["body"] == PONG
    for guest in guests:
        await guest.leave()
    ended = await asyncio.gather(*(salon.card(is_("ended")) for salon in salons))
    assert [card.call["came"] for card in ended] == [1] * ROOMS

    await second.start()
    asked = [await salon.say("!visio ping") for salon in salons]
    for salon, question in zip(salons, asked, strict=True):
        await salon.answer_to(question)
    for salon in salons:
        assert len(salon.cards) == 1
        assert len(salon.answers()) == 4, salon.said()
