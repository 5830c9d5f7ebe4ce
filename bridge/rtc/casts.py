"""Who is shown as whom in the native call of each meeting, kept in memory for the gateway.

What is stored decides (`bridge.projections.memberships`), so that every replica translates alike.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Mapping
from typing import Any

from appservice.bus import Bus
from bridge.calls.model import Call, ParticipantKind
from bridge.providers.livekit import matrix_user

ShownOf = Callable[[str], Awaitable[Mapping[str, str | None]]]
"""Reads, by a call's id, as whom each participant is shown; None for those who are not."""


class Cast:
    """Fills `bridge.rtc.names.Names` for one call.

    Attributes:
        sfu_room: Where the call takes place.
    """

    def __init__(self) -> None:
        self.sfu_room: str | None = None
        self._shown: Mapping[str, str | None] = {}
        self._real: Mapping[str, str] = {}
        self._strangers: Container[str] = frozenset()
        self._hashed: dict[str, str] = {}
        self._plain: dict[str, str] = {}

    def shown(self, identity: str) -> str | None:
        """See `Names`. Somebody of whom nothing is stored yet is seen once there is."""
        if identity in self._shown:
            return self._shown[identity]
        native = matrix_user(identity) is not None and identity not in self._strangers
        # A native participant, unless the SFU's own word is that they only call themselves so.
        if not native or identity in self._real:
            return None
        return self._hashed.get(identity, identity)

    def real(self, identity: str) -> str:
        """See `Names`."""
        return self._real.get(identity) or self._plain.get(identity, identity)

    def hash(self, plain: str, hashed: str) -> None:
        """Show a native participant under the identity that follows from their sticky membership."""
        self._hashed[plain] = hashed
        self._plain[hashed] = plain

    def learn(self, shown: Mapping[str, str | None]) -> None:
        """Replace what is known."""
        self._shown = dict(shown)
        self._real = {face: identity for identity, face in shown.items() if face is not None}

    def see(self, call: Call) -> None:
        """Note who is in, as the call has it."""
        self.sfu_room = call.sfu_room
        self._strangers = frozenset(
            person.identity for person in call.participants if person.kind is not ParticipantKind.MATRIX
        )


class Casts:
    """The casts of the calls that this process has connections of."""

    def __init__(self, read: ShownOf, bus: Bus) -> None:
        self._read = read
        self._bus = bus
        bus.subscribe("hashed", self._hashed_elsewhere)
        self._known: dict[str, Cast] = {}

    async def of(self, call: Call) -> Cast:
        """The cast of a call, the same object as long as the call goes on."""
        cast = self._known.get(call.id)
        if cast is None:
            shown = await self._read(call.id)
            cast = self._known.setdefault(call.id, Cast())
            cast.learn(shown)
            cast.see(call)
        return cast

    async def of_somebody(self, call: Call, plain: str, identity: str) -> Cast:
        """The cast of a call that somebody is about to come into.

        Args:
            call: The call.
            plain: Who they are in its SFU room.
            identity: Who they are to clients: the same, or a sticky membership's hash.
        """
        cast = await self.of(call)
        if plain != identity:
            cast.hash(plain, identity)
            self._bus.publish("hashed", {"id": call.id, "plain": plain, "hashed": identity})
        return cast

    def _hashed_elsewhere(self, hint: Mapping[str, Any]) -> None:
        cast = self._known.get(str(hint["id"]))
        if cast is not None:
            cast.hash(str(hint["plain"]), str(hint["hashed"]))

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
        cast.learn(await self._read(call_id))
        return cast.sfu_room
