"""Ends hidden connections whose owner is not in the room's native call, for all to see.

Whoever may only listen is hidden in the SFU; what shows them is their membership in the room, so they may
stay as long as that is live (`DESIGN` §2.7: nobody listens unseen).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from appservice.clock import Clock
from appservice.faults import place
from bridge.rtc.connection import Connection
from bridge.rtc.expulsion import Expulsion
from bridge.rtc.gateway import Gateway

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

TakesPart = Callable[[str, str, str], Awaitable[bool | None]]
"""``(room_id, user_id, device_id)``: whether that device has a live membership; None if nobody can say."""

GRACE_MS = 15_000
"""How long a connection may be there before its membership: clients make them side by side."""

LAPSE_MS = 5_000
"""How long a connection may stay once its membership has ended. Whom their homeserver took for gone, because
they were slow to say that they are there, write it anew at once; but they do not come back to an SFU that has
put them out."""

_SWEEP_S = 5.0


class Listeners:
    """Watches over the hidden connections of this process."""

    def __init__(
        self, *, gateway: Gateway, takes_part: TakesPart, expulsion: Expulsion, clock: Clock
    ) -> None:
        self._gateway = gateway
        self._takes_part = takes_part
        self._expulsion = expulsion
        self._clock = clock
        self._patient_until: dict[Connection, int | None] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._watching(), name="listeners")

    async def stop(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def changed(self, _room_id: str) -> None:
        """Memberships of a room have changed."""
        self._wake.set()

    async def look(self) -> None:
        """End whoever may not stay."""
        hidden = [each for each in self._gateway.connections() if not each.granted.publish]
        self._patient_until = {
            each: self._patient_until.get(each, self._clock() + GRACE_MS) for each in hidden
        }
        for each in hidden:
            granted = each.granted
            live = await self._takes_part(granted.room_id, granted.user_id, granted.device_id)
            until = self._patient_until[each]
            if live:
                self._patient_until[each] = None
            elif live is False and until is None:
                self._patient_until[each] = self._clock() + LAPSE_MS
            elif live is False and until is not None and self._clock() >= until:
                log.info("native.listener_ended")
                await self._expulsion.put_out([each])

    async def _watching(self) -> None:
        while True:
            try:
                await self.look()
            except Exception as error:
                log.error("native.listeners_failed", error=place(error))
            try:
                async with asyncio.timeout(_SWEEP_S):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
