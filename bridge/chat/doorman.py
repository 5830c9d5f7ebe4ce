"""Questions about a room that only the homeserver can answer, asked while a call is being opened."""

from __future__ import annotations

import structlog
from cachetools import TTLCache

from appservice.database import Database
from appservice.errors import HomeserverUnreachable, MatrixError
from appservice.intents import Actors
from appservice.rooms import load
from bridge.commands.request import MODERATOR, readable
from bridge.keeper.ports import Member
from bridge.policy import Policy, Right

log = structlog.get_logger()

_REMEMBER_S = 600
_REMEMBER_MOST = 2_000


class HomeserverDoorman:
    """Fills `bridge.keeper.ports.Doorman`."""

    def __init__(self, actors: Actors, database: Database, policy: Policy, *, large_room: int) -> None:
        """Build it.

        Args:
            actors: The bot asks.
            database: Where power levels are cached.
            policy: Who moderates everywhere.
            large_room: Above so many members only moderators open meetings; 0 for no limit.
        """
        self._actors = actors
        self._database = database
        self._policy = policy
        self._large_room = large_room
        self._names: TTLCache[tuple[str, str], str] = TTLCache(_REMEMBER_MOST, _REMEMBER_S)
        self._sizes: TTLCache[str, int] = TTLCache(_REMEMBER_MOST, _REMEMBER_S)

    async def name_of(self, room_id: str, user_id: str) -> str:
        """The display name in the room; the local part if the homeserver does not say."""
        known = self._names.get((room_id, user_id))
        if known is not None:
            return known
        member = await self.member(room_id, user_id)
        found = member.name or readable(user_id)
        if member.joined is not None:
            self._names[room_id, user_id] = found
        return found

    async def member(self, room_id: str, user_id: str) -> Member:
        """Whether a user is in a room, and their display name there."""
        try:
            event = await self._actors.bot.state_event(room_id, "m.room.member", user_id)
        except (HomeserverUnreachable, MatrixError) as error:
            log.info("member.unknown", why=type(error).__name__)
            return Member()
        content = (event or {}).get("content", {})
        name = content.get("displayname")
        return Member(
            name if isinstance(name, str) and name.strip() else None, content.get("membership") == "join"
        )

    async def may_open(self, room_id: str, user_id: str) -> bool:
        """Whether the room is small enough, or the user one of its moderators."""
        if self._large_room == 0:
            return True
        async with self._database.connect() as connection:
            facts = await load(connection, room_id)
        if facts.power_of(user_id) >= MODERATOR or self._policy.right_of(user_id) >= Right.MODERATE:
            return True
        try:
            size = self._sizes.get(room_id)
            if size is None:
                size = self._sizes[room_id] = len(await self._actors.bot.joined_members(room_id))
        except (HomeserverUnreachable, MatrixError) as error:
            log.info("room_size.unknown", why=type(error).__name__)
            return True  # the limit is a courtesy to large rooms, no lock
        return size <= self._large_room
