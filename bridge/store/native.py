"""What the native calls need to know of rooms, read in one go."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import orjson
import sqlalchemy as sa

from appservice.database import Database
from appservice.rooms import RoomFacts
from appservice.tables import rooms
from bridge.rtc.ports import RoomView
from bridge.store.records import decode_call
from bridge.store.tables import calls

_JOINED = (
    sa.select(rooms.c.room_id, rooms.c.state, calls.c.call)
    .outerjoin(calls, (calls.c.room_id == rooms.c.room_id) & ~calls.c.is_over)
    .where(rooms.c.room_id.in_(sa.bindparam("room_ids", expanding=True)), rooms.c.membership == "join")
)


@dataclass(slots=True)
class _Reading:
    """One query, for everybody who has asked before it begins."""

    room_ids: set[str] = field(default_factory=set)
    found: Mapping[str, RoomView] | None = None
    failure: Exception | None = None


class RoomViews:
    """Fills `bridge.rtc.ports.Rooms`.

    Whoever asks while the database is being read is answered by the next reading, which is for all of them
    together: everybody learns what was committed before they asked, and a crowd costs a query or two.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = asyncio.Lock()
        self._next = _Reading()

    async def view(self, room_id: str) -> RoomView:
        """What is known of a room."""
        reading = self._next
        reading.room_ids.add(room_id)
        async with self._turn:
            if reading.found is None and reading.failure is None:
                if reading is self._next:
                    self._next = _Reading()
                try:
                    reading.found = await self._read(reading.room_ids)
                except Exception as error:
                    # It is everybody's, or they would wait for the database one after the other.
                    reading.failure = error
        if reading.found is None:
            assert reading.failure is not None
            raise reading.failure
        return reading.found.get(room_id) or RoomView(room_id)

    async def _read(self, room_ids: Collection[str]) -> dict[str, RoomView]:
        async with self._database.connect() as connection:
            rows = (await connection.execute(_JOINED, {"room_ids": list(room_ids)})).all()
        return {
            room_id: RoomView(
                room_id,
                has_bot=True,
                encrypted=RoomFacts(room_id, state=orjson.loads(state)).is_encrypted,
                call=None if call is None else decode_call(call),
            )
            for room_id, state, call in rows
        }


class NobodysRooms:
    """Knows of no room: where native calls never lead into meetings."""

    async def view(self, room_id: str) -> RoomView:
        """Nothing."""
        return RoomView(room_id)
