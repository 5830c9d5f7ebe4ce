"""Whoever can send anything sends the worst: the bridge goes on, and its log keeps quiet about it."""

from __future__ import annotations

import asyncio
import itertools
import json
import sqlite3
import time
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from bridge.demo.matrix_user import MatrixUser
from tests.support.bridges import LocalBridge
from tests.support.cards import Salon
from tests.support.waiting import until

PONG = "Je suis là."
USAGE = "Pour appeler quelqu’un"

_numbers = itertools.count(1)


def quarantined(bridge: LocalBridge) -> int:
    with closing(sqlite3.connect(bridge.folder / "passerelle.db")) as database:
        (count,) = database.execute("SELECT count(*) FROM inbox WHERE state = 'quarantined'").fetchone()
    return int(count)


async def knock(url: str, request: bytes) -> bytes:
    """Send bytes as they are, and answer the first of what comes back."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(request)
        async with asyncio.timeout(10):
            return await reader.read(2_000)
    finally:
        writer.close()


def formatted(html: str) -> dict[str, Any]:
    return {"format": "org.matrix.custom.html", "formatted_body": f"matrix.to {html}"}


# Messages


async def test_html_that_no_parser_takes_is_answered_like_any_other(brisk: LocalBridge, salon: Salon) -> None:
    before = quarantined(brisk)
    for html in ("<![", "<![x[ <![if <!x <?", "<!DOCTYPE [<?", "&#x110000;<a href>"):
        assert USAGE in await salon.reply("!visio appeler quelqu’un", **formatted(html))
    assert quarantined(brisk) == before


async def test_html_made_to_be_slow_holds_nobody_up(salon: Salon) -> None:
    for piece in ("<a ", "<!--", "<a href='", "<"):
        html = piece * (19_000 // len(piece))
        started = time.monotonic()
        assert USAGE in await salon.reply("!visio appeler quelqu’un", **formatted(html))
        assert time.monotonic() - started < 3, piece


async def test_a_subject_made_to_be_slow_holds_nobody_up(salon: Salon) -> None:
    started = time.monotonic()
    await salon.say("!visio " + ", " * 950 + "@room x")
    await salon.card()
    assert time.monotonic() - started < 3


async def test_two_people_who_flood_a_room_get_one_card(salon: Salon, bob: MatrixUser) -> None:
    await salon.admit(bob)
    users = [salon.user, bob]
    await asyncio.gather(*(salon.say("!visio", by=user) for user in users for _ in range(5)))
    await salon.card()
    await salon.user.wait_until(lambda: len(salon.answers()) >= 1 + 9, 20)
    assert len(salon.cards) == 1


# Transactions with events that a homeserver of another make might pass on


def wrongly_typed(room_id: str, sender: str, bot_id: str) -> list[dict[str, Any]]:
    """Events with something wrong; each would be of interest if it were right."""

    def event(kind: Any, content: Any, **more: Any) -> dict[str, Any]:
        base = {"room_id": room_id, "sender": sender, "origin_server_ts": 1, "type": kind, "content": content}
        return {"event_id": f"$hostile-{next(_numbers)}", **base, **more}

    def state(kind: str, content: Any) -> dict[str, Any]:
        return event(kind, content, state_key="")

    text = {"msgtype": "m.text", "body": "!visio aide"}
    return [
        state("m.room.power_levels", {"users": [1], "events": "x", "users_default": []}),
        state("m.room.power_levels", {"users": {sender: 1.5}, "users_default": 1e308}),
        state("m.room.power_levels", {"users": {sender: 10**30}}),
        state("m.room.power_levels", {"users": {sender: "9" * 5_000}}),
        state("m.room.create", {"room_version": [1], "additional_creators": "x", "predecessor": "y"}),
        state("m.room.create", {"room_version": "\u0662", "predecessor": {"room_id": "\0"}}),
        state("m.room.tombstone", {"replacement_room": room_id}),
        state("m.room.tombstone", {"replacement_room": "../../x?y=#z"}),
        state("m.room.tombstone", {"replacement_room": "!a\0b:x"}),
        state("m.room.tombstone", {"replacement_room": "!" + "a" * 5_000}),
        event("m.room.member", {"membership": ["join"]}, state_key=bot_id),
        event("m.room.member", {"membership": "invite"}, state_key=bot_id, room_id="no/../room"),
        event("m.room.redaction", {"redacts": {}}),
        event("m.room.redaction", {"redacts": "$" + "x" * 100_000}),
        event(["m.room.message"], text),
        event("m.room.message", text, sender={}),
        event("m.room.message", text, room_id=[1]),
        event("m.room.message", text, origin_server_ts=1.5),
        event("m.room.message", {**text, "m.relates_to": {"rel_type": ["m.thread"]}}),
        event("m.room.message", {**text, "m.mentions": {"user_ids": [{}, [], None, "@\0:b"]}}),
    ]


async def test_events_of_every_wrong_shape_leave_the_room_usable(brisk: LocalBridge, salon: Salon) -> None:
    events = wrongly_typed(salon.room_id, salon.user.user_id, brisk.bot_id)
    before = quarantined(brisk)
    headers = {"Authorization": f"Bearer {brisk.slot.registration.hs_token}"}
    url = f"{brisk.internal_url}/_matrix/app/v1/transactions/hostile-{next(_numbers)}-{time.time_ns()}"
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.put(url, data=json.dumps({"events": events})) as response,
    ):
        assert response.status == 200
    await salon.say("!visio ping")
    # Some of the events are commands after all, and get the answer that missed commands get.
    await salon.user.wait_until(lambda: PONG in salon.said(), 20)
    assert quarantined(brisk) == before


# Requests


@pytest.mark.parametrize("listener", ["public", "internal"])
async def test_a_head_that_is_too_large_does_not_show_in_the_log(brisk: LocalBridge, listener: str) -> None:
    url = brisk.public_url if listener == "public" else brisk.internal_url
    secret = f"s3cret-{time.time_ns()}"
    answers = [
        await knock(
            url, f"GET /call/x HTTP/1.1\r\nHost: x\r\nCookie: {secret}{'z' * 9_000}\r\n\r\n".encode()
        ),
        await knock(url, f"GET /call/x HTTP/1.1\r\nHost: x\r\nAuthorization: {secret}\x01\r\n\r\n".encode()),
        await knock(url, f"GET /call/é?access_token={secret} HTTP/1.1\r\nHost: x\r\n\r\n".encode()),
    ]
    assert all(b" 400 " in answer.split(b"\r\n")[0] for answer in answers)
    assert secret not in brisk.log_file.read_text(errors="replace")


@pytest.mark.parametrize(
    "path", ["/call/aaaaaaaaaaaa/look", "/livekit/webhook", "/_matrix/app/v1/transactions/1"]
)
async def test_a_body_that_cannot_be_unpacked_is_the_callers_mistake(brisk: LocalBridge, path: str) -> None:
    url = brisk.public_url if path.startswith("/call") else brisk.internal_url
    headers = {
        "Authorization": f"Bearer {brisk.slot.registration.hs_token}",
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
    }
    method = "PUT" if "transactions" in path else "POST"
    before = brisk.log_file.read_text(errors="replace").count("Traceback")
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url + path, data=b"this is not gzip", headers=headers) as response,
    ):
        assert response.status < 500
    assert brisk.log_file.read_text(errors="replace").count("Traceback") == before


async def test_a_caller_who_hangs_up_in_the_middle_is_not_worth_a_traceback(brisk: LocalBridge) -> None:
    head = b"POST /call/aaaaaaaaaaaa/look HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    before = brisk.log_file.read_text(errors="replace").count("Traceback")
    address = urlsplit(brisk.public_url)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(head + b"Content-Length: 300\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    async def answers() -> bool:
        return b"404" in await knock(
            brisk.public_url, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )

    await until(answers, 10)
    assert brisk.log_file.read_text(errors="replace").count("Traceback") == before
