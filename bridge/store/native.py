"""What the native calls need to know of rooms, read in one go."""

from __future__ import annotations

import sqlalchemy as sa

from appservice import rooms
from appservice.database import Database
from bridge.rtc.ports import RoomView
from bridge.store.records import decode_call
from bridge.store.tables import calls


class RoomViews:
    """Fills `bridge.rtc.ports.Rooms`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def view(self, room_id: str) -> RoomView:
        """What is known of a room."""
        query = sa.select(calls.c.call).where(calls.c.room_id == room_id, ~calls.c.is_over)
        async with self._database.connect() as connection:
            facts = await rooms.load(connection, room_id)
            if facts.membership != "join":
                return RoomView(room_id)
            found = (await connection.execute(query)).scalars().first()
        return RoomView(
            room_id,
            has_bot=True,
            encrypted=facts.is_encrypted,
            call=None if found is None else decode_call(found),
        )


class NobodysRooms:
    """Knows of no room: where native calls never lead into meetings."""

    async def view(self, room_id: str) -> RoomView:
        """Nothing."""
        return RoomView(room_id)
