"""Takes over the leave events of clients, where the homeserver was seen to allow it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

import structlog

from appservice.clock import Clock
from appservice.delayed import HandedOver
from appservice.errors import HomeserverUnreachable, MatrixError
from appservice.faults import place
from appservice.ownership import Ownership
from bridge.calls.ports import SfuUnreachable
from bridge.rtc.leaves import ARRIVAL_MS, Act, Leave, judged
from bridge.rtc.ports import Rooms
from bridge.rtc.requests import Delay
from bridge.rtc.venue import venue_of
from bridge.sfu.client import Sfu

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_EVERY_S = 4.0
_PROBE_AGAIN_MS = 300_000


class Leaves(Protocol):
    """Where leaves are kept, so that they survive a restart."""

    async def put(self, leave: Leave) -> None:
        """Remember a leave, in place of the one of the same membership."""

    async def change(self, leave: Leave) -> None:
        """Write down what has become of a leave."""

    async def drop(self, leave: Leave) -> None:
        """Forget a leave."""

    async def of_shards(self, shards: Iterable[int]) -> list[Leave]:
        """The leaves of the rooms of some shards."""


class Delegation:
    """Looks after the leaves in the rooms that this process owns."""

    def __init__(
        self,
        *,
        leaves: Leaves,
        handed_over: HandedOver,
        sfu: Sfu,
        rooms: Rooms,
        ownership: Ownership,
        clock: Clock,
    ) -> None:
        self._leaves = leaves
        self._handed_over = handed_over
        self._sfu = sfu
        self._rooms = rooms
        self._ownership = ownership
        self._clock = clock
        self._offered = False
        self._probe_at = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._running(), name="delegation")

    async def stop(self) -> None:
        """Stop; the next start goes on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def is_offered(self) -> bool:
        """Whether clients of the own homeserver may hand over their leaves."""
        if self._clock() >= self._probe_at:
            try:
                self._offered = await self._handed_over.can_be_acted_on()
            except HomeserverUnreachable:
                return self._offered
            self._probe_at = self._clock() + _PROBE_AGAIN_MS
        return self._offered

    async def take(self, room_id: str, identity: str, hashed: str, delay: Delay) -> None:
        """Take over a leave; another one of the same membership is forgotten."""
        now = self._clock()
        leave = Leave(
            room_id,
            identity,
            hashed,
            delay.delay_id,
            delay.timeout_ms,
            now,
            patient_until_ts=now + ARRIVAL_MS,
        )
        await self._leaves.put(leave)

    async def round(self) -> None:
        """Look at every leave."""
        leaves = await self._leaves.of_shards(self._ownership.held)
        inside: dict[str, frozenset[str] | None] = {}
        for room_id in {leave.room_id for leave in leaves}:
            inside[room_id] = await self._inside(room_id)
        for leave in leaves:
            there = inside[leave.room_id]
            present = None if there is None else leave.is_of(there)
            act, after = judged(leave, present=present, now=self._clock())
            try:
                await self._carry_out(act, after)
            except (MatrixError, HomeserverUnreachable) as error:
                log.info("delegation.waits", why=str(error))

    async def _inside(self, room_id: str) -> frozenset[str] | None:
        try:
            venue = venue_of(await self._rooms.view(room_id))
            return frozenset(each.identity for each in await self._sfu.participants(venue.sfu_room))
        except SfuUnreachable:
            return None

    async def _carry_out(self, act: Act, leave: Leave) -> None:
        try:
            if act is Act.SEND:
                await self._handed_over.send(leave.delay_id)
                log.info("delegation.sent")
            elif act is Act.RESTART:
                await self._handed_over.restart(leave.delay_id)
        except MatrixError as error:
            if error.can_heal:
                raise
            # Sent or cancelled by the client itself, or not ours to act on any more.
            await self._leaves.drop(leave)
            return
        await (self._leaves.drop(leave) if act is Act.SEND else self._leaves.change(leave))

    async def _running(self) -> None:
        while True:
            try:
                await self.round()
            except Exception as error:
                log.error("delegation.failed", error=place(error))
            await asyncio.sleep(_EVERY_S)
