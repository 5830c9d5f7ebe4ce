"""What happens in rooms that matters to their native calls: memberships come and go, people leave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from appservice.events import Event
from appservice.namespace import Namespace
from appservice.rooms import RoomFacts
from appservice.unit_of_work import UnitOfWork
from bridge.calls.model import CallState
from bridge.commands.open import new_call
from bridge.keeper.ledger import Ledger
from bridge.policy import Policy, Right
from bridge.rtc.membership import MEMBER_TYPE, Membership, read, read_sticky, storage_key
from bridge.store import calls, natives

log = structlog.get_logger()

Out = Callable[[str, str], None]
"""``(room_id, user_id)``: somebody is no longer in a room."""

Changed = Callable[[str], None]
"""``(room_id)``: who takes part in a room's native call has changed."""


GhostOut = Callable[[str, UnitOfWork], Awaitable[None]]
"""``(user_id, work)``: a ghost was put out of the work's room."""


@dataclass(frozen=True, slots=True)
class Opener:
    """How a native call opens a meeting by itself (``rtc.open: always``).

    Attributes:
        policy: Who may open meetings.
        provider: Name of the provider of new calls.
        service_url: Native calls that publish elsewhere are none of the bridge's.
    """

    policy: Policy
    provider: str
    service_url: str


class NativeRooms:
    """Notes who takes part in native calls, and keeps out of them who left the room."""

    def __init__(
        self, ledger: Ledger, namespace: Namespace, ghost_out: GhostOut, opener: Opener | None = None
    ) -> None:
        """Nothing is heard yet.

        Args:
            ledger: Writes calls down.
            namespace: Who is ours.
            ghost_out: Told of ghosts that were put out of rooms.
            opener: Whom a native call opens a meeting for; None: only commands open meetings.
        """
        self._ghost_out = ghost_out
        self._opener = opener
        self._ledger = ledger
        self._namespace = namespace
        self._out: list[Out] = []
        self._changed: list[Changed] = []

    def on_out(self, callback: Out) -> None:
        """Call back after each commit by which somebody is out of a room."""
        self._out.append(callback)

    def on_changed(self, callback: Changed) -> None:
        """Call back after each commit by which a native call has others in it."""
        self._changed.append(callback)

    async def membership(self, event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        """Somebody takes part in the room's native call, or no longer does."""
        key = storage_key(event.type, event.state_key, event.sender, event.content)
        if key is None or facts.membership != "join":
            return
        before = await self._people(work)
        native = native_of(event)
        # Only the first one: a meeting that was ended is not opened again for those who stayed.
        is_first = not before and native is not None and native.until_ts > work.now
        if native is not None and is_first and self._opener is not None and not facts.is_encrypted:
            await self._open_for(native, self._opener, work)
        await natives.put(work.connection, work.room_id, key, native)
        await self._count_on_card(work, before)
        work.after_commit(lambda: _tell(self._changed, event.room_id))

    async def _count_on_card(self, work: UnitOfWork, before: set[str]) -> None:
        """In an encrypted room the card says how many are in the native call, which stays apart."""
        record = await calls.current(work.connection, work.room_id)
        if record is None or not record.call.encrypted_room or record.call.state is CallState.OPENING:
            return
        if len(await self._people(work)) != len(before):
            await self._ledger.redraw(work, record)

    async def _people(self, work: UnitOfWork) -> set[str]:
        inside = await natives.of_room(work.connection, work.room_id, work.now)
        return {each.user_id for each in inside}

    async def _open_for(self, native: Membership, opener: Opener, work: UnitOfWork) -> None:
        """The first participant of a native call opens the room's meeting."""
        if native.service_url != opener.service_url or opener.policy.right_of(native.user_id) < Right.START:
            return
        if await calls.current(work.connection, work.room_id) is None:
            call = new_call(work, by=native.user_id, provider=opener.provider)
            log.info("native.opens", call=call.id)
            await self._ledger.open(work, call)

    async def member(self, event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        """Somebody left, was kicked or banned: they are put out of the call, and stay out until it ends."""
        user_id = event.state_key
        if user_id is None or event.content.get("membership") not in ("leave", "ban"):
            return
        if self._namespace.is_ours(user_id):
            await self._ghost_out(user_id, work)
            return
        await natives.forget_user(work.connection, work.room_id, user_id)
        record = await calls.current(work.connection, work.room_id)
        if record is not None and user_id not in record.call.denied:
            inside = any(person.user_id == user_id for person in record.call.participants)
            # Who declines an invitation may still come in later.
            if inside or event.sender != user_id:
                log.info("native.denied", call=record.call.id)
                after = record.call.but(denied=(*record.call.denied, user_id))
                await self._ledger.save(work, record, after)
        work.after_commit(lambda: _tell(self._out, event.room_id, user_id))


def native_of(event: Event) -> Membership | None:
    """What a membership event says; None if it ends a membership."""
    understood = read if event.type == MEMBER_TYPE else read_sticky
    return understood(event.content, sender=event.sender, sent_ts=event.origin_ts, now=event.received_ts)


def _tell(callbacks: list[Callable[..., None]], *about: str) -> None:
    for callback in callbacks:
        callback(*about)
