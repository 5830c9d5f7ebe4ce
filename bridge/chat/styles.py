"""How the bridge speaks in each room."""

from __future__ import annotations

import dataclasses

from appservice.unit_of_work import UnitOfWork
from bridge.calls.model import Call
from bridge.projections.style import CardStyle
from bridge.store import natives, rooms


class RoomStyles:
    """The installation's style, in the room's language."""

    def __init__(self, default: CardStyle) -> None:
        self.default = default

    async def of_room(self, work: UnitOfWork) -> CardStyle:
        """The style of the work's room."""
        memory = await rooms.recall(work)
        if memory.language is None or memory.language == self.default.voice.language:
            return self.default
        voice = dataclasses.replace(self.default.voice, language=memory.language)
        return dataclasses.replace(self.default, voice=voice)

    async def of_call(self, work: UnitOfWork, call: Call) -> CardStyle:
        """The style of a call's card."""
        style = await self.of_room(work)
        if not (call.encrypted_room and style.app_name):
            return style
        inside = await natives.of_room(work.connection, call.room_id, work.now)
        return dataclasses.replace(style, native_people=len({each.user_id for each in inside}))
