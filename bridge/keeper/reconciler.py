"""Looks at calls and writes the difference: what the SFU says, and what follows from it.

Level-triggered: a look needs no memory of what hinted at it. Looking is network I/O and happens outside
of any transaction; what it found is written in one, which fails with `Conflict` if the call changed in
between, and then it is looked at again.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Protocol

import structlog

from appservice.clock import Clock
from appservice.database import is_outage
from appservice.faults import place
from appservice.ownership import NotOwner
from appservice.unit_of_work import UnitOfWork, UnitsOfWork
from appservice.worker import reference
from bridge.calls import lifecycle
from bridge.calls.lifecycle import Timings
from bridge.calls.model import Action, ActionKind, Call, CallState, EndReason
from bridge.calls.observation import UNREACHABLE, Look, merge, newcomers
from bridge.calls.ports import Provider, ProviderFailure, Seen, SfuUnreachable
from bridge.keeper.agenda import Gone
from bridge.keeper.ledger import Ledger
from bridge.store import calls as store
from bridge.store.calls import CallStore, Conflict
from bridge.store.records import Record

log = structlog.get_logger()

OPENING_PATIENCE_MS = 60_000
"""How long the bridge keeps trying to open a meeting before it says that it cannot."""

_OPENING_RETRY_MS = 3_000
_CLOSING_RETRY_MS = 5_000
_LOOKS_AT_ONCE = 16
_STALE_RETRY_MS = 3_000
_SILENCE_MS = 2_000

_ACTION_PATIENCE_MS = 30_000
_ACTION_RETRY_MS = 2_000


class Announcements(Protocol):
    """What the reconciler says in a room beside the card; the words are the application's."""

    async def opened(self, work: UnitOfWork, call: Call) -> None:
        """A meeting is open: whoever asked elsewhere than in the card's timeline gets the link."""

    async def waiting(self, work: UnitOfWork, call: Call) -> None:
        """Opening takes longer than usual."""

    async def not_allowed(self, work: UnitOfWork, call: Call) -> None:
        """The one who asked may not open a meeting in this room."""

    async def acted(self, work: UnitOfWork, call: Call, action: Action, done: bool) -> None:
        """Somebody was muted or put out, or could not be."""


class Doorman(Protocol):
    """Questions about a room that only the homeserver can answer. Never raises."""

    async def name_of(self, room_id: str, user_id: str) -> str:
        """The display name of a user in a room; something readable if nobody knows."""

    async def may_open(self, room_id: str, user_id: str) -> bool:
        """Whether a room's size lets this user open a meeting in it."""


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
        token_ttl_ms: int = 0,
    ) -> None:
        self._works = works
        self._calls = calls
        self._ledger = ledger
        self._providers = providers
        self._timings = timings
        self._announcements = announcements
        self._doorman = doorman
        self._token_ttl_ms = token_ttl_ms
        self._clock = clock
        self._at_once = asyncio.Semaphore(_LOOKS_AT_ONCE)
        self._silent_until = 0

    async def look(self, batch: Mapping[str, Gone]) -> dict[str, int | None]:
        """Look at some calls together; answers when to look at each again."""
        records = await self._calls.get_many(batch)
        quiet = await self._quiet(records)
        answers = await asyncio.gather(
            *(self._look_at(record, batch[record.call.id], quiet) for record in records),
            return_exceptions=True,
        )
        due: dict[str, int | None] = dict.fromkeys(batch)
        for record, answer in zip(records, answers, strict=True):
            if isinstance(answer, NotOwner):
                continue
            if isinstance(answer, Conflict):
                due[record.call.id] = self._clock()
            elif isinstance(answer, Exception) and not is_outage(answer):
                due[record.call.id] = await self._look_failed(record, answer)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                due[record.call.id] = answer
        return due

    async def _look_failed(self, record: Record, error: Exception) -> int | None:
        """A defect of ours: what it is about waits, the other calls do not."""
        call, now = record.call, self._clock()
        log.error("call.look_failed", call=call.id, error=place(error))
        if call.state is CallState.OPENING and now >= call.started_ts + OPENING_PATIENCE_MS:
            return await self._fail(record, "internal", place(error))
        return now + self._timings.clock_ms

    async def _quiet(self, records: Sequence[Record]) -> frozenset[str]:
        """Ids of calls that nobody can be in: one question for many, where one each would be a flood."""
        candidates: dict[str, list[Call]] = {}
        for record in records:
            call = record.call
            if not call.participants and not call.closing and call.state is not CallState.OPENING:
                candidates.setdefault(call.provider, []).append(call)
        quiet: set[str] = set()
        for name, calls in candidates.items():
            if len(calls) < 2 or name not in self._providers:
                continue
            try:
                occupied = await self._providers[name].occupied(tuple(calls))
            except SfuUnreachable:
                self._silent_until = self._clock() + _SILENCE_MS
                continue
            quiet.update(call.id for call in calls if call.id not in occupied)
        return frozenset(quiet)

    async def _look_at(self, record: Record, gone: Gone, quiet: frozenset[str]) -> int | None:
        call = record.call
        async with self._at_once:
            if call.state is CallState.OPENING:
                return await self._open(record)
            if call.closing:
                return await self._close(record)
            if call.state.is_over and not lifecycle.resumable(call, self._clock(), self._timings):
                return None
            if call.pending:
                return await self._act(record)
            look = () if call.id in quiet else await self._who(call)
            if call.state.is_over:
                return await self._maybe_resume(record, look)
            return await self._settle(record, look, gone)

    async def _who(self, call: Call) -> Look:
        provider = self._providers.get(call.provider)
        # Without a provider it was taken out of the settings. And an SFU that has just been silent is not
        # asked again for each of a thousand calls: its time-outs would add up to minutes.
        if provider is None or self._clock() < self._silent_until:
            return UNREACHABLE
        try:
            return await provider.who(call)
        except SfuUnreachable:
            self._silent_until = self._clock() + _SILENCE_MS
            return UNREACHABLE

    async def _settle(self, record: Record, look: Look, gone: Gone) -> int | None:
        call, now = record.call, self._clock()
        if isinstance(look, tuple) and call.denied:
            look = await self._turn_away(call, look)
        if isinstance(look, tuple) and look and call.stale_since_ts is not None:
            await self._restore_limits(call)
        came_before: frozenset[str] = frozenset()
        # Asked only where it matters: somebody is new to the roster, and not the first to come.
        if (
            isinstance(look, tuple)
            and call.came
            and {s.identity for s in look} - {p.identity for p in call.visible}
        ):
            came_before = await self._calls.persons(call.id)
        seen = merge(call, look, now, gone=gone, came_before=came_before)
        after = lifecycle.advance(seen, now, self._timings)
        if after.state.is_over:
            # Whoever is still connected, hidden or in the instant of the end, must not stay unseen.
            after = after.but(closing=not after.adopted)
        due = lifecycle.next_look(after, now, self._timings)
        if after.stale_since_ts is not None and not after.state.is_over:
            due = min(due, now + _STALE_RETRY_MS)
        if after == call and not self._ledger.is_behind(record, after):
            return due
        async with self._works.begin(call.room_id) as work:
            _, wait = await self._ledger.save(work, record, after, newcomers(call, seen))
        if after.state is not call.state:
            log.info("call.changed", call=call.id, state=after.state.value, came=after.came)
        if after.closing:
            return now
        return min(due, now + wait) if wait else due

    async def _open(self, record: Record) -> int | None:
        call, now = record.call, self._clock()
        provider = self._providers.get(call.provider)
        if provider is None:
            return await self._fail(record, "misconfigured", f"no provider {call.provider}")
        if not await self._doorman.may_open(call.room_id, call.started_by):
            return await self._refuse(record)
        opening, name = await asyncio.gather(
            provider.open(call),
            self._doorman.name_of(call.room_id, call.started_by),
            return_exceptions=True,
        )
        if isinstance(opening, ProviderFailure):
            log.warning("call.not_opened", call=call.id, cause=opening.cause, advice=opening.advice)
            if not opening.retry or now >= call.started_ts + OPENING_PATIENCE_MS:
                return await self._fail(record, opening.cause, opening.advice)
            return await self._keep_trying(record)
        if isinstance(opening, BaseException):
            raise opening
        opened = lifecycle.opened(call, opening)
        opened = opened.but(askers=(), started_by_name=name if isinstance(name, str) else call.started_by)
        async with self._works.begin(call.room_id) as work:
            await self._ledger.save(work, record, opened)
            await self._announcements.opened(work, opened.but(askers=call.askers))
        log.info("call.opened", call=call.id, provider=call.provider)
        return lifecycle.next_look(opened, self._clock(), self._timings)

    async def _keep_trying(self, record: Record) -> int:
        if not record.call.warned:
            async with self._works.begin(record.call.room_id) as work:
                await self._ledger.save(work, record, record.call.but(warned=True))
                await self._announcements.waiting(work, record.call)
        return self._clock() + _OPENING_RETRY_MS

    async def _fail(self, record: Record, cause: str, advice: str) -> int | None:
        call = record.call
        ref = call.reference or reference(call.id)
        failed = lifecycle.fail(call, cause, ref, self._clock())
        log.error("call.failed", call=call.id, ref=ref, cause=cause, advice=advice)
        async with self._works.begin(call.room_id) as work:
            await self._ledger.save(work, record, failed)
        return None

    async def _refuse(self, record: Record) -> int | None:
        """The room does not want this call: no card, one answer."""
        call = record.call
        async with self._works.begin(call.room_id) as work:
            await self._ledger.untie(work, record, lifecycle.end(call, work.now, EndReason.UNTIED))
            await self._announcements.not_allowed(work, call)
        return None

    async def _restore_limits(self, call: Call) -> None:
        """After an outage: for people who came back by themselves LiveKit made the room without limits."""
        with contextlib.suppress(SfuUnreachable):
            await self._providers[call.provider].prepare(call)

    async def _turn_away(self, call: Call, look: tuple[Seen, ...]) -> tuple[Seen, ...]:
        """Put out again whom an organiser has put out: a token cannot be revoked."""
        provider = self._providers[call.provider]
        for seen in look:
            if seen.identity in call.denied:
                try:
                    await provider.remove(call, seen.identity)
                except SfuUnreachable:
                    break  # the next look tries again
        return tuple(seen for seen in look if seen.identity not in call.denied)

    async def _act(self, record: Record) -> int | None:
        """Do the oldest thing that an organiser asked for, and answer."""
        call, now = record.call, self._clock()
        action, *later = call.pending
        provider = self._providers.get(call.provider)
        try:
            if provider is not None and action.kind is ActionKind.MUTE:
                await provider.mute(call, action.identity)
            elif provider is not None:
                await provider.remove(call, action.identity)
            done = provider is not None
        except SfuUnreachable:
            if now < action.asked_ts + _ACTION_PATIENCE_MS:
                return now + _ACTION_RETRY_MS
            done = False
        after = call.but(pending=tuple(later))
        if done and action.kind is ActionKind.KICK:
            left = tuple(p for p in call.participants if p.identity != action.identity)
            after = after.but(denied=(*call.denied, action.identity), participants=left)
        async with self._works.begin(call.room_id) as work:
            await self._ledger.save(work, record, after)
            await self._announcements.acted(work, call, action, done)
        return now

    async def _close(self, record: Record) -> int | None:
        call = record.call
        provider = self._providers.get(call.provider)
        try:
            if provider is not None:
                await provider.close(call)
        except SfuUnreachable:
            return self._clock() + _CLOSING_RETRY_MS
        # A guest's token can make the room again while it is good; a meeting that was ended stays ended.
        tokens_die = (call.ended_ts or 0) + self._token_ttl_ms
        if self._clock() < tokens_die and not lifecycle.resumable(call, self._clock(), self._timings):
            return tokens_die
        closed = call.but(closing=False)
        async with self._works.begin(call.room_id) as work:
            await self._ledger.save(work, record, closed)
        if lifecycle.resumable(closed, self._clock(), self._timings):
            return lifecycle.next_look(closed, self._clock(), self._timings)
        return None

    async def _maybe_resume(self, record: Record, look: Look) -> int | None:
        """A new card for people who gather again behind the link of a call that ended by itself."""
        old, now = record.call, self._clock()
        if not isinstance(look, tuple) or not any(not seen.hidden for seen in look):
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
