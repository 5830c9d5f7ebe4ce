"""Tells a room, once, that members of a homeserver may not speak in its call.

Element Call itself shows them a cryptic error or silence.
"""

from __future__ import annotations

import asyncio

import structlog

from appservice.bus import Bus
from appservice.faults import place
from appservice.operations import SendEvent
from appservice.ownership import NotOwner
from appservice.unit_of_work import UnitsOfWork
from bridge.chat.styles import RoomStyles
from bridge.commands import refusals
from bridge.commands.answers import to_content
from bridge.store import questions

log = structlog.get_logger()

_ONCE_IN_MS = 30 * 86_400_000
_QUESTION = "refused server"
_REMEMBERED = 10_000


class RefusedServers:
    """Says it, whichever replica was asked."""

    def __init__(self, works: UnitsOfWork, styles: RoomStyles, bus: Bus, organisation: str) -> None:
        self._works = works
        self._styles = styles
        self._bus = bus
        self._organisation = organisation
        self._said: set[tuple[str, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        bus.subscribe("refused", lambda hint: self._begin(str(hint["room_id"]), str(hint["server"])))

    def tell(self, room_id: str, server: str) -> None:
        """Somebody of that server may not take part as they want in the call of a room with the bot in it."""
        if (room_id, server) in self._said:
            return
        if len(self._said) >= _REMEMBERED:
            self._said.clear()  # the database remembers
        self._said.add((room_id, server))
        self._begin(room_id, server)
        self._bus.publish("refused", {"room_id": room_id, "server": server})

    async def stop(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, room_id: str, server: str) -> None:
        task = asyncio.create_task(self._say(room_id, server))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _say(self, room_id: str, server: str) -> None:
        try:
            async with self._works.begin(room_id) as work:
                facts = await work.facts()
                if facts.membership != "join" or facts.is_encrypted:
                    return
                known = await questions.take(work, _QUESTION, server)
                await questions.ask(work, _QUESTION, server, _ONCE_IN_MS)
                if known:
                    return
                voice = (await self._styles.of_room(work)).voice
                message = refusals.cannot_speak(voice, server, self._organisation)
                await work.write(SendEvent("m.room.message", to_content(message)))
        except NotOwner:
            return
        except Exception as error:
            log.error("native.not_told", error=place(error))
