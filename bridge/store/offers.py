"""Links that people posted, and that the bridge has offered to follow; each for some hours."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from appservice.unit_of_work import UnitOfWork
from bridge.store.tables import offers


async def offer(work: UnitOfWork, event_id: str, url: str, patience_ms: int) -> None:
    """Remember that the bridge offered to follow the link in a message of this room."""
    await take(work, event_id)
    await work.connection.execute(
        sa.insert(offers).values(
            room_id=work.room_id, event_id=event_id, url=url, until_ts=work.now + patience_ms
        )
    )


async def is_offered(work: UnitOfWork, url: str) -> bool:
    """Whether a link is on offer in this room already."""
    same = (offers.c.room_id == work.room_id, offers.c.url == url, offers.c.until_ts >= work.now)
    found = await work.connection.execute(sa.select(sa.exists().where(*same)))
    return bool(found.scalar_one())


async def stands(work: UnitOfWork, event_id: str) -> bool:
    """Whether there is an offer at a message, in time."""
    there = (
        offers.c.room_id == work.room_id,
        offers.c.event_id == event_id,
        offers.c.until_ts >= work.now,
    )
    found = await work.connection.execute(sa.select(sa.exists().where(*there)))
    return bool(found.scalar_one())


async def take(work: UnitOfWork, event_id: str) -> str | None:
    """The link that was offered at a message, if in time; the offer is gone afterwards."""
    taken = await work.connection.execute(
        sa.delete(offers)
        .where(offers.c.room_id == work.room_id, offers.c.event_id == event_id)
        .returning(offers.c.url, offers.c.until_ts)
    )
    row = taken.one_or_none()
    return row.url if row is not None and row.until_ts >= work.now else None


async def take_link(work: UnitOfWork, url: str) -> tuple[str, ...]:
    """The messages of this room at which a link was offered; those offers are gone afterwards."""
    taken = await work.connection.execute(
        sa.delete(offers)
        .where(offers.c.room_id == work.room_id, offers.c.url == url)
        .returning(offers.c.event_id)
    )
    return tuple(taken.scalars())


async def take_late(connection: AsyncConnection, now: int) -> tuple[tuple[str, str], ...]:
    """Room and message of every offer whose time is over; those offers are gone afterwards."""
    taken = await connection.execute(
        sa.delete(offers).where(offers.c.until_ts < now).returning(offers.c.room_id, offers.c.event_id)
    )
    return tuple((row.room_id, row.event_id) for row in taken)
