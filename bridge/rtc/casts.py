"""Who is shown as whom in the native call of each meeting, kept in memory for the gateway.

What is stored decides (`bridge.projections.memberships`, `bridge.rtc.natives`), so that every replica
translates alike.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Mapping
from typing import Any

from appservice.bus import Bus
from bridge.calls.model import Call, ParticipantKind
from bridge.providers.livekit import matrix_user
from bridge.rtc.natives import Natives
from bridge.rtc.ports import Memberships

ShownOf = Callable[[str], Awaitable[Mapping[str, str | None]]]
"""Reads, by a call's id, as whom each participant is shown; None for those who are not."""

Changed = Callable[[str], None]
"""``(call_id)``: people of that call may be shown as somebody else; `Casts.refresh` says where they are."""


class Cast:
    """Fills `bridge.rtc.names.Names` for one call.

    Attributes:
        room_id: The Matrix room whose native call it is.
        sfu_room: Where the call takes place.
        natives: Under which identities the native participants are known.
    """

    def __init__(self, call: Call) -> None:
        self.natives = Natives()
        self._shown: Mapping[str, str | None] = {}
        self._real: Mapping[str, str] = {}
        self.see(call)

    def shown(self, identity: str) -> str | None:
        """See `Names`. Somebody of whom nothing is stored yet is seen once there is."""
        if identity in self._shown:
            return self._shown[identity]
        native = matrix_user(identity) is not None and identity not in self._strangers
        # A native participant, unless the SFU's own word is that they only call themselves so.
        if not native or identity in self._real:
            return None
        return self.natives.shown(identity)

    def real(self, identity: str) -> str:
        """See `Names`."""
        return self._real.get(identity) or self.natives.real(identity)

    def learn(self, shown: Mapping[str, str | None]) -> None:
        """Replace what is known of the people who are no native participants."""
        self._shown = dict(shown)
        self._real = {face: identity for identity, face in shown.items() if face is not None}

    def see(self, call: Call) -> None:
        """Note who is in, as the call has it."""
        self.room_id = call.room_id
        self.sfu_room = call.sfu_room
        self._strangers: Container[str] = frozenset(
            person.identity for person in call.participants if person.kind is not ParticipantKind.MATRIX
        )


class Casts:
    """The casts of the calls that this process has connections of."""

    def __init__(self, read: ShownOf, noted: Memberships, bus: Bus) -> None:
        """Nobody is known yet.

        Args:
            read: Reads the faces that are stored.
            noted: The memberships that were noted of rooms.
            bus: Tells the other replicas what only one of them hears.
        """
        self._read = read
        self._noted = noted
        self._bus = bus
        self._known: dict[str, Cast] = {}
        self._changed: list[Changed] = []
        bus.subscribe("hashed", self._hashed_elsewhere)
        bus.subscribe("plain", self._plain_elsewhere)
        bus.subscribe("natives", lambda hint: self._look_again(str(hint["room_id"])))

    def on_changed(self, callback: Changed) -> None:
        """Call back when native participants may be known under another identity."""
        self._changed.append(callback)

    async def of(self, call: Call) -> Cast:
        """The cast of a call, the same object as long as the call goes on."""
        cast = self._known.get(call.id)
        if cast is None:
            made = Cast(call)
            await self._fill(call.id, made)
            cast = self._known.setdefault(call.id, made)
        return cast

    async def of_somebody(self, call: Call, plain: str, identity: str) -> Cast:
        """The cast of a call that somebody is about to come into.

        Args:
            call: The call.
            plain: Who they are in its SFU room.
            identity: Who they asked to be for clients: the same, or a sticky membership's hash.
        """
        cast = await self.of(call)
        if plain == identity:
            self.asked_plainly(call.room_id, plain)
        elif cast.natives.asked(plain, identity):
            self._bus.publish("hashed", {"id": call.id, "plain": plain, "hashed": identity})
            self._tell(call.id)
        return cast

    def asked_plainly(self, room_id: str, plain: str) -> None:
        """A device has asked ``/sfu/get``, which only those do whose membership is a state event."""
        if self._is_plain(room_id, plain) or not self._of_room(room_id):
            self._bus.publish("plain", {"room_id": room_id, "plain": plain})

    def memberships_changed(self, room_id: str) -> None:
        """Who takes part in a room's native call, and by which kind of membership, has changed."""
        self._look_again(room_id)
        self._bus.publish("natives", {"room_id": room_id})

    def see(self, call: Call) -> None:
        """A call was committed."""
        if call.state.is_over:
            self._known.pop(call.id, None)
        elif (cast := self._known.get(call.id)) is not None:
            cast.see(call)

    async def refresh(self, call_id: str) -> str | None:
        """Read a cast anew; answers the SFU room whose people have to be told, if there are any here."""
        cast = self._known.get(call_id)
        if cast is None:
            return None
        await self._fill(call_id, cast)
        return cast.sfu_room

    async def _fill(self, call_id: str, cast: Cast) -> None:
        shown = await self._read(call_id)
        noted = await self._noted.of_room(cast.room_id)
        cast.learn(shown)
        cast.natives.learn(noted)

    def _is_plain(self, room_id: str, plain: str) -> bool:
        """Note it; whether that was news to anybody here."""
        news = [call_id for call_id, cast in self._of_room(room_id) if cast.natives.asked_plainly(plain)]
        for call_id in news:
            self._tell(call_id)
        return bool(news)

    def _hashed_elsewhere(self, hint: Mapping[str, Any]) -> None:
        cast = self._known.get(str(hint["id"]))
        if cast is not None and cast.natives.asked(str(hint["plain"]), str(hint["hashed"])):
            self._tell(str(hint["id"]))

    def _plain_elsewhere(self, hint: Mapping[str, Any]) -> None:
        self._is_plain(str(hint["room_id"]), str(hint["plain"]))

    def _look_again(self, room_id: str) -> None:
        for call_id, _ in self._of_room(room_id):
            self._tell(call_id)

    def _of_room(self, room_id: str) -> list[tuple[str, Cast]]:
        return [(call_id, cast) for call_id, cast in self._known.items() if cast.room_id == room_id]

    def _tell(self, call_id: str) -> None:
        for callback in self._changed:
            callback(call_id)
