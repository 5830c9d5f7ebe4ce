"""The disk under the bridge's SQLite file is full for a while."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

from bridge.demo.matrix_user import MatrixUser
from tests.conftest import MakeBridge
from tests.support.bridges import LocalBridge
from tests.support.cards import Salon
from tests.support.chaos_bridge import health_becomes, settings, worked_off

FULL_AT = 64 * 1024
"""Less than the database has, more than the log: what is written beyond fails."""

RECOVERED_S = 30


@contextmanager
def full_disk(bridge: LocalBridge) -> Iterator[None]:
    """No file of the bridge's can grow, for the time of the block."""
    _, hard = resource.prlimit(bridge.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(bridge.pid, resource.RLIMIT_FSIZE, (FULL_AT, hard))
    try:
        yield
    finally:
        resource.prlimit(bridge.pid, resource.RLIMIT_FSIZE, (hard, hard))


async def test_while_the_disk_is_full_the_bridge_says_so_and_then_answers_what_it_was_asked(
    make_bridge: MakeBridge, sqlite_url: str, alice: MatrixUser
) -> None:
    bridge = make_bridge(settings(sqlite_url))
    await bridge.start()
    salon = await Salon.made_by(alice, bridge.bot_id)
    await salon.ask("!visio ping")
    with full_disk(bridge):
        await salon.say("!visio version")
        await salon.say("!visio ping")
        await health_becomes(bridge, 503, database="away", homeserver="ok", sfu="ok")
        assert len(salon.said()) == 2, salon.said()
    await health_becomes(bridge, 200, database="ok", homeserver="ok", sfu="ok")
    await alice.wait_until(lambda: len(salon.said()) == 4, RECOVERED_S)
    said = [words.partition(" ")[0] for words in salon.said()]
    assert said == ["Bonjour,", "Je", "Passerelle", "Je"]
    await worked_off(sqlite_url)
    assert await bridge.stop() == 0
