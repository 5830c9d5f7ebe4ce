"""Brings the people of a native call to where it takes place now, when that has changed.

A call that was begun with the native button moves into the meeting that somebody opens in the room, and back
when that ends: the gateway has the clients connect anew, and the router sends them to the other SFU room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from weakref import WeakValueDictionary

import structlog

from appservice.bus import Bus
from appservice.faults import place
from bridge.calls.model import Call
from bridge.rtc.casts import Casts
from bridge.rtc.gateway import Gateway
from bridge.rtc.ports import Rooms
from bridge.rtc.venue import venue_of

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_EVACUATION_S = 6.0
_SWEEP_S = 5.0


class Mover:
    """Watches over the connections of this process."""

    def __init__(self, *, gateway: Gateway, rooms: Rooms, casts: Casts, bus: Bus) -> None:
        self._gateway = gateway
        self._rooms = rooms
        self._casts = casts
        self._bus = bus
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.Task[None] | None = None
        bus.subscribe("move", lambda hint: self._soon(self.settle(str(hint["room_id"]))))

    def start(self) -> None:
        """Begin."""
        self._sweeper = asyncio.create_task(self._sweeping(), name="mover")

    async def stop(self) -> None:
        """Stop."""
        if self._sweeper is not None:
            self._tasks.add(self._sweeper)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def stored(self, call: Call) -> None:
        """A call was committed: the native call may take place elsewhere from now on."""
        self._casts.see(call)
        self._soon(self.settle(call.room_id))
        self._bus.publish("move", {"room_id": call.room_id})

    def faces_changed(self, call_id: str) -> None:
        """People of a call may be shown as somebody else."""
        self._soon(self._show(call_id))

    async def settle(self, room_id: str) -> None:
        """Move whoever of a room is not where its native call takes place."""
        if not self._gateway.connections(room_id=room_id):
            return
        lock = self._locks.setdefault(room_id, asyncio.Lock())
        async with lock:  # nobody is moved twice at the same time
            await self._bring(room_id)

    async def evacuate(self, call: Call) -> None:
        """Have the native participants of a call that is over leave its SFU room, before that is closed."""
        self._bus.publish("move", {"room_id": call.room_id})
        # Not longer: whoever is left is put out with the others, and connects anew by themselves.
        try:
            async with asyncio.timeout(_EVACUATION_S):
                # At once: a move that is under way may wait for somebody who is still joining.
                await self._bring(call.room_id)
        except TimeoutError:
            log.info("native.move_is_slow", call=call.id)

    async def _bring(self, room_id: str) -> None:
        venue = venue_of(await self._rooms.view(room_id))
        here = self._gateway.connections(room_id=room_id)
        astray = [connection for connection in here if connection.room != venue.sfu_room]
        if astray:
            log.info("native.moving", connections=len(astray), into_meeting=venue.call is not None)
            await self._gateway.move(astray)

    async def _show(self, call_id: str) -> None:
        sfu_room = await self._casts.refresh(call_id)
        if sfu_room is not None:
            await self._gateway.names_changed(sfu_room)

    async def _sweeping(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            for room_id in {connection.granted.room_id for connection in self._gateway.connections()}:
                await self._guarded(self.settle(room_id))

    def _soon(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:
            log.error("native.move_failed", error=place(error))
