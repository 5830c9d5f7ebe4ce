"""``python -m tests.benchmarks.gateway_alone PORT SFU_URL KEY SECRET``: the signalling gateway by itself.

Every pass leads to the SFU room that has the name of its Matrix room. Whoever's identity begins with
``visio-`` is shown as a ghost.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import sys

import uvloop
from aiohttp import web

from bridge.demo.peers.ports import HOST
from bridge.rtc.gateway import Gateway, routes
from bridge.rtc.identities import ghost_user_id, plain_identity
from bridge.rtc.limits import MOST_ADDRESS, Limits
from bridge.rtc.passes import Pass, Passes
from bridge.rtc.routing import Route
from bridge.sfu.client import now_ms
from bridge.sfu.tokens import ApiKey, JoinPass, join_token

VISIO = "visio-"


class Ghosts:
    """Names by rule, for as many people as a measurement wants."""

    def __init__(self) -> None:
        self._real: dict[str, str] = {}

    def shown(self, identity: str) -> str | None:
        """See `bridge.rtc.names.Names`."""
        if not identity.startswith(VISIO):
            return identity
        ghost = plain_identity(ghost_user_id(identity, prefix="visio_", server_name="x.example"), "VISIO")
        self._real[ghost] = identity
        return ghost

    def real(self, identity: str) -> str:
        """See `bridge.rtc.names.Names`."""
        return self._real.get(identity, identity)


class StraightOn:
    """Sends everybody to the SFU room named like their Matrix room."""

    def __init__(self, url: str, key: ApiKey) -> None:
        self._url = url
        self._key = key
        self._names = Ghosts()

    async def route(self, granted: Pass, *, resume: bool) -> Route:
        """See `bridge.rtc.routing.Router`."""
        join = JoinPass(granted.room_id, granted.identity, "", ttl_ms=60_000)
        return Route(self._url, granted.room_id, join_token(self._key, join, now_ms()), self._names)


async def serve(port: int, url: str, key: ApiKey) -> None:
    """Run until killed."""
    limits = Limits(connections_per_user=10_000)
    async with Gateway(Passes(key.secret, now_ms), StraightOn(url, key), limits=limits) as gateway:
        application = web.Application()
        application.router.add_routes(routes(gateway, prefix=""))
        application.router.add_get("/health", _health)
        runner = web.AppRunner(application, access_log=None, max_line_size=MOST_ADDRESS)
        await runner.setup()
        await web.TCPSite(runner, HOST, port, backlog=1024).start()
        await asyncio.Event().wait()


async def _health(_request: web.Request) -> web.Response:
    # Asked before memory is looked at: what is garbage is no connection's.
    gc.collect()
    return web.Response()


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2], ApiKey(sys.argv[3], sys.argv[4])))
