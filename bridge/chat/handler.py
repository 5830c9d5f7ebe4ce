"""The application's handler: which event goes where."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from appservice.events import Event
from appservice.rooms import RoomFacts
from appservice.unit_of_work import UnitOfWork
from bridge.chat.commands import CommandDesk
from bridge.chat.links import LinkDesk
from bridge.chat.native_rooms import NativeRooms
from bridge.chat.room_life import RoomLife
from bridge.rtc.membership import MEMBER_TYPE, STICKY_TYPES
from bridge.store import notes

_Handle = Callable[[Event, RoomFacts, UnitOfWork], Awaitable[None]]


class RoomHandler:
    """Fills `appservice.worker.Handler`."""

    def __init__(
        self, desk: CommandDesk, links: LinkDesk, life: RoomLife, native: NativeRooms | None = None
    ) -> None:
        self._native = native
        self._desk = desk
        self._links = links
        self._life = life
        self._handlers: Mapping[str, _Handle] = {
            "m.room.message": self._message,
            "m.reaction": links.reacted,
            "m.room.member": self._member,
            "m.room.redaction": self._redaction,
            "m.room.encryption": self._encryption,
            "m.room.tombstone": self._tombstone,
            notes.REPLACEMENT: self._replacement,
            notes.ADMIN_END: self._admin_end,
            notes.OFFER_OVER: links.offer_over,
        }
        if native is not None:
            kinds = (MEMBER_TYPE, *STICKY_TYPES)
            self._handlers = {**self._handlers, **dict.fromkeys(kinds, native.membership)}

    async def handle(self, event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        """Handle one event of a room."""
        handler = self._handlers.get(event.type)
        if handler is not None:
            await handler(event, facts, work)

    async def _message(self, event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        if "links" in event.content:
            await self._links.posted(event, facts, work)
        else:
            await self._desk.message(event, facts, work)

    async def _member(self, event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        await self._life.member(event, facts, work)
        if self._native is not None:
            await self._native.member(event, facts, work)

    async def _redaction(self, event: Event, _facts: RoomFacts, work: UnitOfWork) -> None:
        await self._life.redaction(event, work)
        if event.redacts is not None:
            await self._links.taken_away(event.redacts, work)

    async def _encryption(self, _event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        if facts.membership == "join":
            await self._life.encryption(work)

    async def _tombstone(self, event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        if facts.membership == "join":
            await self._life.tombstone(event, facts, work)

    async def _replacement(self, _event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        await self._life.take_over(facts, work)

    async def _admin_end(self, event: Event, _facts: RoomFacts, work: UnitOfWork) -> None:
        await self._life.end_by_admin(event, work)
