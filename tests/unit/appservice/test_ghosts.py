"""Ghosts come into rooms and leave them through the outbox, like everything else."""

from __future__ import annotations

from typing import Any

from appservice.operations import BringGhost, Leave
from tests.support.application import BOT, service
from tests.support.fake_homeserver import FakeHomeserver, error

GHOST = "@visio_marie:hs"


def asked(homeserver: FakeHomeserver) -> list[tuple[str, Any]]:
    return [(a.what, a.user_id) for a in homeserver.asked if a.what in ("join", "invite", "leave")]


async def test_a_ghost_joins_where_the_door_is_open(sqlite_url: str, homeserver: FakeHomeserver) -> None:
    async with service(sqlite_url, homeserver) as one:
        await one.write(BringGhost(GHOST, "Marie"))
        await one.write(Leave(sender=GHOST))
        await one.idle()
        assert asked(homeserver) == [("join", GHOST), ("leave", GHOST)]
        names = [a.body for a in homeserver.asked if a.what == "profile" and a.user_id == GHOST and a.body]
        assert names == [{"displayname": "Marie"}]


async def test_elsewhere_the_bot_invites_it_first(sqlite_url: str, homeserver: FakeHomeserver) -> None:
    async with service(sqlite_url, homeserver) as one:
        homeserver.misbehave(error(403, "M_FORBIDDEN"), what="join", times=1)
        await one.write(BringGhost(GHOST, "Marie"))
        await one.idle()
        assert asked(homeserver) == [("join", GHOST), ("invite", BOT), ("join", GHOST)]
        (invitation,) = [a.body for a in homeserver.asked if a.what == "invite"]
        assert invitation == {"user_id": GHOST}
