"""Questions that the bridge asked and that wait for an answer, each for one person and a short time."""

from __future__ import annotations

import sqlalchemy as sa

from appservice.unit_of_work import UnitOfWork
from bridge.store.tables import questions


async def ask(work: UnitOfWork, question: str, user_id: str, patience_ms: int) -> None:
    """Remember that a user of this room was asked."""
    await take(work, question, user_id)
    await work.connection.execute(
        sa.insert(questions).values(
            room_id=work.room_id, question=question, user_id=user_id, until_ts=work.now + patience_ms
        )
    )


async def is_open(work: UnitOfWork, question: str, user_id: str) -> bool:
    """Whether the user was asked and is still in time; the question stays."""
    query = sa.select(questions.c.until_ts).where(
        questions.c.room_id == work.room_id,
        questions.c.question == question,
        questions.c.user_id == user_id,
    )
    until = (await work.connection.execute(query)).scalar_one_or_none()
    return until is not None and until >= work.now


async def take(work: UnitOfWork, question: str, user_id: str) -> bool:
    """Whether the user was asked and still in time; the question is gone afterwards."""
    taken = await work.connection.execute(
        sa.delete(questions)
        .where(
            questions.c.room_id == work.room_id,
            questions.c.question == question,
            questions.c.user_id == user_id,
        )
        .returning(questions.c.until_ts)
    )
    until = taken.scalar_one_or_none()
    return until is not None and until >= work.now
