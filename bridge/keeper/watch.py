"""Which calls are watched, by whom, and which hint is about which of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import structlog

from appservice.bus import Bus
from appservice.clock import Clock
from appservice.ownership import Ownership
from appservice.sharding import SHARDS, shard_of
from bridge.calls.lifecycle import Timings, resumable
from bridge.calls.model import Call
from bridge.keeper.agenda import Agenda
from bridge.store.calls import CallStore, Watched

log = structlog.get_logger()

_REFRESH_S = 20.0
_STAGGER_MS = 2_000
_ARRIVAL_MS = 1_500


class Watch:
    """Knows every watched call by its SFU room, whoever owns it; feeds the agenda with our own."""

    def __init__(
        self, calls: CallStore, agenda: Agenda, ownership: Ownership, bus: Bus, clock: Clock, timings: Timings
    ) -> None:
        self._calls = calls
        self._agenda = agenda
        self._ownership = ownership
        self._bus = bus
        self._clock = clock
        self._timings = timings
        self._by_sfu_room: dict[str, dict[str, int]] = {}
        self._rooms_of: dict[str, str | None] = {}
        self._task: asyncio.Task[None] | None = None
        self._refresh_now = asyncio.Event()
        ownership.on_gained(lambda _shards: self._refresh_now.set())
        bus.subscribe("look", self._hinted_elsewhere)
        bus.subscribe("call", self._changed_elsewhere)

    def __len__(self) -> int:
        return len(self._rooms_of)

    async def start(self) -> None:
        """Read what there is to watch, and go on reading it now and then."""
        await self._refresh()
        self._task = asyncio.create_task(self._refreshing(), name="watch")

    async def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def is_ours(self, sfu_room: str) -> bool:
        """Whether a watched call has this SFU room."""
        return sfu_room in self._by_sfu_room

    def hint_room(self, sfu_room: str, gone: Iterable[str] = ()) -> None:
        """Something happened in an SFU room: look at its calls."""
        for call_id, shard in self._by_sfu_room.get(sfu_room, {}).items():
            self._hint(call_id, shard, gone)

    def expect(self, call: Call) -> None:
        """Somebody was given a token: they will be in the call in a moment, webhook or not."""
        if shard_of(call.room_id) in self._ownership.held:
            self._agenda.at(call.id, self._clock() + _ARRIVAL_MS)
        else:
            self._bus.publish("look", {"id": call.id, "shard": shard_of(call.room_id), "gone": []})

    def stored(self, call: Call) -> None:
        """A call of ours was committed: watch it from now on, or stop; look at it at once if need be."""
        if not self._is_watched(call, self._clock()):
            self._remove(call.id)
            self._agenda.drop(call.id)
            return
        if self._add(call.id, call.sfu_room, shard_of(call.room_id)):
            self._bus.publish("call", {"id": call.id, "sfu_room": call.sfu_room, "room_id": call.room_id})
        if call.version == 0 or call.closing or call.pending:
            self._agenda.hint(call.id)

    def _is_watched(self, call: Call, now: int) -> bool:
        going_on = not call.state.is_over or call.closing or call.lingers
        return going_on or resumable(call, now, self._timings)

    def _hint(self, call_id: str, shard: int, gone: Iterable[str]) -> None:
        if shard in self._ownership.held:
            self._agenda.hint(call_id, gone)
        else:
            self._bus.publish("look", {"id": call_id, "shard": shard, "gone": list(gone)})

    def _hinted_elsewhere(self, hint: Mapping[str, Any]) -> None:
        if hint.get("shard") in self._ownership.held:
            self._agenda.hint(str(hint["id"]), hint.get("gone", ()))

    def _changed_elsewhere(self, hint: Mapping[str, Any]) -> None:
        # What the change was is read with the next refresh; a new SFU room must be known before its
        # first webhook.
        if hint.get("sfu_room"):
            self._add(str(hint["id"]), str(hint["sfu_room"]), shard_of(str(hint["room_id"])))

    def _add(self, call_id: str, sfu_room: str | None, shard: int) -> bool:
        """Index a call by its SFU room; answers whether that is news."""
        if sfu_room is None:
            self._rooms_of.setdefault(call_id)
            return False
        if self._rooms_of.get(call_id) == sfu_room:
            self._by_sfu_room[sfu_room][call_id] = shard
            return False
        self._remove(call_id)
        self._rooms_of[call_id] = sfu_room
        self._by_sfu_room.setdefault(sfu_room, {})[call_id] = shard
        return True

    def _remove(self, call_id: str) -> None:
        sfu_room = self._rooms_of.pop(call_id, None)
        if sfu_room is not None:
            others = self._by_sfu_room[sfu_room]
            del others[call_id]
            if not others:
                del self._by_sfu_room[sfu_room]

    async def _refreshing(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_REFRESH_S):
                    await self._refresh_now.wait()
            except TimeoutError:
                pass
            self._refresh_now.clear()
            try:
                await self._refresh()
            except Exception as error:
                log.warning("watch.refresh_failed", error=type(error).__name__)
                await asyncio.sleep(1)
                self._refresh_now.set()

    async def _refresh(self) -> None:
        now = self._clock()
        # A call that is stored while we read is not in what we read, but watched all the same.
        before = set(self._rooms_of)
        watched = await self._calls.watched(now)
        for call_id in before - {w.call_id for w in watched}:
            self._remove(call_id)
        held = self._ownership.held
        for item in watched:
            self._add(item.call_id, item.sfu_room, item.shard)
            if item.shard not in held:
                self._agenda.drop(item.call_id)
            elif item.call_id not in self._agenda:
                self._agenda.at(item.call_id, now + self._stagger(item, len(watched)))

    def _stagger(self, item: Watched, total: int) -> int:
        # Spread over two seconds, so that a restart with thousands of calls is a stream and not a burst.
        return 0 if total < 50 else _STAGGER_MS * item.shard // SHARDS
