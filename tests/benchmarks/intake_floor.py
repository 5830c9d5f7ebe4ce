"""The floor of the intake: what any durable service does on aiohttp and PostgreSQL, and nothing else.

A transaction is read and parsed, as many of its events as concern us are committed with one statement, and
the 200 follows. Nobody looks at the events: no filter, no checks, no question what is known already.
"""

from __future__ import annotations

import asyncio
import sys

import asyncpg
import orjson
import uvloop
from aiohttp import web
from sqlalchemy.engine import make_url

from tests.benchmarks.serving import serve_until_killed

OURS = 5
_TABLE = "CREATE TABLE floor (seq bigserial PRIMARY KEY, event_id text NOT NULL UNIQUE, body text NOT NULL)"
_INSERT = "INSERT INTO floor (event_id, body) SELECT * FROM unnest($1::text[], $2::text[])"


async def serve(port: int, database_url: str) -> None:
    plain = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    await connection.execute(_TABLE)

    async def take(request: web.Request) -> web.Response:
        kept = orjson.loads(await request.read())["events"][:OURS]
        ids = [event["event_id"] for event in kept]
        await connection.execute(_INSERT, ids, [orjson.dumps(event).decode() for event in kept])
        return web.Response(body=b"{}", content_type="application/json")

    application = web.Application(client_max_size=2**20)
    application.router.add_put("/_matrix/app/v1/transactions/{txn_id}", take)
    await serve_until_killed(application, port)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(serve(int(sys.argv[1]), sys.argv[2]))
