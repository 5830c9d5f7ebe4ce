from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from appservice.delayed import DelayedState
from appservice.errors import MatrixError
from appservice.ownership import SoleOwner
from bridge.keeper.safeguard import DELAY_MS, RESTART_MS, Safeguard
from bridge.projections.memberships import Face, Rung
from bridge.store import faces, guards
from tests.support.office import BOT, ROOM, T0, Office

JEAN = Face("jean", ROOM, Rung.BOT, user_id=BOT, device_id="VISIOjean", since_ts=T0, renew_ts=T0 + 10**9)
MARIE = Face("marie", ROOM, Rung.GHOST, user_id="@visio_m:hs", device_id="VISIO", renew_ts=T0 + 10**9)
UNSEEN = Face("paul", ROOM, Rung.CARD, renew_ts=T0 + 10**9)


@dataclass
class Homeserver:
    """Delayed events in memory.

    Attributes:
        longest_ms: The longest delay that it takes.
        waiting: Delays by id: whose, and for which state key.
        refusal: What it answers instead.
    """

    longest_ms: int = 24 * 3_600_000
    waiting: dict[str, tuple[str, str]] = field(default_factory=dict)
    restarted: list[str] = field(default_factory=list)
    refusal: MatrixError | None = None

    async def longest(self, user_id: str) -> int:
        assert user_id == BOT
        return self.longest_ms

    async def schedule_empty(self, user_id: str, room: str, kind: str, key: str, delay_ms: int) -> str:
        assert (room, delay_ms) == (ROOM, DELAY_MS)
        if self.refusal is not None:
            raise self.refusal
        delay_id = f"syd_{len(self.waiting) + len(self.restarted)}_{key}"
        self.waiting[delay_id] = (user_id, key)
        return delay_id

    async def restart(self, user_id: str, delay_id: str) -> None:
        self._check(user_id, delay_id)
        self.restarted.append(delay_id)

    async def cancel(self, user_id: str, delay_id: str) -> None:
        self._check(user_id, delay_id)
        del self.waiting[delay_id]

    def _check(self, user_id: str, delay_id: str) -> None:
        if self.waiting.get(delay_id, ("", ""))[0] != user_id:
            raise MatrixError(404, "M_NOT_FOUND", "no such delay")


@dataclass
class Tower:
    office: Office
    homeserver: Homeserver
    safeguard: Safeguard

    async def show(self, *shown: Face) -> None:
        async with self.office.works.begin(ROOM) as work:
            before = await faces.of_call(work.connection, "c1")
            await faces.replace(work, "c1", before, {face.identity: face for face in shown})

    async def guarded(self) -> set[str]:
        return {guard.state_key for guard in await guards.of_shards(self.office.database, range(256))}


@pytest.fixture
async def tower(office: Office) -> Tower:
    ownership, homeserver = SoleOwner(), Homeserver()
    await ownership.start()
    safeguard = Safeguard(
        database=office.database,
        works=office.works,
        ownership=ownership,
        delayed=cast(DelayedState, cast(Any, homeserver)),
        bot_id=BOT,
        clock=office.clock,
    )
    return Tower(office, homeserver, safeguard)


async def test_every_membership_is_guarded_and_put_off_in_time(tower: Tower) -> None:
    await tower.show(JEAN, MARIE, UNSEEN)
    await tower.safeguard.round()
    assert set(tower.homeserver.waiting.values()) == {
        (JEAN.user_id, JEAN.state_key),
        (MARIE.user_id, MARIE.state_key),
    }
    await tower.safeguard.round()
    assert tower.homeserver.restarted == []
    tower.office.now += RESTART_MS
    await tower.safeguard.round()
    assert len(tower.homeserver.restarted) == 2


async def test_who_has_left_needs_no_guard(tower: Tower) -> None:
    await tower.show(JEAN)
    await tower.safeguard.round()
    await tower.show()
    await tower.safeguard.round()
    assert tower.homeserver.waiting == {}
    assert await tower.guarded() == set()


async def test_after_a_long_absence_memberships_are_written_again(tower: Tower) -> None:
    await tower.show(JEAN)
    await tower.safeguard.round()
    tower.homeserver.waiting.clear()
    tower.office.now += DELAY_MS
    await tower.safeguard.round()
    assert await faces.due(tower.office.database, range(256), tower.office.now) == {"c1": ROOM}
    await tower.safeguard.round()
    assert len(tower.homeserver.waiting) == 1


async def test_a_ghost_that_is_not_in_yet_is_guarded_later_and_the_others_now(tower: Tower) -> None:
    await tower.show(JEAN)
    tower.homeserver.refusal = MatrixError(403, "M_FORBIDDEN", "not in the room")
    await tower.safeguard.round()
    assert await tower.guarded() == set()
    tower.homeserver.refusal = None
    await tower.safeguard.round()
    assert await tower.guarded() == {JEAN.state_key}


@pytest.mark.parametrize("longest_ms", [0, DELAY_MS - 1])
async def test_without_delayed_events_nothing_is_asked_for(tower: Tower, longest_ms: int) -> None:
    # A homeserver that does not know them would empty the membership at once.
    tower.homeserver.longest_ms = longest_ms
    await tower.show(JEAN)
    await tower.safeguard.round()
    assert tower.homeserver.waiting == {}
