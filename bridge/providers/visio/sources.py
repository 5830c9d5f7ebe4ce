"""What people may publish in a meeting (``configuration.can_publish_sources``), as Visio's own tokens say it.

An administrator of the meeting may change it at any time. Visio then tells the SFU about whoever is in, of
ours too; this is for those who come in afterwards.
"""

from __future__ import annotations

import asyncio

import structlog
from cachetools import LRUCache

from bridge.providers.visio.errors import VisioFailure
from bridge.providers.visio.rooms import Rooms

_REMEMBERED = 2_000
_PATIENCE_S = 1.5
"""Somebody is waiting to come in."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Sources:
    """Remembers what Visio said last of each meeting."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._known: LRUCache[str, tuple[str, ...] | None] = LRUCache(_REMEMBERED)

    async def learn(self, slug: str, sfu_room: str) -> None:
        """Ask Visio; without an answer, what was known stays."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                place = await self._rooms.find(slug)
        except (VisioFailure, TimeoutError) as error:
            log.info("visio.sources_unknown", why=type(error).__name__)
            return
        if place is not None and place.sfu_room == sfu_room:
            self._known[sfu_room] = place.sources

    def of(self, sfu_room: str) -> tuple[str, ...] | None:
        """What people may publish there, by LiveKit's names; None for everything."""
        return self._known.get(sfu_room)
