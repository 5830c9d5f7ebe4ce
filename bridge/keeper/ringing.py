"""Calling people to a meeting: only the homeserver knows who is in the room, and what they are called."""

from __future__ import annotations

import asyncio

from appservice.clock import Clock
from appservice.unit_of_work import UnitsOfWork
from bridge.calls.model import Action, ActionKind
from bridge.keeper.ledger import Ledger
from bridge.keeper.ports import Announcements, Doorman
from bridge.store.records import Record


class Ringing:
    """Has the devices of members of the Matrix room ring. Needs no SFU, so it waits for none."""

    def __init__(
        self,
        *,
        works: UnitsOfWork,
        ledger: Ledger,
        announcements: Announcements,
        doorman: Doorman,
        clock: Clock,
    ) -> None:
        self._works = works
        self._ledger = ledger
        self._announcements = announcements
        self._doorman = doorman
        self._clock = clock

    async def ring(self, record: Record) -> int | None:
        """Call the people whom one command named; answers when to look again, None if nobody is called."""
        call = record.call
        first = next((action for action in call.pending if action.kind is ActionKind.RING), None)
        if first is None:
            return None
        together = tuple(action for action in call.pending if _asked_with(action, first))
        caller = await self._doorman.name_of(call.room_id, first.by)
        members = await asyncio.gather(
            *(self._doorman.member(call.room_id, action.identity) for action in together)
        )
        later = tuple(action for action in call.pending if action not in together)
        async with self._works.begin(call.room_id) as work:
            await self._ledger.save(work, record, call.but(pending=later))
            await self._announcements.rang(work, call, dict(zip(together, members, strict=True)), caller)
        return self._clock()


def _asked_with(action: Action, first: Action) -> bool:
    """Whether two actions come from the same command."""
    return (action.kind, action.by, action.thread, action.asked_ts) == (
        first.kind,
        first.by,
        first.thread,
        first.asked_ts,
    )
