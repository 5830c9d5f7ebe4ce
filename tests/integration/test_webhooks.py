"""Webhooks are hints: lost, doubled, late or forged, the card ends up right (issue 3)."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.livekit import LiveKit
from bridge.sfu.client import now_ms
from bridge.sfu.tokens import ApiKey
from tests.conftest import MakeBridge
from tests.support.bridges import LocalBridge
from tests.support.cards import Card, Salon, inside, is_
from tests.support.people import Visitor
from tests.support.waiting import until
from tests.support.webhook_relay import Webhook, WebhookRelay, deliver
from tests.unit.sfu.webhook_parts import signed

SLOW = {"calls": {"clock": "1m"}}
"""A clock so slow that only webhooks can tell in time."""


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


def target(bridge: LocalBridge) -> str:
    return f"{bridge.internal_url}/livekit/webhook"


def about(card: Card, webhooks: list[Webhook], kind: str) -> list[Webhook]:
    """The webhooks of one kind about a call's SFU room."""
    room = "passerelle-" + card.call["id"]
    told = [(webhook, json.loads(webhook.body)) for webhook in webhooks]
    return [webhook for webhook, b in told if b["event"] == kind and b.get("room", {}).get("name") == room]


def by(body: bytes, key: ApiKey) -> Webhook:
    """A webhook signed with some key."""
    return Webhook(body, {"Authorization": signed(body, key, now_ms()), "Content-Type": "application/json"})


async def play(salon: Salon) -> Card:
    """People come and go, and the card tells it all."""
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    async with await Visitor.by_link(url, "Ada"):
        await salon.card(inside("Ada"))
        async with await Visitor.by_link(url, "Bob"):
            await salon.card(inside("Ada", "Bob"))
        await salon.card(inside("Ada"))
    card = await salon.card(is_("ended"))
    assert (card.call["came"], card.call["peak"], len(salon.cards)) == (2, 2, 1)
    return card


async def test_without_any_webhook_the_slow_clock_tells(brisk: LocalBridge, salon: Salon) -> None:
    brisk.route.copies = 0
    try:
        await play(salon)
    finally:
        brisk.route.copies = 1


async def test_doubled_webhooks_change_nothing(brisk: LocalBridge, salon: Salon) -> None:
    brisk.route.copies = 2
    try:
        await play(salon)
    finally:
        brisk.route.copies = 1


async def test_webhooks_in_reverse_order_leave_the_card_right(
    make_bridge: MakeBridge, alice: MatrixUser, livekit: LiveKit, session: aiohttp.ClientSession
) -> None:
    bridge = make_bridge(SLOW)
    await bridge.start()
    salon = await Salon.made_by(alice, bridge.bot_id)
    await salon.say("!visio")
    card = await salon.card(is_("open"))
    bridge.route.holding = True
    async with Visitor.with_account(livekit, card.url, alice.user_id, name="Ada"):
        async with Visitor.with_account(livekit, card.url, "@bob:localhost", name="Bob"):
            await until(lambda: len(about(card, bridge.route.held, "participant_joined")) == 2)
        await until(lambda: about(card, bridge.route.held, "participant_left"))
        assert salon.cards[-1].state == "open", "nothing has told the bridge"
        for webhook in reversed(bridge.route.held):
            await deliver(session, target(bridge), webhook)
        card = await salon.card(inside("Ada"))
        assert card.call["count"] == 1
        # Those that tell of her arrival once more change nothing.
        for webhook in bridge.route.held:
            await deliver(session, target(bridge), webhook)
        assert "1 personne" in await salon.reply("!visio statut")


async def test_a_webhook_is_quicker_than_the_clock(
    make_bridge: MakeBridge, alice: MatrixUser, livekit: LiveKit
) -> None:
    bridge = make_bridge(SLOW)
    await bridge.start()
    salon = await Salon.made_by(alice, bridge.bot_id)
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    async with Visitor.with_account(livekit, url, alice.user_id, name="Alice"):
        await salon.card(inside("Alice"), timeout=15)
    await salon.card(lambda c: c.call["count"] == 0, timeout=15)


async def test_forged_and_replayed_webhooks_put_nobody_out(
    brisk: LocalBridge,
    salon: Salon,
    livekit: LiveKit,
    webhook_relay: WebhookRelay,
    session: aiohttp.ClientSession,
) -> None:
    await salon.say("!visio")
    card = await salon.card(is_("open"))
    me = Visitor.with_account(livekit, card.url, salon.user.user_id, name="Ada")
    async with await Visitor.by_link(card.url, "Bob"):
        async with me:
            await salon.card(inside("Ada", "Bob"))
        await salon.card(inside("Bob"))
        await until(lambda: about(card, webhook_relay.received, "participant_left"))
        left = about(card, webhook_relay.received, "participant_left")[0]
        async with me.again():
            await salon.card(inside("Ada", "Bob"))
            said = len(salon.ours())

            told = json.loads(left.body)
            renamed = json.dumps({**told, "id": "EV_another"}).encode()
            lie = json.dumps({**told, "id": "EV_lie", "event": "room_finished"}).encode()
            statuses = [
                await deliver(session, target(brisk), left),
                await deliver(session, target(brisk), Webhook(lie, left.headers)),
                await deliver(session, target(brisk), Webhook(renamed, left.headers)),
                await deliver(session, target(brisk), by(renamed, ApiKey("wrong", livekit.secret))),
                await deliver(session, target(brisk), by(renamed, ApiKey(livekit.key, "wrong" * 8))),
                await deliver(session, target(brisk), Webhook(left.body, {})),
                await deliver(session, target(brisk), Webhook(b"\xff{", left.headers)),
                # Signed as it should be, and still not the truth.
                await deliver(session, target(brisk), by(renamed, ApiKey(livekit.key, livekit.secret))),
            ]
            assert statuses == [200, 401, 401, 401, 401, 401, 400, 200]
            assert "« Bob »" in (await salon.reply("!visio statut")).replace("\u00a0", " ")
            assert salon.cards[-1].names == {"Ada", "Bob"}
            assert len(salon.ours()) == said + 1, "the card was not written"


async def test_where_webhooks_are_switched_off_none_is_taken_and_the_card_is_right(
    make_bridge: MakeBridge, alice: MatrixUser, livekit: LiveKit, session: aiohttp.ClientSession
) -> None:
    bridge = make_bridge({"sfu": {"webhooks": False}, "calls": {"clock": "1s", "grace": "1s"}})
    await bridge.start()
    body = b'{"event": "room_started", "room": {"sid": "RM_1", "name": "passerelle-x"}}'
    webhook = by(body, ApiKey(livekit.key, livekit.secret))
    assert await deliver(session, target(bridge), webhook) == 404
    await play(await Salon.made_by(alice, bridge.bot_id))


async def test_webhooks_about_strangers_are_counted_and_nothing_else(
    make_bridge: MakeBridge, alice: MatrixUser, livekit: LiveKit, session: aiohttp.ClientSession
) -> None:
    bridge = make_bridge(SLOW)
    await bridge.start()
    salon = await Salon.made_by(alice, bridge.bot_id)
    await salon.say("!visio")
    await salon.card(is_("open"))
    for number in range(20):
        room = {"sid": f"RM_{number}", "name": f"strangers-{number}"}
        body = json.dumps({"event": "participant_joined", "room": room, "id": f"EV_{number}"}).encode()
        # Unsigned, even: there is no proof to be looked at.
        assert await deliver(session, target(bridge), Webhook(body, {"Authorization": "nobody's"})) == 200
    async with session.get(f"{bridge.internal_url}/metrics") as response:
        metrics = await response.text()
    counted = re.search(r'passerelle_webhooks{outcome="foreign"} (\d+)', metrics)
    assert counted is not None
    assert int(counted[1]) >= 20
    assert "strangers" not in bridge.log_file.read_text()
    assert b"strangers" not in (bridge.folder / "passerelle.db").read_bytes()
