"""A server that the bridge needs is away for a while: nothing is lost, and the health check tells."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg

from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.livekit import LiveKit
from bridge.demo.peers.postgres import Postgres
from bridge.demo.peers.synapse import Synapse
from tests.conftest import MakeBridge, NewUser
from tests.support.cards import Card, Salon
from tests.support.chaos_bridge import health, health_becomes, nothing_is_left, settings
from tests.support.chaos_extent import Extent
from tests.support.chaos_scene import ROUND_S, Scene
from tests.support.people import Visitor

RECOVERED_S = 30
"""Synapse repeats a transaction that was refused after 2, 4, 8, 16 s, if nobody asks it to before."""


async def test_while_the_homeserver_is_away_calls_go_on_and_then_everything_is_caught_up(
    make_synapse: Callable[..., Synapse],
    make_bridge: MakeBridge,
    new_user: NewUser,
    sqlite_url: str,
    livekit: LiveKit,
    extent: Extent,
) -> None:
    synapse = make_synapse()
    await synapse.start()
    bridge = make_bridge(settings(sqlite_url), synapse=synapse)
    await bridge.start()
    await health_becomes(bridge, 200, database="ok", homeserver="ok", sfu="ok")
    people = [await new_user(name, at=synapse) for name in ("alice", "bob")]
    async with Scene(livekit, bridge.bot_id, people, extent) as scene:
        await scene.open_rooms()
        await scene.let_happen()
        await synapse.stop()
        await health_becomes(bridge, 200, database="ok", homeserver="away", sfu="ok")
        # People enter and leave meetings meanwhile, and their clients keep what they type.
        await asyncio.sleep(extent.outage_s)
        await synapse.start()
        await health_becomes(bridge, 200, database="ok", homeserver="ok", sfu="ok")
        await scene.hush()
        await scene.settle(RECOVERED_S)
        await scene.cards_come_right()
        scene.report()
        await nothing_is_left(bridge, sqlite_url, scene.talks)


async def test_while_the_database_is_away_the_bridge_says_so_and_then_everything_is_caught_up(
    make_postgres: Callable[..., Postgres],
    make_bridge: MakeBridge,
    livekit: LiveKit,
    alice: MatrixUser,
    bob: MatrixUser,
    extent: Extent,
) -> None:
    postgres = make_postgres()
    await postgres.start()
    url = postgres.sqlalchemy_url(await postgres.create_database())
    bridge = make_bridge(settings(url))
    await bridge.start()
    async with Scene(livekit, bridge.bot_id, [alice, bob], extent) as scene:
        await scene.open_rooms()
        await scene.let_happen()
        await postgres.stop()
        await health_becomes(bridge, 503, database="away", homeserver="ok", sfu="ok")
        await asyncio.sleep(extent.outage_s)
        await postgres.start()
        await health_becomes(bridge, 200, database="ok", homeserver="ok", sfu="ok")
        await scene.let_happen()
        async with read_only(url):
            # As after a failover to what is a standby still.
            await health_becomes(bridge, 503, database="refuses", homeserver="ok", sfu="ok")
        await health_becomes(bridge, 200, database="ok", homeserver="ok", sfu="ok")
        await scene.hush()
        await scene.settle(RECOVERED_S)
        await scene.cards_come_right()
        scene.report()
        await nothing_is_left(bridge, url, scene.talks)


async def test_while_the_sfu_is_away_the_card_says_so_and_then_all_calls_go_on(
    make_livekit: Callable[..., LiveKit],
    make_bridge: MakeBridge,
    sqlite_url: str,
    alice: MatrixUser,
    extent: Extent,
) -> None:
    livekit = make_livekit()
    await livekit.start()
    bridge = make_bridge(settings(sqlite_url), livekit=livekit)
    await bridge.start()
    busy, quiet = [await Salon.made_by(alice, bridge.bot_id) for _ in range(2)]
    await busy.say("!visio")
    visitor = await Visitor.by_link((await busy.card()).url, "Chloé")
    await visitor.join()
    await busy.card(lambda card: card.names == {"Chloé"})

    await livekit.stop()
    stopped = time.monotonic()
    await health_becomes(bridge, 200, database="ok", homeserver="ok", sfu="away")
    card = await busy.card(_is_stale)
    assert card.names == {"Chloé"}, "not to be told who is there is not to be told that nobody is"
    assert "Je suis là." in await busy.reply("!visio ping")
    assert card.url in await busy.reply("!visio lien")
    await quiet.say("!visio")
    assert (
        "ne répond pas" in (await quiet.user.wait_for(quiet.room_id, _asks_for_patience))["content"]["body"]
    )
    await asyncio.sleep(max(0, stopped + extent.outage_s - time.monotonic()))
    assert len(quiet.cards) == 0
    assert (await health(bridge))[0] == 200

    await livekit.start()
    await health_becomes(bridge, 200, database="ok", homeserver="ok", sfu="ok")
    # Its SFU room went away with the server: a client that reconnects is as good as one that comes anew.
    await visitor.leave()
    again = await Visitor.by_link(card.url, "Denis")
    async with again:
        await busy.card(lambda card: card.names == {"Denis"} and not _is_stale(card), timeout=ROUND_S)
        opened = await quiet.card(lambda card: card.state == "open")
        await Visitor.by_link(opened.url, "Émile")
    assert busy.cards[0].states() == ["open", "active"]
    assert [s for s in quiet.said() if "ne répond pas" in s] == quiet.said()[1:2], "said once"


@asynccontextmanager
async def read_only(url: str) -> AsyncIterator[None]:
    """Who connects to a database meanwhile can only read, for as long as the connection lasts."""
    admin = await asyncpg.connect(url.replace("+asyncpg", ""))
    name = await admin.fetchval("SELECT current_database()")
    await admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    yield
    await admin.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    await admin.close()


def _is_stale(card: Card) -> bool:
    return card.call["stale_since_ts"] is not None


def _asks_for_patience(event: dict[str, object]) -> bool:
    return "ne répond pas" in str(event["content"])
