"""The bridge, the SFU or both go away in the middle of things (DESIGN §5), and what the admin sees then."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import sqlite3
import time
from contextlib import closing
from typing import Any

import aiohttp
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.ext.asyncio import create_async_engine

from appservice.tables import metadata
from bridge.cli import main
from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.livekit import LiveKit
from bridge.store import tables
from tests.conftest import MakeBridge
from tests.support.bridges import LocalBridge
from tests.support.cards import Salon, inside, is_, plain
from tests.support.people import Visitor
from tests.support.waiting import until

NOTHING_OPEN = "Aucune visio n’est ouverte ici. Écrivez !visio pour en ouvrir une."
PONG = "Je suis là."
MISSED = "J’étais arrêté quand vous avez écrit !visio."
BRISK = {"calls": {"clock": "1s", "grace": "2s"}}


async def everything_in(database_url: str) -> str:
    """All rows of all tables, as text to look for words in."""
    assert tables.calls.metadata is metadata
    engine = create_async_engine(database_url)
    try:
        async with engine.connect() as connection:
            found = [(await connection.execute(sa.select(t))).all() for t in metadata.sorted_tables]
    finally:
        await engine.dispose()
    return repr(found)


# The bridge


async def test_after_a_crash_the_card_is_right_and_commands_are_answered_once(
    make_bridge: MakeBridge, sqlite_url: str, alice: MatrixUser, livekit: LiveKit
) -> None:
    bridge = make_bridge({**BRISK, "database": {"url": sqlite_url}})
    await bridge.start()
    salon = await Salon.made_by(alice, bridge.bot_id)
    await salon.say("!visio Point budget")
    url = (await salon.card(is_("open"))).url
    names = [f"Zéphyrine-{secrets.token_hex(4)}" for _ in range(2)]
    async with (
        Visitor.with_account(livekit, url, "@cleo:localhost", name="Cleo") as cleo,
        await Visitor.by_link(url, names[0]),
    ):
        await salon.card(inside("Cleo", names[0]))
        bridge.kill()
        await cleo.leave()
        async with Visitor.with_account(livekit, url, alice.user_id, name=names[1]):
            asked = await salon.say("!visio ping")
            await salon.say("!visio lien")
            await bridge.start()
            await salon.card(inside(*names))
            await salon.answer_to(asked, number=2)
            assert await bridge.stop() == 0
            await bridge.start()
            assert await salon.reply("!visio version") == "Passerelle 0.1.0"
            words = [event["content"]["body"] for event in salon.answers(asked)]
            assert len(words) == 3, words
            assert words[0] == PONG
            assert url in words[1]
    card = await salon.card(is_("ended"))
    assert card.call["came"] == 3

    async def forgotten() -> bool:
        kept = await everything_in(sqlite_url)
        said = await salon.everything()
        return not any(name in kept or name in said for name in names)

    await until(forgotten)
    log = bridge.log_file.read_text()
    assert not any(name in log for name in names)


async def test_commands_from_before_a_long_outage_are_not_obeyed(
    make_bridge: MakeBridge, alice: MatrixUser, bob: MatrixUser
) -> None:
    bridge = make_bridge()
    await bridge.start()
    salons = [await Salon.made_by(alice, bridge.bot_id), await Salon.made_by(bob, bridge.bot_id)]
    assert await bridge.stop() == 0

    for salon in salons:
        for text in ("!visio Vendredi", "!visio aide", "!visio"):
            await salon.say(text)
    late = await alice.create_room(invite=[bridge.bot_id])
    typed = time.monotonic()
    bridge.settings["commands"] = {"max_age": "3s"}
    await until(lambda: time.monotonic() > typed + 3)
    await bridge.start()

    for salon in salons:
        await salon.greeting(2)
    bridge.settings["commands"] = {"max_age": "15m"}
    await bridge.stop()
    await bridge.start()
    for salon in salons:
        assert await salon.reply("!visio statut") == NOTHING_OPEN
        assert [MISSED in said for said in salon.said()] == [False, True, False]
        assert not salon.cards
    await Salon(alice, late, bridge.bot_id).greeting()
    await salons[0].say("!visio Lundi")
    await salons[0].card(is_("open"))


async def test_what_happened_while_the_bridge_was_away_is_found_out(
    make_bridge: MakeBridge, alice: MatrixUser, bob: MatrixUser
) -> None:
    bridge = make_bridge(BRISK)
    await bridge.start()
    left, kicked = await Salon.made_by(alice, bridge.bot_id), await Salon.made_by(bob, bridge.bot_id)
    await kicked.say("!visio")
    await kicked.card(is_("open"))
    await left.say("!visio")
    url = (await left.card(is_("open"))).url
    async with await Visitor.by_link(url, "Ada"):
        await left.card(inside("Ada"))
        bridge.kill()
    await bob.kick(kicked.room_id, bridge.bot_id)
    await bridge.start()

    card = await left.card(is_("ended"))
    assert card.call["end_reason"] == "empty"
    assert "Ada" not in card.body
    await bob.invite(kicked.room_id, bridge.bot_id)
    await kicked.greeting(2)
    assert await kicked.reply("!visio statut") == NOTHING_OPEN
    assert len(kicked.cards) == 1


# The SFU


async def test_an_outage_of_the_sfu_is_told_and_survived(
    make_bridge: MakeBridge, make_livekit: Any, alice: MatrixUser, bob: MatrixUser
) -> None:
    livekit: LiveKit = make_livekit()
    await livekit.start()
    bridge = make_bridge({"calls": {"clock": "1s", "grace": "30s"}}, livekit=livekit)
    await bridge.start()
    salon, other = await Salon.made_by(alice, bridge.bot_id), await Salon.made_by(alice, bridge.bot_id)
    await other.admit(bob)
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    async with await Visitor.by_link(url, "Ada"):
        await salon.card(inside("Ada"))
        before = time.time_ns() // 1_000_000
        livekit.kill()

        # A call that is under way: since when attendance is unknown.
        asked = await other.say("!visio Point budget")
        card = await salon.card(lambda c: c.call["stale_since_ts"])
        assert before - 1000 <= card.call["stale_since_ts"] <= time.time_ns() // 1_000_000
        assert re.search(r"Présence inconnue depuis \d+ h \d\d\.", plain(card.body))
        assert card.names == {"Ada"}, "unreachable is not empty"
        assert "Présence inconnue" in await salon.reply("!visio statut")

        # A call that is asked for: one sentence, with a reference that leads to the log.
        said = plain((await other.answer_to(asked))["content"]["body"])
        waiting = r"Visio ne répond pas. Je réessaie pendant 1 minute ; inutile de recommencer. Réf. (\w+)"
        found = re.fullmatch(waiting, said)
        assert found is not None, said
        assert f"ref={found[1]}" in bridge.log_file.read_text()
        again = await other.say("!visio", by=bob)

    await livekit.start()
    card = await other.card(is_("open"))
    assert card.url in (await other.answer_to(again))["content"]["body"]
    assert len(other.said()) == 3
    await salon.card(lambda c: c.call["stale_since_ts"] is None and c.call["count"] == 0)
    async with await Visitor.by_link(url, "Bob"):
        card = await salon.card(inside("Bob"))
        assert card.state == "active"


async def test_ending_a_call_while_the_sfu_is_away_puts_everybody_out_once_it_is_back(
    make_bridge: MakeBridge, make_livekit: Any, alice: MatrixUser
) -> None:
    livekit: LiveKit = make_livekit()
    await livekit.start()
    bridge = make_bridge(BRISK, livekit=livekit)
    await bridge.start()
    salon = await Salon.made_by(alice, bridge.bot_id)
    await salon.say("!visio")
    url = (await salon.card(is_("open"))).url
    async with await Visitor.by_link(url, "Ada") as ada:
        await salon.card(inside("Ada"))
        livekit.pause()
        await salon.say("!visio fin")
        await salon.say("!visio fin oui")
        await salon.card(is_("ended"))
        livekit.resume()
        await ada.wait_until_put_out(30)


# The admin


async def run(bridge: LocalBridge, *arguments: str) -> str:
    """What ``passerelle …`` prints beside the running bridge."""
    line = ["-c", str(bridge.config_file), *arguments]
    result = await asyncio.to_thread(CliRunner().invoke, main, line)
    return result.output


async def test_the_admin_lists_and_ends_calls(brisk: LocalBridge, salon: Salon) -> None:
    await salon.say("!visio Secret subject")
    card = await salon.card(is_("open"))
    call_id = card.call["id"]
    async with await Visitor.by_link(card.url, "Ada") as ada:
        await salon.card(inside("Ada"))
        listed = await run(brisk, "calls", "list")
        (line,) = [line for line in listed.splitlines() if call_id in line]
        assert salon.room_id in line
        assert "active" in line
        assert "Ada" not in listed
        assert "subject" not in listed
        assert "No open call has the id nonsense." in await run(brisk, "calls", "end", "nonsense")
        assert "is being ended" in await run(brisk, "calls", "end", call_id)
        card = await salon.card(is_("ended"))
        assert card.call["end_reason"] == "admin"
        await ada.wait_until_put_out()
    assert call_id not in await run(brisk, "calls", "list")


async def test_the_admin_looks_at_retries_and_drops_what_was_set_aside(
    brisk: LocalBridge, salon: Salon
) -> None:
    transaction = f"bad-{secrets.token_hex(4)}"
    token = {"Authorization": f"Bearer {brisk.slot.registration.hs_token}"}
    url = f"{brisk.internal_url}/_matrix/app/v1/transactions/{transaction}"
    async with aiohttp.ClientSession(headers=token) as session, session.put(url, data=b"\xff{") as response:
        assert response.status == 200
    events = [set_aside(brisk, salon, "!visio ping"), set_aside(brisk, salon, "!visio version")]

    listed = await run(brisk, "quarantine", "list")
    assert "!visio" not in listed
    entries = [
        line.split()[0] for what in (*events, transaction) for line in listed.splitlines() if what in line
    ]
    first, second, unread = entries

    assert "will be handled again" in await run(brisk, "quarantine", "retry", first)
    await salon.user.wait_until(lambda: salon.said()[-1] == PONG)
    assert "can be handled" in await run(brisk, "quarantine", "retry", unread)
    for entry in (second, unread):
        assert "is dropped" in await run(brisk, "quarantine", "drop", entry)
    assert "Nothing in quarantine" in await run(brisk, "quarantine", "drop", second)
    listed = await run(brisk, "quarantine", "list")
    assert not any(what in listed for what in (*events, transaction))
    assert await salon.reply("!visio statut") == NOTHING_OPEN
    assert len(salon.said()) == 3


def set_aside(bridge: LocalBridge, salon: Salon, text: str) -> str:
    """Put a command into the quarantine as if handling it had failed; answers its event id."""
    event_id = f"${secrets.token_hex(8)}"
    now = time.time_ns() // 1_000_000
    body: dict[str, Any] = {
        "type": "m.room.message",
        "sender": salon.user.user_id,
        "state_key": None,
        "redacts": None,
    }
    body |= {"origin_ts": now, "content": {"body": text}}
    row = (event_id, salon.room_id, now, json.dumps(body))
    with closing(sqlite3.connect(bridge.folder / "passerelle.db", timeout=10)) as database, database:
        database.execute(
            "INSERT INTO inbox (event_id, room_id, shard, received_ts, state, body, attempts, error)"
            " SELECT ?, ?, shard, ?, 'quarantined', ?, 4, 'KeyError at nowhere.py:1'"
            " FROM inbox WHERE room_id = ? LIMIT 1",
            (*row, salon.room_id),
        )
    return event_id
