"""Who is in a room, asked of the homeserver and remembered for a moment.

Clients ask for several tokens within a second, so an answer serves for all of them. Whoever learns that
somebody left tells it here, so that they are not let in on an old answer.
"""

from __future__ import annotations

import structlog
from cachetools import TTLCache

from appservice.errors import HomeserverUnreachable, MatrixError
from appservice.federation.names import server_of
from appservice.intents import Actors
from bridge.rtc.ports import RoomMember

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

REMEMBER_S = 30.0
_REMEMBERED = 20_000
_REMEMBERED_ROOMS = 1_000
_REMEMBER_SERVERS_S = 60.0


class HomeserverMembers:
    """Fills `bridge.rtc.ports.Members`."""

    def __init__(self, actors: Actors) -> None:
        self._actors = actors
        self._known: TTLCache[tuple[str, str], RoomMember] = TTLCache(_REMEMBERED, REMEMBER_S)
        self._servers: TTLCache[str, frozenset[str]] = TTLCache(_REMEMBERED_ROOMS, _REMEMBER_SERVERS_S)

    async def member(self, room_id: str, user_id: str) -> RoomMember:
        """Whether a user is in a room; only that they are in is remembered."""
        known = self._known.get((room_id, user_id))
        if known is not None:
            return known
        try:
            event = await self._actors.bot.state_event(room_id, "m.room.member", user_id)
        except (HomeserverUnreachable, MatrixError) as error:
            log.info("rtc.member_unknown", why=type(error).__name__)
            return RoomMember()
        content = (event or {}).get("content")
        content = content if isinstance(content, dict) else {}
        name = content.get("displayname")
        found = RoomMember(
            joined=content.get("membership") == "join",
            name=name if isinstance(name, str) and name.strip() else None,
        )
        if found.joined:
            self._known[room_id, user_id] = found
        return found

    async def servers(self, room_id: str) -> frozenset[str]:
        """Whose users are in a room, as of a minute ago at most."""
        known = self._servers.get(room_id)
        if known is None:
            try:
                joined = await self._actors.bot.joined_members(room_id)
            except (HomeserverUnreachable, MatrixError) as error:
                log.info("rtc.members_unknown", why=type(error).__name__)
                return frozenset()
            found = (server_of(user_id) for user_id in joined)
            known = self._servers[room_id] = frozenset(server for server in found if server is not None)
        return known

    def forget(self, room_id: str, user_id: str) -> None:
        """They may have left: ask again next time."""
        self._known.pop((room_id, user_id), None)
