"""Opening: from a call that was asked for to a meeting with a link, or to a card that says why not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from appservice.clock import Clock
from appservice.ownership import NotOwner
from appservice.unit_of_work import UnitsOfWork
from appservice.worker import reference
from bridge.calls import lifecycle
from bridge.calls.lifecycle import Timings
from bridge.calls.model import Call, EndReason
from bridge.calls.ports import Meeting, Provider, ProviderFailure
from bridge.keeper.ledger import Ledger
from bridge.keeper.ports import Announcements, Doorman
from bridge.store import calls as store
from bridge.store.records import Record

log = structlog.get_logger()

OPENING_PATIENCE_MS = 60_000
"""How long the bridge keeps trying to open a meeting before it says that it cannot."""

_OPENING_RETRY_MS = 3_000

_TOLD_AGAIN_MS = 60_000
"""How often the log tells of one outage. A call that is given up is always told of."""


class Opening:
    """Opens meetings, tries again, and gives up.

    Attributes:
        unlinked: How many meetings were made at a provider and then shown to nobody, because the call was
            over before its meeting was there.
    """

    def __init__(
        self,
        *,
        works: UnitsOfWork,
        ledger: Ledger,
        providers: Mapping[str, Provider],
        timings: Timings,
        announcements: Announcements,
        doorman: Doorman,
        clock: Clock,
    ) -> None:
        self._works = works
        self._ledger = ledger
        self._providers = providers
        self._timings = timings
        self._announcements = announcements
        self._doorman = doorman
        self._clock = clock
        self.unlinked = 0
        self._told_ts: dict[tuple[str, str], int] = {}

    async def open(self, record: Record) -> int | None:
        """Try to open a call's meeting; answers when to look at the call again."""
        call, now = record.call, self._clock()
        provider = self._providers.get(call.provider)
        if provider is None:
            return await self.fail(record, "misconfigured", f"no provider {call.provider}")
        if not await self._doorman.may_open(call.room_id, call.started_by):
            return await self._refuse(record)
        meeting, name = await asyncio.gather(
            provider.open(call),
            self._doorman.name_of(call.room_id, call.started_by),
            return_exceptions=True,
        )
        if isinstance(meeting, ProviderFailure):
            if not meeting.retry or now >= call.started_ts + OPENING_PATIENCE_MS:
                return await self.fail(record, meeting.cause, meeting.advice)
            self._tell(call, meeting, now)
            return await self._keep_trying(record)
        if isinstance(meeting, BaseException):
            raise meeting
        try:
            return await self._opened(call, meeting, name if isinstance(name, str) else call.started_by)
        except NotOwner:
            # Whoever works on the room now makes another one.
            self._count_unlinked(call, meeting)
            raise

    async def _opened(self, asked: Call, meeting: Meeting, name: str) -> int | None:
        async with self._works.begin(asked.room_id) as work:
            # Read again and locked: trying once more because somebody asked for the link in the meantime
            # would make a second meeting.
            record = await store.by_id(work.connection, asked.id)
            if record is None:
                return None
            call = record.call
            if call.room_id != asked.room_id:
                # The room was replaced meanwhile and the call went with it: the card belongs there.
                return self._clock()
            opened = lifecycle.opened(call, meeting)
            if opened is call:
                self._count_unlinked(call, meeting)
                return self._clock() if call.closing else None
            opened = opened.but(askers=(), started_by_name=name)
            await self._ledger.save(work, record, opened)
            await self._announcements.opened(work, opened.but(askers=call.askers))
        log.info("call.opened", call=call.id, provider=call.provider, adopted=call.adopted)
        return lifecycle.next_look(opened, self._clock(), self._timings)

    def _count_unlinked(self, call: Call, meeting: Meeting) -> None:
        # Where the link holds a secret of ours the meeting goes with it; elsewhere an empty one stays.
        if not meeting.adopted and not meeting.secret:
            self.unlinked += 1
            log.info("meeting.unlinked", call=call.id, provider=call.provider)

    def _tell(self, call: Call, failure: ProviderFailure, now: int) -> None:
        # An outage holds up every call that is asked for meanwhile, and each tries again every few seconds.
        outage = (call.provider, failure.cause)
        if now >= self._told_ts.get(outage, 0) + _TOLD_AGAIN_MS:
            self._told_ts[outage] = now
            log.warning("call.not_opened", call=call.id, cause=failure.cause, advice=failure.advice)

    async def _keep_trying(self, record: Record) -> int:
        if not record.call.warned:
            async with self._works.begin(record.call.room_id) as work:
                await self._ledger.save(work, record, record.call.but(warned=True))
                await self._announcements.waiting(work, record.call)
        return self._clock() + _OPENING_RETRY_MS

    async def fail(self, record: Record, cause: str, advice: str) -> int | None:
        """Give up."""
        call = record.call
        ref = call.reference or reference(call.id)
        failed = lifecycle.fail(call, cause, ref, self._clock())
        log.error("call.failed", call=call.id, ref=ref, cause=cause, advice=advice)
        async with self._works.begin(call.room_id) as work:
            if call.adopted and call.reference is None:
                # Somebody posted a link and asked for nothing: no card says that it is not followed.
                await self._ledger.untie(work, record, failed)
            else:
                await self._ledger.save(work, record, failed)
        return None

    async def _refuse(self, record: Record) -> int | None:
        """The room does not want this call: no card, one answer."""
        call = record.call
        async with self._works.begin(call.room_id) as work:
            await self._ledger.untie(work, record, lifecycle.end(call, work.now, EndReason.UNTIED))
            await self._announcements.not_allowed(work, call)
        return None
