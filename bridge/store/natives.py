"""Who takes part in rooms' native calls, as their memberships say; forgotten when those end."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from appservice.clock import Clock
from appservice.database import Database
from bridge.rtc.membership import Membership
from bridge.store.tables import rtc_natives


async def put(connection: AsyncConnection, room_id: str, key: str, native: Membership | None) -> None:
    """Note what the membership under a key (`bridge.rtc.membership.storage_key`) says; None: it has ended."""
    same = (rtc_natives.c.room_id == room_id, rtc_natives.c.state_key == key)
    await connection.execute(sa.delete(rtc_natives).where(*same))
    if native is not None:
        await connection.execute(
            sa.insert(rtc_natives).values(
                room_id=room_id,
                state_key=key,
                user_id=native.user_id,
                device_id=native.device_id,
                service_url=native.service_url,
                until_ts=native.until_ts,
                member_id=native.member_id,
            )
        )


async def of_room(connection: AsyncConnection, room_id: str, now: int) -> list[Membership]:
    """The memberships of a room that have not expired, those that last longest at the end."""
    query = sa.select(rtc_natives).where(rtc_natives.c.room_id == room_id, rtc_natives.c.until_ts > now)
    query = query.order_by(rtc_natives.c.until_ts)
    rows = (await connection.execute(query)).all()
    return [
        Membership(row.user_id, row.device_id, row.service_url, row.until_ts, row.member_id) for row in rows
    ]


async def forget_user(connection: AsyncConnection, room_id: str, user_id: str) -> None:
    """Somebody is no longer in a room: their memberships count no more."""
    await connection.execute(
        sa.delete(rtc_natives).where(rtc_natives.c.room_id == room_id, rtc_natives.c.user_id == user_id)
    )


async def forget_expired(connection: AsyncConnection, now: int) -> None:
    """Forget what nobody renewed."""
    await connection.execute(sa.delete(rtc_natives).where(rtc_natives.c.until_ts <= now))


class NotedMemberships:
    """Fills `bridge.rtc.ports.Memberships`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def of_room(self, room_id: str) -> list[Membership]:
        """The memberships of a room that have not expired."""
        async with self._database.connect() as connection:
            return await of_room(connection, room_id, self._clock())
