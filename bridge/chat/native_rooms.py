"""What happens in rooms that matters to their native calls: memberships come and go, people leave."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from appservice.events import Event
from appservice.namespace import Namespace
from appservice.rooms import RoomFacts
from appservice.unit_of_work import UnitOfWork
from bridge.keeper.ledger import Ledger
from bridge.store import calls, natives
from bridge.store.natives import Native

log = structlog.get_logger()

_DEFAULT_EXPIRY_MS = 4 * 3_600_000
_LONGEST_EXPIRY_MS = 24 * 3_600_000

Out = Callable[[str, str], None]
"""``(room_id, user_id)``: somebody is no longer in a room."""

Changed = Callable[[str], None]
"""``(room_id)``: who takes part in a room's native call has changed."""


class NativeRooms:
    """Notes who takes part in native calls, and keeps out of them who left the room."""

    def __init__(self, ledger: Ledger, namespace: Namespace) -> None:
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
        if event.state_key is None or facts.membership != "join":
            return
        await natives.put(work.connection, work.room_id, event.state_key, native_of(event))
        work.after_commit(lambda: _tell(self._changed, event.room_id))

    async def member(self, event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        """Somebody left, was kicked or banned: they are put out of the call, and stay out until it ends."""
        user_id = event.state_key
        if user_id is None or event.content.get("membership") not in ("leave", "ban"):
            return
        if self._namespace.is_ours(user_id):
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


def native_of(event: Event) -> Native | None:
    """What a membership event says; None if it ends a membership, or is not one of the room's call."""
    content = event.content
    device_id, expires, created = (content.get(key) for key in ("device_id", "expires", "created_ts"))
    if content.get("application") != "m.call" or content.get("call_id") != "":
        return None
    if not isinstance(device_id, str) or not device_id:
        return None
    since = created if type(created) is int else event.origin_ts
    lasts = expires if type(expires) is int and expires > 0 else _DEFAULT_EXPIRY_MS
    # The sender's clock may be wrong, and what nobody renews must end some day.
    until = min(since + lasts, event.received_ts + _LONGEST_EXPIRY_MS)
    return Native(event.sender, device_id, str(content.get("service_url", "")), until)


def _tell(callbacks: list[Callable[..., None]], *about: str) -> None:
    for callback in callbacks:
        callback(*about)
