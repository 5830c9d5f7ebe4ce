"""Looks at calls and writes the difference: what the SFU says, and what follows from it.

Level-triggered: a look needs no memory of what hinted at it. Looking is network I/O and happens outside
of any transaction; what it found is written in one, which fails with `Conflict` if the call changed in
between, and then it is looked at again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping

import structlog
from cachetools import TTLCache

from appservice.clock import Clock
from appservice.database import is_outage
from appservice.faults import place
from appservice.ownership import NotOwner
from appservice.unit_of_work import UnitOfWork, UnitsOfWork
from bridge.calls import lifecycle
from bridge.calls.lifecycle import Timings
from bridge.calls.model import Call, CallState
from bridge.calls.observation import Look, merge, newcomers
from bridge.calls.ports import Provider, ProviderFailure, Sight
from bridge.keeper.agenda import Due, Gone
from bridge.keeper.ledger import Ledger
from bridge.keeper.measures import Measures
from bridge.keeper.opening import OPENING_PATIENCE_MS, Opening
from bridge.keeper.ports import Announcements, Doorman
from bridge.keeper.ringing import Ringing
from bridge.keeper.sights import Round, Sights
from bridge.store import calls as store
from bridge.store.calls import CallStore, Conflict
from bridge.store.records import Record

log = structlog.get_logger()

_LOOKS_AT_ONCE = 16
_STALE_RETRY_MS = 3_000
_LOCATED = 10_000


class Reconciler:
    """Brings calls, cards and the SFU together, as often as the agenda asks."""

    def __init__(
        self,
        *,
        works: UnitsOfWork,
        calls: CallStore,
        ledger: Ledger,
        providers: Mapping[str, Provider],
        timings: Timings,
        announcements: Announcements,
        doorman: Doorman,
        clock: Clock,
        token_ttl_ms: Mapping[str, int] | None = None,
    ) -> None:
        self._works = works
        self._calls = calls
        self._ledger = ledger
        self._providers = providers
        self._timings = timings
        self._clock = clock
        self._sights = Sights(providers, clock)
        self.opening = Opening(
            works=works,
            ledger=ledger,
            providers=providers,
            timings=timings,
            announcements=announcements,
            doorman=doorman,
            clock=clock,
        )
        self._measures = Measures(
            works=works,
            ledger=ledger,
            providers=providers,
            timings=timings,
            announcements=announcements,
            clock=clock,
            token_ttl_ms=token_ttl_ms or {},
        )
        self._ringing = Ringing(
            works=works, ledger=ledger, announcements=announcements, doorman=doorman, clock=clock
        )
        self._quick = asyncio.Semaphore(_LOOKS_AT_ONCE)
        # Each provider's trouble is its own, and who waits for a link comes before what may exist one day.
        self._opening = {name: asyncio.Semaphore(_LOOKS_AT_ONCE) for name in providers}
        self._locating = {name: asyncio.Semaphore(_LOOKS_AT_ONCE) for name in providers}
        # Hints may come fast; where a meeting is, is asked on the slow clock all the same.
        self._located: TTLCache[str, None] = TTLCache(_LOCATED, timings.clock_ms * 0.9, timer=clock)

    def before_close(self, callback: Callable[[Call], Awaitable[None]]) -> None:
        """Have something done before a meeting is ended for everybody in it."""
        self._measures.before_close(callback)

    async def look(self, batch: Mapping[str, Gone]) -> dict[str, Due]:
        """Look at some calls together; answers when to look at each again."""
        records = await self._calls.get_many(batch)
        round_ = await self._sights.round(record.call for record in records)
        due: dict[str, Due] = dict.fromkeys(batch)
        quick: list[Record] = []
        for record in records:
            at_once = self._asks_provider(record.call)
            if at_once is not None:
                slowly = self._judged(record, self._look_at(record, batch[record.call.id], round_, at_once))
                due[record.call.id] = asyncio.create_task(slowly, name="slow look")
            else:
                quick.append(record)
        looks = (self._look_at(record, batch[record.call.id], round_, self._quick) for record in quick)
        judged = (self._judged(record, look) for record, look in zip(quick, looks, strict=True))
        answers = await asyncio.gather(*judged, return_exceptions=True)
        for record, answer in zip(quick, answers, strict=True):
            if isinstance(answer, BaseException):
                raise answer
            due[record.call.id] = answer
        return due

    def _asks_provider(self, call: Call) -> asyncio.Semaphore | None:
        """In which queue a look stands that asks where meetings come from, which may take long; else None."""
        if call.state is CallState.OPENING:
            return self._opening.get(call.provider, self._quick)
        return self._locating.get(call.provider) if self._may_be_elsewhere(call) else None

    async def _judged(self, record: Record, look: Awaitable[int | None]) -> int | None:
        """When to look again, whatever became of a look.

        Raises:
            Exception: the database's, when it is away.
        """
        try:
            return await look
        except NotOwner:
            return None
        except Conflict:
            return self._clock()
        except Exception as error:
            if is_outage(error):
                raise
            return await self._look_failed(record, error)

    async def _look_failed(self, record: Record, error: Exception) -> int | None:
        """A defect of ours: what it is about waits, the other calls do not."""
        call, now = record.call, self._clock()
        log.error("call.look_failed", call=call.id, error=place(error))
        if call.state is CallState.OPENING and now >= call.started_ts + OPENING_PATIENCE_MS:
            return await self.opening.fail(record, "internal", place(error))
        return now + self._timings.clock_ms

    async def _look_at(
        self, record: Record, gone: Gone, round_: Round, at_once: asyncio.Semaphore
    ) -> int | None:
        call = record.call
        async with at_once:
            if call.state is CallState.OPENING:
                return await self.opening.open(record)
            if call.state.is_over:
                due = await self._look_back(record, round_)
            elif call.pending:
                return await self._ringing.ring(record) or await self._measures.act(record)
            else:
                look = await round_.look(call)
                call, look = await self._follow(call, look, round_)
                due = await self._settle(record, call, look, gone)
        return round_.together(call, due)

    async def _look_back(self, record: Record, round_: Round) -> int | None:
        """Look at a call that is over."""
        call = record.call
        if call.closing:
            return await self._measures.close(record)
        if call.lingers:
            return await self._linger(record, await round_.look(call))
        if lifecycle.resumable(call, self._clock(), self._timings):
            return await self._maybe_resume(record, await round_.look(call))
        return None

    def _may_be_elsewhere(self, call: Call) -> bool:
        """Whether to ask where a meeting is: it is not ours, and nobody was in when it was last looked at."""
        open_here = call.adopted and not call.unseen and not call.state.is_over
        return open_here and not call.participants and call.id not in self._located

    async def _follow(self, call: Call, look: Look, round_: Round) -> tuple[Call, Look]:
        """Look elsewhere for a meeting that nobody is in: it may be there by now, or have moved."""
        provider = self._providers.get(call.provider)
        nobody = isinstance(look, Sight) and not look.participants
        if provider is None or not nobody or not self._may_be_elsewhere(call):
            return call, look
        self._located[call.id] = None
        try:
            meeting = await provider.locate(call)
        except ProviderFailure as failure:
            log.info("call.not_located", call=call.id, cause=failure.cause)
            return call, look
        if meeting is None:
            return call, look
        found = lifecycle.located(call, meeting)
        if found.sfu_room == call.sfu_room:
            return found, look
        log.info("call.located", call=call.id)
        return found, await round_.look(found)

    async def _settle(self, record: Record, call: Call, look: Look, gone: Gone) -> int | None:
        now = self._clock()
        if isinstance(look, Sight) and call.denied:
            look = await self._measures.turn_away(call, look)
        if isinstance(look, Sight) and look.participants and call.stale_since_ts is not None:
            await self._measures.restore_limits(call)
        came_before: frozenset[str] = frozenset()
        # Asked only where it matters: somebody is new to the roster, and not the first to come.
        if (
            isinstance(look, Sight)
            and call.came
            and {s.identity for s in look.participants} - {p.identity for p in call.visible}
        ):
            came_before = await self._calls.persons(call.id)
        seen = merge(call, look, now, gone=gone, came_before=came_before)
        after = lifecycle.advance(seen, now, self._timings)
        if after.state.is_over:
            # Whoever is still connected, hidden or in the instant of the end, must not stay unseen.
            after = after.but(closing=not after.adopted and not after.unseen)
        due = lifecycle.next_look(after, now, self._timings)
        if after.stale_since_ts is not None and not after.state.is_over:
            due = min(due, now + _STALE_RETRY_MS)
        if after == record.call and not self._ledger.is_behind(record, after):
            return due
        async with self._works.begin(call.room_id) as work:
            _, wait = await self._ledger.save(work, record, after, newcomers(call, seen))
        if after.state is not call.state and not after.state.is_over:
            log.info("call.changed", call=call.id, state=after.state.value, came=after.came)
        if after.closing:
            return now
        due = min(due, now + wait) if wait else due
        return due if due < lifecycle.NEVER else None

    async def _linger(self, record: Record, look: Look) -> int | None:
        """Watch over a meeting that goes on without its room, until it has been empty for the grace."""
        call, now = record.call, self._clock()
        if not isinstance(look, Sight):
            return now + _STALE_RETRY_MS
        if call.denied:
            look = await self._measures.turn_away(call, look)
        inside = any(not seen.hidden for seen in look.participants)
        after = lifecycle.linger(call, inside, now, self._timings)
        if after != call:
            async with self._works.begin(call.room_id) as work:
                await self._ledger.save(work, record, after)
        return now if after.closing else lifecycle.next_look(after, now, self._timings)

    async def _maybe_resume(self, record: Record, look: Look) -> int | None:
        """A new card for people who gather again behind the link of a call that ended by itself."""
        old, now = record.call, self._clock()
        if not isinstance(look, Sight) or all(seen.hidden for seen in look.participants):
            return lifecycle.next_look(old, now, self._timings)
        again = lifecycle.resumed(old, now, new_call_id())
        merged = merge(again, look, now)
        again = lifecycle.advance(merged, now, self._timings)
        async with self._works.begin(old.room_id) as work:
            if not await _welcomes(work):
                # The old link is not followed any more.
                await self._ledger.save(work, record, lifecycle.spent(old))
                return None
            await self._ledger.save(work, record, lifecycle.spent(old))
            await self._ledger.open(work, again)
            await self._ledger.remember(work, again, newcomers(old, merged))
        log.info("call.resumed", call=again.id, before=old.id)
        return None


async def _welcomes(work: UnitOfWork) -> bool:
    """Whether a card that nobody asked for just now may be posted in a room."""
    facts = await work.facts()
    if facts.membership != "join" or facts.is_encrypted or facts.replacement is not None:
        return False
    return await store.current(work.connection, work.room_id) is None


def new_call_id() -> str:
    """A call's id: short enough for a link, long enough not to be guessed or met twice."""
    return secrets.token_urlsafe(9)
