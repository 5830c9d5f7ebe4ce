"""Which face each participant of a call has in the room's native call; forgotten with the call."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from appservice.database import Database
from appservice.sharding import shard_of
from appservice.unit_of_work import UnitOfWork
from bridge.projections.memberships import Face, Rung
from bridge.store.tables import calls, rtc_faces


async def of_call(connection: AsyncConnection, call_id: str) -> dict[str, Face]:
    """The faces of a call, by SFU identity."""
    query = sa.select(rtc_faces.c.face).where(rtc_faces.c.call_id == call_id)
    found = map(_decode, (await connection.execute(query)).scalars())
    return {face.identity: face for face in found}


async def of_room(connection: AsyncConnection, room_id: str) -> dict[str, dict[str, Face]]:
    """The faces that have something to do with a room, by call, then by SFU identity."""
    query = sa.select(rtc_faces.c.call_id).distinct().where(rtc_faces.c.room_id == room_id)
    call_ids = (await connection.execute(query)).scalars().all()
    return {call_id: await of_call(connection, call_id) for call_id in call_ids}


async def replace(
    work: UnitOfWork, call_id: str, before: Mapping[str, Face], after: Mapping[str, Face]
) -> None:
    """Store the faces that a call has from now on, where they differ."""
    changed = [face for identity, face in after.items() if before.get(identity) != face]
    gone = [_key(identity) for identity in (*(before.keys() - after.keys()), *(f.identity for f in changed))]
    if gone:
        await work.connection.execute(
            sa.delete(rtc_faces).where(rtc_faces.c.call_id == call_id, rtc_faces.c.identity.in_(gone))
        )
    rows = [
        {
            "call_id": call_id,
            "identity": _key(face.identity),
            "room_id": face.room_id,
            "shard": shard_of(face.room_id),
            "renew_ts": face.renew_ts,
            "face": _encode(face),
        }
        for face in changed
    ]
    if rows:
        await work.connection.execute(sa.insert(rtc_faces), rows)


async def due(database: Database, shards: Iterable[int], now: int) -> dict[str, str]:
    """Calls that have a face to renew, or that are over and still have any; each with its room."""
    query = (
        sa.select(
            rtc_faces.c.call_id, sa.func.coalesce(calls.c.room_id, rtc_faces.c.room_id).label("room_id")
        )
        .distinct()
        .join(calls, calls.c.id == rtc_faces.c.call_id, isouter=True)
        .where(rtc_faces.c.shard.in_(list(shards)))
        .where(sa.or_(rtc_faces.c.renew_ts <= now, calls.c.is_over, calls.c.id.is_(None)))
    )
    async with database.connect() as connection:
        rows = (await connection.execute(query)).all()
    return {row.call_id: row.room_id for row in rows}


async def written(database: Database, shards: Iterable[int]) -> list[tuple[str, Face]]:
    """Who has a membership at the moment, in the calls of some shards; each with the call's id."""
    query = sa.select(rtc_faces.c.call_id, rtc_faces.c.face).where(rtc_faces.c.shard.in_(list(shards)))
    async with database.connect() as connection:
        rows = (await connection.execute(query)).all()
    found = [(row.call_id, _decode(row.face)) for row in rows]
    return [(call_id, face) for call_id, face in found if face.present and face.shown is not None]


async def renew_now(work: UnitOfWork, call_id: str, identity: str) -> None:
    """Have somebody's membership written again as soon as possible."""
    faces = await of_call(work.connection, call_id)
    if identity in faces:
        due_now = dataclasses.replace(faces[identity], renew_ts=0)
        await replace(work, call_id, faces, faces | {identity: due_now})


def _key(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()


def _encode(face: Face) -> str:
    return orjson.dumps(dataclasses.asdict(face)).decode()


def _decode(text: str) -> Face:
    fields = orjson.loads(text)
    known = {field.name for field in dataclasses.fields(Face)}
    kept = {key: value for key, value in fields.items() if key in known}
    return Face(**kept | {"rung": Rung(kept["rung"]), "floor": Rung(kept["floor"])})
