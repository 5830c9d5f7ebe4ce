"""What is done in the SFU: somebody is muted or put out, a meeting is ended for everybody in it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Awaitable, Callable, Mapping

from appservice.clock import Clock
from appservice.unit_of_work import UnitsOfWork
from bridge.calls import lifecycle
from bridge.calls.lifecycle import Timings
from bridge.calls.model import ActionKind, Call
from bridge.calls.ports import Provider, Seen, SfuUnreachable, Sight
from bridge.keeper.ledger import Ledger
from bridge.keeper.ports import Announcements
from bridge.store.records import Record

_CLOSING_RETRY_MS = 5_000
_ACTION_PATIENCE_MS = 30_000
_ACTION_RETRY_MS = 2_000


class Measures:
    """Takes measures, until they are done or it is too late for them.

    Args:
        works: Units of work.
        ledger: Writes calls down.
        providers: By name.
        timings: How long things last.
        announcements: What is said about it.
        clock: The time.
        token_ttl_ms: How long a token can make a provider's meeting again after it was ended, by provider;
            for that long it is ended on sight. None where people may meet again behind the same link.
    """

    def __init__(
        self,
        *,
        works: UnitsOfWork,
        ledger: Ledger,
        providers: Mapping[str, Provider],
        timings: Timings,
        announcements: Announcements,
        clock: Clock,
        token_ttl_ms: Mapping[str, int],
    ) -> None:
        self._works = works
        self._ledger = ledger
        self._providers = providers
        self._timings = timings
        self._announcements = announcements
        self._clock = clock
        self._token_ttl_ms = token_ttl_ms
        self._before_close: list[Callable[[Call], Awaitable[None]]] = []

    def before_close(self, callback: Callable[[Call], Awaitable[None]]) -> None:
        """Have something done before a meeting is ended for everybody in it."""
        self._before_close.append(callback)

    async def restore_limits(self, call: Call) -> None:
        """After an outage: for people who came back by themselves LiveKit made the room without limits."""
        with contextlib.suppress(SfuUnreachable):
            await self._providers[call.provider].prepare(call)

    async def turn_away(self, call: Call, look: Sight) -> Sight:
        """Put out again whom an organiser has put out: a token cannot be revoked."""
        provider = self._providers[call.provider]
        for seen in look.participants:
            if _is_denied(seen, call):
                try:
                    await provider.remove(call, seen.identity)
                except SfuUnreachable:
                    break  # the next look tries again
        staying = tuple(seen for seen in look.participants if not _is_denied(seen, call))
        return dataclasses.replace(look, participants=staying)

    async def act(self, record: Record) -> int | None:
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

    async def close(self, record: Record) -> int | None:
        """End the meeting of a call that is over, if it is ours to end."""
        call = record.call
        provider = self._providers.get(call.provider)
        ours = not call.adopted and not call.unseen
        try:
            if provider is not None and ours:
                for callback in self._before_close:
                    await callback(call)
                await provider.close(call)
        except SfuUnreachable:
            return self._clock() + _CLOSING_RETRY_MS
        # A guest's token can make the room again while it is good; a meeting that was ended stays ended.
        tokens_die = (call.ended_ts or 0) + self._token_ttl_ms.get(call.provider, 0)
        if ours and self._clock() < tokens_die and not self._resumable(call):
            return tokens_die
        closed = call.but(closing=False)
        async with self._works.begin(call.room_id) as work:
            await self._ledger.save(work, record, closed)
        if self._resumable(closed):
            return lifecycle.next_look(closed, self._clock(), self._timings)
        return None

    def _resumable(self, call: Call) -> bool:
        return lifecycle.resumable(call, self._clock(), self._timings)


def _is_denied(seen: Seen, call: Call) -> bool:
    """Whether somebody was put out: as that participant, or as the Matrix user that they are."""
    return seen.identity in call.denied or (seen.user_id is not None and seen.user_id in call.denied)
