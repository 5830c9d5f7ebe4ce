"""Puts out of a native call whoever has left its room.

Closing the signalling is not enough, media outlives it: the SFU is told to remove them. In a meeting the
reconciler removes them too, on sight, until the call is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import structlog

from appservice.bus import Bus
from appservice.faults import place
from bridge.calls.ports import SfuUnreachable
from bridge.rtc.connection import Connection
from bridge.rtc.gateway import Gateway
from bridge.rtc.identities import plain_identity
from bridge.rtc.members import HomeserverMembers
from bridge.sfu.client import Sfu

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Expulsion:
    """Acts on the connections of this process, and has the other replicas act on theirs."""

    def __init__(self, *, gateway: Gateway, members: HomeserverMembers, sfu: Sfu, bus: Bus) -> None:
        self._gateway = gateway
        self._members = members
        self._sfu = sfu
        self._bus = bus
        self._tasks: set[asyncio.Task[None]] = set()
        bus.subscribe("out", lambda hint: self._here(str(hint["room_id"]), str(hint["user_id"])))

    def out(self, room_id: str, user_id: str) -> None:
        """Somebody is no longer in a room."""
        self._here(room_id, user_id)
        self._bus.publish("out", {"room_id": room_id, "user_id": user_id})

    async def stop(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _here(self, room_id: str, user_id: str) -> None:
        self._members.forget(room_id, user_id)
        task = asyncio.create_task(self._expel(room_id, user_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _expel(self, room_id: str, user_id: str) -> None:
        await self.put_out(self._gateway.connections(room_id=room_id, user_id=user_id))

    async def put_out(self, connections: Sequence[Connection]) -> None:
        """End connections, and what they receive."""
        if not connections:
            return
        log.info("native.expelled", connections=len(connections))
        try:
            for sfu_room, identity in _places(connections):
                await self._sfu.remove(sfu_room, identity)
        except SfuUnreachable as error:
            log.warning("native.not_removed", why=str(error))
        except Exception as error:
            log.error("native.expulsion_failed", error=place(error))
        await self._gateway.expel(connections)


def _places(connections: Iterable[Connection]) -> set[tuple[str, str]]:
    """SFU rooms and identities there; a meeting knows everybody by the plain identity."""
    found = set()
    for each in connections:
        granted = each.granted
        found.add((each.room, granted.identity))
        found.add((each.room, plain_identity(granted.user_id, granted.device_id)))
    return found
