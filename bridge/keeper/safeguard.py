"""Sees to it that nobody stands in a native call for hours after the bridge has died.

Each membership that the bridge has written gets a delayed event that would empty it (MSC4140), and that is
put off again and again. Without delayed events at the homeserver, memberships last until they expire.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import structlog

from appservice.clock import Clock
from appservice.database import Database
from appservice.delayed import DelayedState
from appservice.errors import HomeserverUnreachable, MatrixError
from appservice.faults import place
from appservice.ownership import NotOwner, Ownership
from appservice.unit_of_work import UnitsOfWork
from bridge.projections.memberships import Face
from bridge.rtc.membership import MEMBER_TYPE
from bridge.store import faces, guards
from bridge.store.guards import Guard

log = structlog.get_logger()

DELAY_MS = 600_000
"""How long after the bridge's last word its memberships are emptied."""

RESTART_MS = 300_000
"""How often the bridge gives its word, at most."""

_EVERY_S = 10.0
_ASK_AGAIN_MS = 3_600_000
_AT_ONCE = 8


class Safeguard:
    """Guards the memberships in the rooms that this process owns."""

    def __init__(
        self,
        *,
        database: Database,
        works: UnitsOfWork,
        ownership: Ownership,
        delayed: DelayedState,
        bot_id: str,
        clock: Clock,
    ) -> None:
        self._database = database
        self._works = works
        self._ownership = ownership
        self._delayed = delayed
        self._bot_id = bot_id
        self._clock = clock
        self._offered = False
        self._ask_at = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._running(), name="safeguard")

    async def stop(self) -> None:
        """Stop; the homeserver empties what nobody comes back for."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def round(self) -> None:
        """Make what is missing, put off what is due, take back what is not needed any more."""
        shards, now = self._ownership.held, self._clock()
        wanted = {(face.room_id, face.state_key): (call_id, face) for call_id, face in await self._faces()}
        standing = {
            (each.room_id, each.state_key): each for each in await guards.of_shards(self._database, shards)
        }
        steps = [self._make(face) for key, (_, face) in wanted.items() if key not in standing]
        for key, guard in standing.items():
            if key not in wanted:
                steps.append(self._take_back(guard))
            elif guard.restart_ts <= now:
                steps.append(self._put_off(guard, *wanted[key]))
        try:
            if not steps or not await self._is_offered():
                return
            at_once = asyncio.Semaphore(_AT_ONCE)
            await asyncio.gather(*(_within(at_once, step) for step in steps))
        finally:
            for step in steps:
                step.close()

    async def _faces(self) -> list[tuple[str, Face]]:
        return await faces.written(self._database, self._ownership.held)

    async def _is_offered(self) -> bool:
        now = self._clock()
        if now >= self._ask_at:
            self._offered = await self._delayed.longest(self._bot_id) >= DELAY_MS
            self._ask_at = now + _ASK_AGAIN_MS
            if not self._offered:
                log.info("safeguard.not_offered", advice="set max_event_delay_duration in the homeserver")
        return self._offered

    async def _make(self, face: Face) -> None:
        delay_id = await self._delayed.schedule_empty(
            face.user_id, face.room_id, MEMBER_TYPE, face.state_key, DELAY_MS
        )
        guard = Guard(face.room_id, face.state_key, face.user_id, delay_id, self._next())
        async with self._works.begin(face.room_id) as work:
            await guards.put(work, guard)

    async def _put_off(self, guard: Guard, call_id: str, face: Face) -> None:
        try:
            await self._delayed.restart(guard.user_id, guard.delay_id)
        except MatrixError as error:
            if error.status != 404:
                raise
            # It was sent: the bridge was away for too long. The next round makes another.
            async with self._works.begin(guard.room_id) as work:
                await guards.forget(work, guard.state_key)
                await faces.renew_now(work, call_id, face.identity)
            return
        async with self._works.begin(guard.room_id) as work:
            await guards.put(work, replace(guard, restart_ts=self._next()))

    async def _take_back(self, guard: Guard) -> None:
        try:
            await self._delayed.cancel(guard.user_id, guard.delay_id)
        except MatrixError as error:
            if error.can_heal:
                raise
        async with self._works.begin(guard.room_id) as work:
            await guards.forget(work, guard.state_key)

    def _next(self) -> int:
        # Spread, so that a large meeting is a stream of requests and not a burst.
        return self._clock() + round(RESTART_MS * random.uniform(0.5, 1.0))  # noqa: S311

    async def _running(self) -> None:
        while True:
            try:
                await self.round()
            except (MatrixError, HomeserverUnreachable, NotOwner) as error:
                log.info("safeguard.waits", why=type(error).__name__)
            except Exception as error:
                log.error("safeguard.failed", error=place(error))
            await asyncio.sleep(_EVERY_S)


async def _within(at_once: asyncio.Semaphore, step: Coroutine[Any, Any, None]) -> None:
    async with at_once:
        try:
            await step
        except (MatrixError, HomeserverUnreachable, NotOwner) as error:
            # A ghost that is not in the room yet, or a homeserver that is busy: the next round tries again.
            log.info("safeguard.step_waits", why=str(error))
