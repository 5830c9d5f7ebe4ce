"""Notes to a room of ours: events of our own that go through the inbox and never over Matrix.

Whoever owns the room handles them, in the room's order, now or when a bridge runs again.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from appservice.events import Event
from appservice.sharding import shard_of
from appservice.tables import inbox
from appservice.transaction import encode

ADMIN_END: Final = "fr.passerelle.admin.end"
"""The administrator ends the call whose id is ``call_id``."""

REPLACEMENT: Final = "fr.passerelle.room.replacement"
"""This room replaces another one, whose tombstone has been read."""

OFFER_OVER: Final = "fr.passerelle.offer.over"
"""Nobody has taken up the offer to follow the link in the message ``event_id`` in time."""


async def leave_note(
    connection: AsyncConnection, room_id: str, kind: str, content: Mapping[str, object], now: int
) -> None:
    """Put a note into a room's inbox.

    Args:
        connection: An open transaction.
        room_id: The room.
        kind: Its type, which no homeserver sends.
        content: What to know.
        now: Milliseconds since the epoch.
    """
    note = Event(f"note:{uuid.uuid4()}", room_id, kind, "", None, content, now, now)
    await connection.execute(
        sa.insert(inbox).values(
            event_id=note.event_id,
            room_id=room_id,
            shard=shard_of(room_id),
            received_ts=now,
            state="waiting",
            body=encode(note),
        )
    )
