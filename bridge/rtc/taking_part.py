"""Whether somebody has a live membership in a room's native call."""

from __future__ import annotations

from typing import Any

import structlog

from appservice.clock import Clock
from appservice.errors import HomeserverUnreachable, MatrixError
from appservice.intents import Actors
from bridge.rtc.membership import MEMBER_TYPE, Membership, read
from bridge.rtc.ports import Memberships

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class TakingPart:
    """Looks at what was noted of a room, then asks the homeserver: events may be late, or from before."""

    def __init__(self, noted: Memberships, actors: Actors, clock: Clock) -> None:
        self._noted = noted
        self._actors = actors
        self._clock = clock

    async def __call__(self, room_id: str, user_id: str, device_id: str) -> bool | None:
        """See `bridge.rtc.listeners.TakesPart`."""
        noted = await self._noted.of_room(room_id)
        if any((each.user_id, each.device_id) == (user_id, device_id) for each in noted):
            return True
        try:
            event = await self._actors.bot.state_event(room_id, MEMBER_TYPE, f"_{user_id}_{device_id}_m.call")
        except (HomeserverUnreachable, MatrixError) as error:
            log.info("native.membership_unknown", why=type(error).__name__)
            return None
        found = self._membership(event or {})
        return found is not None and (found.user_id, found.device_id) == (user_id, device_id)

    def _membership(self, event: dict[str, Any]) -> Membership | None:
        content, sender, sent = (event.get(key) for key in ("content", "sender", "origin_server_ts"))
        if not isinstance(content, dict) or not isinstance(sender, str) or type(sent) is not int:
            return None
        found = read(content, sender=sender, sent_ts=sent, now=self._clock())
        return found if found is not None and found.until_ts > self._clock() else None
