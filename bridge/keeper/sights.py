"""Asks the SFU who is in which meeting, with as few questions as will do.

Calls are looked at in batches. Within one, each SFU room is asked about once, however many Matrix rooms
follow the meeting in it, and rooms that nobody can be in are found with one question for all. No room is
asked about that no call names: the SFU may be shared, and its other meetings are none of our business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from appservice.clock import Clock
from bridge.calls.model import Call, CallState
from bridge.calls.observation import UNREACHABLE, Look
from bridge.calls.ports import Provider, SfuUnreachable, Sight

_SILENCE_MS = 2_000

_Place = tuple[str, str]
"""Provider and SFU room."""


class Sights:
    """Begins rounds of looks, and remembers between them that the SFU was silent."""

    def __init__(self, providers: Mapping[str, Provider], clock: Clock) -> None:
        self._providers = providers
        self._clock = clock
        self._silent_until = 0

    async def round(self, calls: Iterable[Call]) -> Round:
        """A round of looks at some calls."""
        return Round(self, await self._quiet(calls))

    async def ask(self, call: Call) -> Look:
        """Ask about one call."""
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

    async def _quiet(self, calls: Iterable[Call]) -> frozenset[_Place]:
        """SFU rooms that nobody can be in: one question for many, where one each would be a flood."""
        candidates: dict[str, dict[str, Call]] = {}
        for call in calls:
            asked_alone = call.participants or call.closing or call.pending
            if call.sfu_room is not None and not asked_alone and call.state is not CallState.OPENING:
                candidates.setdefault(call.provider, {})[call.sfu_room] = call
        quiet: set[_Place] = set()
        for name, by_room in candidates.items():
            if len(by_room) < 2 or name not in self._providers:
                continue
            try:
                occupied = await self._providers[name].occupied(tuple(by_room.values()))
            except SfuUnreachable:
                self._silent_until = self._clock() + _SILENCE_MS
                continue
            quiet.update((name, room) for room, call in by_room.items() if call.id not in occupied)
        return frozenset(quiet)


class Round:
    """One batch's looks: each SFU room once."""

    def __init__(self, sights: Sights, quiet: frozenset[_Place]) -> None:
        self._sights = sights
        self._quiet = quiet
        self._asked: dict[_Place, asyncio.Task[Look]] = {}
        self._due: dict[_Place, int] = {}

    async def look(self, call: Call) -> Look:
        """Who is in a call's meeting, and what goes on in it.

        Nobody, if the meeting does not exist yet, or if nobody can tell.
        """
        if call.sfu_room is None or call.unseen:
            return Sight()
        place = (call.provider, call.sfu_room)
        if place in self._quiet:
            return Sight()
        task = self._asked.get(place)
        if task is None:
            task = self._asked[place] = asyncio.create_task(self._sights.ask(call), name="ask")
        return await task

    def together(self, call: Call, due: int | None) -> int | None:
        """When to look at a call again, so that the next look at its SFU room is one question as well.

        Args:
            call: A call of this round.
            due: When it has to be looked at again at the latest.
        """
        if due is None or call.sfu_room is None:
            return due
        return min(due, self._due.setdefault((call.provider, call.sfu_room), due))
