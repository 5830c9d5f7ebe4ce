"""What the runtime remembers of each room: a few state events, never a member list.

The facts are committed with the events that change them and are not fetched again at start.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from appservice import tables
from appservice.events import STATE_TYPES, Event

INFINITE_POWER = 2**53
"""Power of a creator in room version 12 and later (MSC4289): above every level that can be written."""

_FIRST_VERSION_WITH_CREATORS = 12


@dataclass(frozen=True, slots=True)
class RoomFacts:
    """The cached facts of one room, and the questions that they answer.

    Attributes:
        room_id: The room.
        membership: The bot's own membership: ``invite``, ``join`` or ``leave``.
        partner: With whom it is a direct chat of the bot's; None for other rooms.
        state: Cached state events by type: ``{"content": …, "sender": …}``.
        fetched_ts: When the cached state was last read whole; None when it never was.
    """

    room_id: str
    membership: str = "leave"
    partner: str | None = None
    state: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fetched_ts: int | None = None

    @property
    def is_direct(self) -> bool:
        """Whether it is a direct chat with the bot."""
        return self.partner is not None and self.membership != "leave"

    def content(self, event_type: str) -> Mapping[str, Any]:
        """Content of a cached state event; empty when the room has none."""
        found = self.state.get(event_type, {}).get("content", {})
        return found if isinstance(found, dict) else {}

    @property
    def version(self) -> str:
        """The room version; ``"1"`` where the create event names none (Matrix specification)."""
        return str(self.content("m.room.create").get("room_version", "1"))

    @property
    def is_encrypted(self) -> bool:
        """Whether the room is end-to-end encrypted; once on, it cannot be turned off."""
        return "m.room.encryption" in self.state

    @property
    def federates(self) -> bool:
        """Whether users of other homeservers may join (``m.federate``)."""
        return self.content("m.room.create").get("m.federate", True) is not False

    @property
    def replacement(self) -> str | None:
        """The room that replaces this one after an upgrade, or None."""
        room = self.content("m.room.tombstone").get("replacement_room")
        return room if isinstance(room, str) and room else None

    @property
    def creators(self) -> frozenset[str]:
        """Users with infinite power: nobody before room version 12 (MSC4289)."""
        if not self._has_privileged_creators:
            return frozenset()
        create = self.state.get("m.room.create", {})
        additional = self.content("m.room.create").get("additional_creators", [])
        names = [u for u in additional if isinstance(u, str)] if isinstance(additional, list) else []
        return frozenset([str(create.get("sender", "")), *names])

    @property
    def _has_privileged_creators(self) -> bool:
        version = self.version
        return version.isascii() and version.isdigit() and int(version[:9]) >= _FIRST_VERSION_WITH_CREATORS

    def power_of(self, user_id: str) -> int:
        """The power level of a user."""
        if user_id in self.creators:
            return INFINITE_POWER
        levels = self.content("m.room.power_levels")
        users = levels.get("users")
        if isinstance(users, dict) and user_id in users:
            return _level(users[user_id], 0)
        if "m.room.power_levels" not in self.state:
            # Without a power-level event the creator alone has 100 (Matrix specification).
            create = self.state.get("m.room.create", {})
            return 100 if create.get("sender") == user_id else 0
        return _level(levels.get("users_default"), 0)

    def power_to_send(self, event_type: str, *, is_state: bool) -> int:
        """The power level that sending an event of this type takes."""
        levels = self.content("m.room.power_levels")
        events = levels.get("events")
        if isinstance(events, dict) and event_type in events:
            return _level(events[event_type], 50 if is_state else 0)
        if is_state:
            return _level(levels.get("state_default"), 50 if "m.room.power_levels" in self.state else 0)
        return _level(levels.get("events_default"), 0)

    @property
    def power_to_invite(self) -> int:
        """The power level that inviting takes."""
        return _level(self.content("m.room.power_levels").get("invite"), 0)

    @property
    def power_to_call_room(self) -> int:
        """The power level that mentioning everybody (``@room``) takes."""
        levels = self.content("m.room.power_levels").get("notifications")
        return _level(levels.get("room") if isinstance(levels, dict) else None, 50)

    def with_event(self, event: Event) -> RoomFacts:
        """The facts after a state event of a cached type."""
        cached = {"content": event.content, "sender": event.sender}
        return dataclasses.replace(self, state={**self.state, event.type: cached})


def _level(value: object, default: int) -> int:
    # Room versions before 10 allow levels written as strings.
    if isinstance(value, bool):
        return default
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        try:
            return int(value.strip())
        except ValueError:
            return default
    return default


def is_cached_state(event: Event) -> bool:
    """Whether an event changes a room's cached facts."""
    return event.type in STATE_TYPES and event.state_key == ""


async def load(connection: AsyncConnection, room_id: str, *, to_change: bool = False) -> RoomFacts:
    """Read what is known of a room; a room never heard of has empty facts.

    Args:
        connection: A transaction.
        room_id: The room.
        to_change: Whether nobody else may change it before the transaction ends. (SQLite writes one
            transaction at a time anyway.)
    """
    known = sa.select(tables.rooms).where(tables.rooms.c.room_id == room_id)
    row = (await connection.execute(known.with_for_update() if to_change else known)).first()
    if row is None:
        return RoomFacts(room_id)
    return RoomFacts(room_id, row.membership, row.partner, orjson.loads(row.state), row.fetched_ts)


async def store(connection: AsyncConnection, facts: RoomFacts) -> None:
    """Write what is known of a room."""
    values = {
        "membership": facts.membership,
        "partner": facts.partner,
        "state": orjson.dumps(dict(facts.state)).decode(),
        "fetched_ts": facts.fetched_ts,
    }
    insert = pg_insert if connection.dialect.name == "postgresql" else sqlite_insert
    await connection.execute(
        insert(tables.rooms)
        .values(room_id=facts.room_id, **values)
        .on_conflict_do_update(index_elements=["room_id"], set_=values)
    )


async def direct_rooms(connection: AsyncConnection) -> frozenset[str]:
    """Ids of the rooms that are direct chats with the bot."""
    rows = await connection.execute(
        sa.select(tables.rooms.c.room_id).where(
            tables.rooms.c.partner.is_not(None), tables.rooms.c.membership != "leave"
        )
    )
    return frozenset(row.room_id for row in rows)
