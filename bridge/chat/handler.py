"""The application's handler: which event goes where."""

from __future__ import annotations

from appservice.events import Event
from appservice.rooms import RoomFacts
from appservice.unit_of_work import UnitOfWork
from bridge.chat.commands import CommandDesk
from bridge.chat.room_life import RoomLife
from bridge.store import notes


class RoomHandler:
    """Fills `appservice.worker.Handler`."""

    def __init__(self, desk: CommandDesk, life: RoomLife) -> None:
        self._desk = desk
        self._life = life

    async def handle(self, event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        """Handle one event of a room."""
        match event.type:
            case "m.room.message":
                await self._desk.message(event, facts, work)
            case "m.room.member":
                await self._life.member(event, facts, work)
            case "m.room.redaction":
                await self._life.redaction(event, work)
            case "m.room.encryption" if facts.membership == "join":
                await self._life.encryption(work)
            case "m.room.tombstone" if facts.membership == "join":
                await self._life.tombstone(event, facts, work)
            case notes.REPLACEMENT:
                await self._life.take_over(facts, work)
            case notes.ADMIN_END:
                await self._life.end_by_admin(event, work)
