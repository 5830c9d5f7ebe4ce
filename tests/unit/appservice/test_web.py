from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import aiohttp
import pytest
import sqlalchemy as sa
import structlog.testing
from yarl import URL

from appservice import tables
from appservice.web import IntakeLimits
from bridge.commands import grammar
from bridge.demo.peers.postgres import Postgres
from bridge.intake import interest
from tests.support.application import (
    BOT,
    HS_TOKEN,
    NAMESPACE,
    ROOM,
    App,
    Service,
    event,
    membership,
    service,
    transaction,
)
from tests.support.fake_homeserver import FakeHomeserver
from tests.support.waiting import until


def ids(events: Iterable[dict[str, object]]) -> list[object]:
    return [each["event_id"] for each in events]


async def set_aside(one: Service) -> list[tuple[str, str, str]]:
    return [(row.kind, row.reference, row.reason) for row in await one.rows(tables.set_aside)]


async def test_a_transaction_is_answered_once_its_events_are_committed(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver, start=False) as one:
        await one.listen()
        events = [event(), event()]
        response = await one.push("1", transaction(*events))
        assert (response.status, await response.json()) == (200, {})
        assert [row.event_id for row in await one.rows(tables.inbox)] == ids(events)


async def test_what_comes_again_is_handled_once(database_url: str, homeserver: FakeHomeserver) -> None:
    async with service(database_url, homeserver) as one:
        await one.listen()
        first, second, third = event(), event(), event()
        await one.push("1", transaction(first, second))
        await one.push("1", transaction(first, second))
        await one.idle()
        await one.push("2", transaction(second, third, first))
        # A homeserver restored from a backup starts its transaction ids again, with other events.
        await one.push("1", transaction(fourth := event()))
        await one.push("2", transaction(first, fifth := event(), fifth))
        await one.idle()
        assert one.app.handled == ids([first, second, third, fourth, fifth])


async def test_five_thousand_events_in_one_transaction_are_taken_in_order(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver, start=False) as one:
        await one.listen()
        events = [event(f"!room{n % 7}:hs") for n in range(5_000)]
        assert (await one.push("1", transaction(*events))).status == 200
        assert [row.event_id for row in await one.rows(tables.inbox)] == ids(events)
        assert (await one.push("2", transaction(*reversed(events)))).status == 200
        assert len(await one.rows(tables.inbox)) == 5_000


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"events":[{"x":"\xff"}]}', "not UTF-8"),
        (b'{"events":[', "not JSON"),
        (b'[{"event_id":"$x"}]', "not an object"),
        (b'{"events":7}', "events is not a list"),
    ],
)
async def test_a_body_that_cannot_be_read_is_acknowledged_and_set_aside(
    database_url: str, homeserver: FakeHomeserver, body: bytes, reason: str
) -> None:
    async with service(database_url, homeserver) as one:
        await one.listen()
        for _ in range(2):
            assert (await one.push("t1", body)).status == 200
        assert await set_aside(one) == [("transaction", "t1", reason)]
        [row] = await one.rows(tables.set_aside)
        assert row.length == len(body)
        await one.push("t2", transaction(after := event()))
        await one.idle()
        assert one.app.handled == ids([after])


async def test_good_events_between_bad_ones_are_handled_in_order_and_the_bad_ones_set_aside(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    good = [event() for _ in range(4)]
    events = [
        good[0],
        {**event(event_id="$sender"), "sender": {"a": 1}},
        good[1],
        ["not", "an", "object"],
        {**event(event_id="$nul"), "room_id": "!a\0b"},
        good[2],
        {**event(event_id="$lone"), "content": {"body": "\ud83d"}},
        None,
        good[3],
    ]
    async with service(database_url, homeserver) as one:
        await one.listen()
        assert (await one.push("1", json.dumps({"events": events}).encode())).status == 200
        await one.idle()
        assert one.app.handled == ids(good)
        assert {reference for _, reference, _ in await set_aside(one)} == {"$sender", "$nul", "$lone", "?"}
        assert len(await set_aside(one)) == 5


async def test_a_body_of_20_mib_is_taken(database_url: str, homeserver: FakeHomeserver) -> None:
    large = [event(content={"body": "x" * 65_000}) for _ in range(322)]
    async with service(
        database_url, homeserver, interest=lambda raw: {"length": len(raw["content"]["body"])}
    ) as one:
        await one.listen()
        body = transaction(*large)
        assert len(body) > 20 << 20
        assert (await one.push("1", body)).status == 200
        await one.idle(60)
        assert one.app.handled == ids(large)


async def test_a_body_over_the_limit_is_acknowledged_and_set_aside(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver, intake=IntakeLimits(max_body=10_000)) as one:
        await one.listen()
        assert (await one.push("big", b"x" * 10_001)).status == 200
        assert (await one.push("fits", transaction(fits := event()))).status == 200
        await one.idle()
        assert await set_aside(one) == [("transaction", "big", "too large")]
        assert one.app.handled == ids([fits])


@pytest.mark.parametrize(
    ("token", "status", "errcode"),
    [(None, 401, "M_UNAUTHORIZED"), ("", 401, "M_UNAUTHORIZED"), ("wrong", 403, "M_FORBIDDEN")],
)
async def test_a_missing_or_wrong_token_gets_nothing_in(
    sqlite_url: str, homeserver: FakeHomeserver, token: str | None, status: int, errcode: str
) -> None:
    async with service(sqlite_url, homeserver) as one:
        await one.listen()
        response = await one.push("1", transaction(event()), token)
        assert (response.status, (await response.json())["errcode"]) == (status, errcode)
        assert await one.rows(tables.inbox) == []


async def test_a_token_of_any_bytes_is_a_wrong_one(sqlite_url: str, homeserver: FakeHomeserver) -> None:
    async with service(sqlite_url, homeserver) as one:
        await one.listen()
        url = URL(one.address)
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(
            b"POST /_matrix/app/v1/ping HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
            b"Authorization: Bearer \xff\xfe\xc3\xa9\r\n\r\n"
        )
        assert b" 403 " in await reader.readline()
        writer.close()
        await writer.wait_closed()


async def test_every_route_wants_the_token_and_knows_the_bot_only(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(sqlite_url, homeserver) as one, aiohttp.ClientSession() as session:
        await one.listen()
        right = {"Authorization": f"bearer {HS_TOKEN}"}
        for method, path, status in [
            ("POST", "ping", 200),
            ("GET", f"users/{BOT}", 200),
            ("GET", "users/@visio_nobody:hs", 404),
            ("GET", "rooms/%23alias:hs", 404),
            ("GET", "thirdparty/protocol/x", 404),
        ]:
            url = f"{one.address}/_matrix/app/v1/{path}"
            assert (await session.request(method, url)).status == 401
            assert (await session.request(method, url, headers=right)).status == status


async def test_a_homeserver_that_hangs_up_is_no_outage_of_the_database(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(sqlite_url, homeserver) as one:
        await one.listen()
        url = URL(one.address)
        with structlog.testing.capture_logs() as logs:
            _, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(
                b"PUT /_matrix/app/v1/transactions/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
                b"Authorization: Bearer " + HS_TOKEN.encode() + b"\r\n\r\nhalf of"
            )
            await writer.drain()
            writer.transport.abort()
            assert (await one.push("2", transaction(event()))).status == 200
            await one.idle()
        assert "intake.database_away" not in [entry["event"] for entry in logs]


async def test_transactions_are_held_under_load_and_never_refused_for_it(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    limits = IntakeLimits(high_water=10, hold_s=20, measure_every_s=0.1)
    async with service(database_url, homeserver, start=False, intake=limits) as one:
        await one.listen()
        assert (await one.push("1", transaction(*(event() for _ in range(10))))).status == 200
        held = asyncio.create_task(one.push("2", transaction(event())))
        done, _ = await asyncio.wait([held], timeout=0.3)
        assert not done
        await one.start()
        assert (await held).status == 200
        await one.idle()
        assert len(one.app.handled) == 11


async def test_a_transaction_is_held_for_so_long_only(database_url: str, homeserver: FakeHomeserver) -> None:
    limits = IntakeLimits(high_water=1, hold_s=0.1)
    async with service(database_url, homeserver, start=False, intake=limits) as one:
        await one.listen()
        for txn_id in ("1", "2"):
            assert (await one.push(txn_id, transaction(event()))).status == 200
        assert len(await one.rows(tables.inbox)) == 2


async def test_what_comes_again_and_again_does_not_count_as_load(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    limits = IntakeLimits(high_water=10, hold_s=20, measure_every_s=3600)
    async with service(database_url, homeserver, intake=limits) as one:
        await one.listen()
        same = transaction(*(event() for _ in range(5)))
        for n in range(10):
            assert (await one.push(str(n), same)).status == 200
        await one.idle()
        assert len(one.app.handled) == 5


async def test_with_the_database_away_the_homeserver_is_told_to_send_again_and_is_called_back(
    make_postgres: Callable[..., Postgres], homeserver: FakeHomeserver
) -> None:
    postgres = make_postgres()
    await postgres.start()
    url = postgres.sqlalchemy_url(await postgres.create_database())
    async with service(url, homeserver) as one:
        await one.listen()
        assert (await one.push("1", transaction(before := event()))).status == 200
        await one.idle()
        await postgres.stop()
        response = await one.push("2", transaction(during := event()))
        assert (response.status, (await response.json())["errcode"]) == (503, "M_UNKNOWN")
        pings = homeserver.count("ping")
        await postgres.start()
        await until(lambda: homeserver.count("ping") > pings)
        assert (await one.push("2", transaction(during))).status == 200
        await until(lambda: len(one.app.handled) == 2, 20)
        assert one.app.handled == ids([before, during])


async def test_a_database_that_restarted_meanwhile_costs_no_refusal(
    make_postgres: Callable[..., Postgres], homeserver: FakeHomeserver
) -> None:
    postgres = make_postgres()
    await postgres.start()
    url = postgres.sqlalchemy_url(await postgres.create_database())
    async with service(url, homeserver, start=False) as one:
        await one.listen()
        assert (await one.push("1", transaction(event()))).status == 200
        await postgres.stop()
        await postgres.start()
        assert (await one.push("2", transaction(event()))).status == 200


async def test_one_event_that_the_database_does_not_take_does_not_hold_the_others(
    database_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(database_url, homeserver) as one:
        await one.listen()
        async with one.database.begin() as connection:
            if one.database.is_postgres:
                refusing = "ALTER TABLE inbox ADD CONSTRAINT picky CHECK (event_id <> '$poison')"
            else:
                refusing = (
                    "CREATE TRIGGER picky BEFORE INSERT ON inbox WHEN NEW.event_id = '$poison' "
                    "BEGIN SELECT RAISE(ABORT, 'picky'); END"
                )
            await connection.execute(sa.text(refusing))
        first, last = event(), event()
        body = json.dumps({"events": [first, event(event_id="$poison"), "garbage", last]}).encode()
        assert (await one.push("1", body)).status == 200
        await one.idle()
        assert one.app.handled == ids([first, last])
        assert {reference for _, reference, _ in await set_aside(one)} == {"$poison", "?"}


async def every_cell(one: Service) -> str:
    """A dump of all tables."""
    async with one.database.connect() as connection:
        names = await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names())
        cells = []
        for name in names:
            for row in await connection.execute(sa.text(f"SELECT * FROM {name}")):
                cells += [str(cell) for cell in row]
    return "\n".join(cells)


async def test_nothing_that_is_not_for_the_bridge_reaches_its_database_or_its_log(
    database_url: str, homeserver: FakeHomeserver, capsys: pytest.CaptureFixture[str]
) -> None:
    direct: set[str] = set()
    secret = "confidentiel-4242"
    unrelated = [
        event(content={"msgtype": "m.text", "body": secret}),
        event(content={"msgtype": "m.text", "body": f"il a dit !visio {secret}"}),
        event(content={"msgtype": "m.notice", "body": f"!visio {secret}"}),
        event(content={"msgtype": "m.image", "body": f"!visio {secret}", "url": "mxc://x"}),
        event(sender=BOT, content={"msgtype": "m.text", "body": f"!visio {secret}"}),
        event(sender="@visio_ghost:hs", content={"msgtype": "m.text", "body": f"!visio {secret}"}),
        event(content={"msgtype": "m.text", "body": {"x": secret}}),
        event(content={"msgtype": [secret], "body": secret}),
        event(content=secret),
        event(content={"body": secret, "msgtype": "m.text"}, sender={"x": secret}),
        event(type="m.reaction", content={"m.relates_to": {"key": secret}}),
        event(type="m.room.topic", state_key="", content={"topic": secret}),
        event(type=[secret], content={}),
        membership(ROOM, "join", "@bob:hs", displayname=secret),
        event(type="m.room.power_levels", state_key="", content={"users": {}, "secret": secret}),
        event(type="m.room.redaction", content={"reason": secret}, redacts="$old"),
        secret,
        [secret],
    ]
    ours = event(content={"msgtype": "m.text", "body": "!visio point", "secret": secret, "format": secret})
    wanted = interest(NAMESPACE, "!visio", direct, grammar.concerns_us)
    async with service(database_url, homeserver, App(), interest=wanted, start=False) as one:
        await one.listen()
        assert (await one.push("1", json.dumps({"events": [*unrelated, ours]}).encode())).status == 200
        assert (await one.push(secret[:-5], b'{"events":["' + secret.encode() + b"]}")).status == 200
        dump = await every_cell(one)
        assert "!visio point" in dump
        assert secret not in dump
        await one.start()
        await one.idle()
        assert [each.event_id for each in one.app.events if each.type == "m.room.message"] == ids([ours])
        assert secret not in await every_cell(one)
    assert secret not in capsys.readouterr().out
    if database_url.startswith("sqlite"):
        file = Path(database_url.partition(":///")[2])
        assert all(secret.encode() not in part.read_bytes() for part in file.parent.glob(f"{file.name}*"))
