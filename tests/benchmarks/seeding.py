"""A database as it is after months of use: rooms that the bot is in, calls that are open in some."""

from __future__ import annotations

from collections.abc import Sequence

from appservice import rooms
from appservice.clock import wall_clock
from appservice.database import Database
from appservice.rooms import RoomFacts
from appservice.unit_of_work import UnitOfWork
from bridge.calls.lifecycle import Timings
from bridge.calls.model import Call, CallState
from bridge.chat.styles import RoomStyles
from bridge.keeper.ledger import Ledger
from bridge.locale import Voice
from bridge.projections.style import CardStyle
from bridge.providers.livekit import sfu_room_of
from bridge.store.migrate import migrate
from tests.benchmarks.traffic import Traffic

SERVER = Traffic(0).server
MOST = 150
"""``calls.max_participants``, by default."""


def seeded_rooms(count: int) -> list[str]:
    """The ids of the rooms that `seed` makes; the homeserver knows none of them."""
    return Traffic(0, rooms=count).room_ids()


def seeded_sfu_rooms(count: int) -> list[str]:
    """The SFU rooms of the calls that `seed` makes."""
    return [sfu_room_of(f"seed-{number}") for number in range(count)]


async def seed(database_url: str, *, rooms_known: int, calls_open: int) -> None:
    """Fill a database.

    Args:
        database_url: It may be empty or hold other calls already.
        rooms_known: How many rooms the bot is in; each tenth is a direct chat.
        calls_open: In how many of them a call is open, its card written and nobody in.
    """
    database = Database.open(database_url)
    await migrate(database)
    async with database.begin() as connection:
        for number, room_id in enumerate(seeded_rooms(rooms_known)):
            await rooms.store(connection, _facts(room_id, number))
    styles = RoomStyles(CardStyle(Voice("fr"), max_participants=MOST))
    ledger = Ledger(styles.of_call, Timings(), max_participants=MOST)
    names = seeded_sfu_rooms(calls_open)
    async with database.begin() as connection:
        for room_id, sfu_room in zip(seeded_rooms(rooms_known), names, strict=False):
            work = UnitOfWork(connection, room_id, wall_clock())
            await ledger.open(work, _call(room_id, sfu_room))
            # The card was sent long ago.
            await work.drop_room()
    await database.close()


def _facts(room_id: str, number: int) -> RoomFacts:
    creator = f"@agent{number}:{SERVER}"
    state = {
        "m.room.create": {"content": {"room_version": "10"}, "sender": creator},
        "m.room.power_levels": {"content": {"users": {creator: 100}}, "sender": creator},
        "m.room.join_rules": {"content": {"join_rule": "invite"}, "sender": creator},
    }
    partner = None if number % 10 else creator
    return RoomFacts(room_id, "join", partner, state, wall_clock())


def _call(room_id: str, sfu_room: str) -> Call:
    return Call(
        id=sfu_room.removeprefix("passerelle-"),
        room_id=room_id,
        state=CallState.OPEN,
        provider="livekit",
        started_by=f"@agent1:{SERVER}",
        started_by_name="Agent 1",
        started_ts=wall_clock(),
        subject="Point hebdomadaire",
        url=f"https://visio.example.org/call/{sfu_room}#secret",
        sfu_room=sfu_room,
        secret="secret",
    )


def every_other(names: Sequence[str]) -> Sequence[str]:
    """Those that the SFU still has a room for; the others' were empty for too long."""
    return names[::2]
