"""A call and its card change together, in one unit of work."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Awaitable, Callable, Iterable

import orjson
import structlog

from appservice.operations import RedactEdits, RedactSlots, SendEvent
from appservice.unit_of_work import UnitOfWork
from bridge.calls.lifecycle import Timings, resumable
from bridge.calls.model import Call, CallState
from bridge.calls.observation import person_key
from bridge.calls.pace import may_edit
from bridge.projections import card as cards
from bridge.store import calls as store
from bridge.store.records import Record, Shown

log = structlog.get_logger()

Styles = Callable[[UnitOfWork, Call], Awaitable[cards.CardStyle]]
"""How the card of a call looks in its room."""

_FOREVER = 253_402_300_799_000


def card_slot(call_id: str) -> str:
    """The outbox slot of a call's card."""
    return f"card:{call_id}"


def named_slot(call_id: str, key: str = "") -> str:
    """The outbox slot of an answer that names people: taken away when the call is over."""
    return f"named:{call_id}:{key}"


class Ledger:
    """Writes calls down, and with each what its card has to say."""

    def __init__(
        self,
        styles: Styles,
        timings: Timings,
        *,
        max_participants: int | None,
        keep_names: bool = False,
    ) -> None:
        self._keep_names = keep_names
        self._styles = styles
        self._timings = timings
        self._max_participants = max_participants
        self._observers: list[Callable[[Call], None]] = []

    def on_stored(self, callback: Callable[[Call], None]) -> None:
        """Call back after each commit with the call as it was stored."""
        self._observers.append(callback)

    async def open(self, work: UnitOfWork, call: Call) -> None:
        """Add a call that begins.

        Raises:
            Conflict: the room has one already.
        """
        shown, _ = await self._show(work, Shown(), call)
        await store.insert(work, call, shown, self._watch_until(call, work.now))
        work.after_commit(lambda: self._tell(call))

    async def save(
        self, work: UnitOfWork, record: Record, after: Call, persons: Iterable[str] = ()
    ) -> tuple[Record, int]:
        """Replace a call; answers the new record, and how long its card has to wait, milliseconds.

        Args:
            work: The unit of work.
            record: The call as it was read.
            after: The call as it has to be.
            persons: Keys of people who have just come in.

        Raises:
            Conflict: somebody else changed the call since it was read.
        """
        if after.state.is_over:
            after = await self._last_names(work, after)
        shown, wait = await self._show(work, record.shown, after)
        until = self._watch_until(after, work.now)
        stored = await store.update(work, record.call, after, shown, until)
        if stored.state.is_over:
            await store.forget_persons(work.connection, stored.id)
        else:
            await self.remember(work, stored, persons)
        if stored.state is CallState.ENDED and not record.call.state.is_over:
            work.after_commit(lambda: _log_end(stored))
        work.after_commit(lambda: self._tell(stored))
        return Record(stored, shown), wait

    async def remember(self, work: UnitOfWork, call: Call, persons: Iterable[str]) -> None:
        """Count people who have just come in; keep who they are only where the administrator wants it."""
        who = {person_key(call.id, p.identity): p for p in call.visible} if self._keep_names else {}
        await store.remember_persons(work.connection, call.id, {key: who.get(key) for key in persons})

    async def _last_names(self, work: UnitOfWork, call: Call) -> Call:
        """A call that is over: attendance does not outlive it, nor does the name of who asked for it."""
        came = await store.attendance(work.connection, call.id) if self._keep_names else ()
        if self._keep_names and not came:
            came = call.participants  # written down with an earlier change after the end
        denied = call.denied if call.lingers else ()
        return call.but(participants=came, started_by_name="", askers=(), pending=(), denied=denied)

    async def untie(self, work: UnitOfWork, record: Record, after: Call) -> None:
        """Replace a call whose card is not ours to write any more."""
        await work.forget(card_slot(record.call.id))
        await self.save(work, Record(record.call, dataclasses.replace(record.shown, untied=True)), after)

    async def redraw(self, work: UnitOfWork, record: Record) -> None:
        """Write the card anew though nothing changed, as after a change of language."""
        stale = dataclasses.replace(record.shown, state="")
        await self.save(work, Record(record.call, stale), record.call)

    async def take_names_away(self, work: UnitOfWork, call: Call) -> None:
        """Redact what names people and stays when somebody has redacted the card: its edits, and answers."""
        if self._keep_names:
            return
        await work.redact_edits(card_slot(call.id))
        await work.write(RedactSlots(named_slot(call.id)))

    async def repost(self, work: UnitOfWork, record: Record, old_room: str) -> None:
        """Post the card of a call that has come to this room from another one, where it is taken away.

        The old room may not let us any more: homeservers close rooms that they replace.
        """
        for slot in (card_slot(record.call.id), named_slot(record.call.id)):
            await work.write(RedactSlots(slot), room_id=old_room)
        await self.save(work, record, record.call)

    def is_behind(self, record: Record, call: Call) -> bool:
        """Whether the card does not yet say what a call has come to."""
        if record.shown.untied or call.state is CallState.OPENING:
            return False
        return self._digests(call) != (record.shown.state, record.shown.roster)

    def _digests(self, call: Call) -> tuple[str, str]:
        return (
            _digest(cards.state_signature(call, self._max_participants)),
            _digest(cards.roster_signature(call)),
        )

    async def _show(self, work: UnitOfWork, shown: Shown, call: Call) -> tuple[Shown, int]:
        if shown.untied or call.state is CallState.OPENING:
            return shown, 0
        state, roster = self._digests(call)
        if (state, roster) == (shown.state, shown.roster):
            return shown, 0
        pace = shown.pace
        if state == shown.state and not await work.waits(card_slot(call.id)):
            # What replaces an edit that has not left yet, as while the homeserver is away, costs nothing.
            allowed, pace, wait = may_edit(pace, work.now, call.count)
            if not allowed:
                return dataclasses.replace(shown, pace=pace), wait
        style = await self._styles(work, call)
        await work.write(
            SendEvent(
                "m.room.message",
                cards.content(cards.project(call, style)),
                first=cards.content(cards.project(call, style, first=True)),
            ),
            slot=card_slot(call.id),
        )
        if call.state is CallState.ENDED and style.names != "keep":
            await work.write(RedactEdits(card_slot(call.id)))
            await work.write(RedactSlots(named_slot(call.id)))
        return Shown(state, roster, pace), 0

    def _watch_until(self, call: Call, now: int) -> int:
        if not call.state.is_over or call.closing or call.lingers:
            return _FOREVER
        if resumable(call, now, self._timings):
            return (call.ended_ts or now) + self._timings.resume_window_ms
        return 0

    def _tell(self, call: Call) -> None:
        for observer in self._observers:
            observer(call)


def _log_end(call: Call) -> None:
    lasted_ms = (call.ended_ts or 0) - (call.first_join_ts or call.started_ts)
    reason = call.end_reason.value if call.end_reason else None
    log.info(
        "call.ended",
        call=call.id,
        reason=reason,
        lasted_s=max(0, lasted_ms) // 1000,
        came=call.came,
        adopted=call.adopted,
    )


def _digest(signature: tuple[object, ...]) -> str:
    # A digest, so that no name is kept longer than the call's own roster.
    return hashlib.sha256(orjson.dumps(signature, default=list)).hexdigest()[:24]
