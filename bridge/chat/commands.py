"""Messages: read them, and have a command's handler obey."""

from __future__ import annotations

from typing import Any

import structlog

from appservice.events import Event
from appservice.operations import SendEvent
from appservice.rooms import RoomFacts
from appservice.unit_of_work import UnitOfWork
from appservice.worker import reference
from bridge.chat.ages import age_of
from bridge.chat.styles import RoomStyles
from bridge.commands import answers, grammar, refusals
from bridge.commands.registry import HANDLERS
from bridge.commands.request import House, Request
from bridge.store import calls, rooms

log = structlog.get_logger()


class CommandDesk:
    """Obeys commands in rooms that the bot is in."""

    def __init__(self, house: House, styles: RoomStyles, *, prefix: str, max_age_ms: int) -> None:
        self._house = house
        self._styles = styles
        self._prefix = prefix
        self._max_age_ms = max_age_ms

    async def message(self, event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        """Handle one message that the intake kept."""
        if facts.membership != "join" or facts.is_encrypted:
            return  # in an encrypted room a clear answer would tell what the room keeps to itself
        command = self._read(event, direct=facts.is_direct)
        if command is None:
            return
        if age_of(event, work.now) > self._max_age_ms:
            await self._missed(work)
            return
        request = Request(
            event=event,
            facts=facts,
            work=work,
            style=await self._styles.of_room(work),
            record=await calls.current(work.connection, event.room_id),
            thread=_thread(event),
            reference=reference(event.event_id),
            house=self._house,
        )
        log.info("command", command=type(command).__name__, room=event.room_id)
        await HANDLERS[type(command)](command, request)

    def _read(self, event: Event, *, direct: bool) -> grammar.Command | grammar.NearMiss | None:
        content: Any = event.content
        return grammar.parse(
            content["body"],
            prefix=self._prefix,
            direct=direct,
            mentions=content.get("mentions", ()),
            formatted=content.get("formatted_body"),
        )

    async def _missed(self, work: UnitOfWork) -> None:
        """One "please ask again" per room and outage, however many commands were missed."""
        memory = await rooms.recall(work)
        if memory.told_missed_ts is not None and work.now - memory.told_missed_ts < self._max_age_ms:
            return
        style = await self._styles.of_room(work)
        await work.write(
            SendEvent("m.room.message", answers.to_content(refusals.missed_command(style.voice)))
        )
        await rooms.remember(work, told_missed_ts=work.now)


def _thread(event: Event) -> str | None:
    root = event.content.get("thread")
    return root if isinstance(root, str) else None
