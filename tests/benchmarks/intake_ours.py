"""Our intake alone, as a process: the HTTP face, the filter and the commit; nobody works on the inbox.

What works on it is measured with the whole bridge. Here the question is what it costs to be told, and to
have it on disk before saying so.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop
from aiohttp import web

from appservice.clock import wall_clock
from appservice.database import Database
from appservice.inbox import Inbox
from appservice.namespace import Namespace
from appservice.web import HomeserverFace, Intake, IntakeLimits
from bridge.commands import grammar
from bridge.intake import interest
from bridge.store.migrate import migrate
from tests.benchmarks.serving import serve_until_killed
from tests.benchmarks.traffic import Traffic

HS_TOKEN = "hs-token-of-the-measurement"
NAMESPACE = Namespace(Traffic(0).server, "visio", "visio_")


async def serve(port: int, database_url: str) -> None:
    database = Database.open(database_url)
    await migrate(database)
    intake = Intake(
        Inbox(database, wall_clock),
        interest(NAMESPACE, "!visio", set(), grammar.concerns_us),
        lambda _room_id: None,
        wall_clock,
        # Nobody handles what is taken in, so nothing may be held back for it.
        IntakeLimits(high_water=sys.maxsize),
    )
    application = web.Application()
    application.add_routes(HomeserverFace(intake, HS_TOKEN, NAMESPACE, _database_away).routes())
    await serve_until_killed(application, port)


def _database_away(why: str) -> None:
    raise SystemExit(f"the database of the measurement is away: {why}")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(serve(int(sys.argv[1]), sys.argv[2]))
