"""The MatrixRTC authorization service: proof of who somebody is in, an SFU token out.

The order of checks is deliberate. First what costs nothing and reaches nobody: the shape of the request
(`bridge.rtc.requests`), whether the named server can speak for the claimed user, whether policy knows that
server at all, whether the asker has failed too often. Only then is that server asked. Then come the room
and the meeting (`bridge.rtc.doorkeeper`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import structlog

from appservice.federation.errors import LookupFailed
from appservice.federation.names import server_of
from bridge.policy import Right
from bridge.rtc import identities
from bridge.rtc.delegation import Delegation
from bridge.rtc.doorkeeper import Admitted, Doorkeeper
from bridge.rtc.passes import Pass, Passes
from bridge.rtc.plain_tokens import PlainTokens
from bridge.rtc.ports import RoomView, Verifier
from bridge.rtc.refusals import bad_json, forbidden, not_offered, too_many, try_again, unauthorized
from bridge.rtc.requests import Ask, Delay
from bridge.rtc.restraint import Restraint

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Gate = Literal["rooms_with_bot", "always", False]
"""Whose signalling passes through the gateway (``rtc.gateway``)."""

PASS_TTL_MS = 3_600_000
"""How long a token opens the gateway: an hour, as lk-jwt-service's."""


@dataclass(frozen=True, slots=True)
class Granted:
    """The answer to a request for a token.

    Attributes:
        url: Where to connect.
        jwt: What opens it.
    """

    url: str
    jwt: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where clients connect.

    Attributes:
        gateway: The signalling gateway, ``ws(s)://``.
        sfu: The SFU itself, ``ws(s)://``.
        service: This service as it is advertised (``livekit_service_url``).
    """

    gateway: str
    sfu: str
    service: str


RefusedServer = Callable[[str, str], None]
"""``(room_id, server_name)``: somebody of that server may not take part in that room's call as they want."""

Plainly = Callable[[str, str], None]
"""``(room_id, identity)``: somebody who is about to come into a meeting asked for the plain identity."""


class Authorization:
    """Gives out tokens; knows nothing of HTTP."""

    def __init__(
        self,
        *,
        verifier: Verifier,
        doorkeeper: Doorkeeper,
        passes: Passes,
        plain: PlainTokens,
        addresses: Addresses,
        gate: Gate,
        restraint: Restraint | None = None,
        on_refused: RefusedServer = lambda _room_id, _server: None,
        delegation: Delegation | None = None,
    ) -> None:
        """Nothing is asked yet.

        Args:
            verifier: Asks homeservers who holds a token.
            doorkeeper: Decides who may take part, and where.
            passes: Signs what opens the gateway.
            plain: Signs what opens the SFU.
            addresses: Where clients connect.
            gate: Whose signalling passes through the gateway.
            restraint: Counts attempts.
            on_refused: Told of servers whose users are refused in rooms that the bot is in.
            delegation: Takes over leave events; None where nobody does.
        """
        self._verifier = verifier
        self._doorkeeper = doorkeeper
        self._passes = passes
        self._plain = plain
        self._addresses = addresses
        self._gate = gate
        self._restraint = restraint or Restraint()
        self._on_refused = on_refused
        self._delegation = delegation
        self._plainly: list[Plainly] = []

    def on_plainly(self, callback: Plainly) -> None:
        """Call back when somebody asks for the plain identity in a room whose native call is a meeting."""
        self._plainly.append(callback)

    async def grant(self, ask: Ask, address: str) -> Granted:
        """Give somebody a token.

        Args:
            ask: What they ask.
            address: Where they ask from.

        Raises:
            Refusal: they get none.
        """
        user_id, view = await self._identify(ask, address)
        if ask.delay is not None and not await self._takes_leaves(ask):
            raise bad_json("Delegation of delayed events is not supported")
        through_gateway = self._leads_through_gateway(ask, view)
        admitted = await self._doorkeeper.admit(user_id, view, slot_id=ask.slot_id, bridged=through_gateway)
        identity = self._identity(ask, user_id, publish=admitted.publish)
        if not admitted.publish and view.has_bot:
            self._on_refused(ask.room_id, ask.server_name)
        if ask.delay is not None:
            if not admitted.publish:
                raise bad_json("Delegation of delayed events is only supported for full access users")
            await self._take_leave(ask, ask.delay, user_id)
        if not through_gateway:
            token = await self._plain.sign(admitted.venue.sfu_room, identity, publish=admitted.publish)
            return Granted(self._addresses.sfu, token)
        if ask.member_id is None and admitted.publish and admitted.venue.call is not None:
            for callback in self._plainly:
                callback(ask.room_id, identity)
        return Granted(self._addresses.gateway, self._pass(ask, user_id, identity, admitted))

    async def delegate(self, ask: Ask, address: str) -> None:
        """Take over somebody's leave event; ``ask.delay`` is there.

        Raises:
            Refusal: it is not taken over.
        """
        assert ask.delay is not None
        if not await self._takes_leaves(ask):
            # Of users of other homeservers, too: whoever hears anything else relies on us.
            raise not_offered()
        user_id, view = await self._identify(ask, address)
        through_gateway = self._leads_through_gateway(ask, view)
        admitted = await self._doorkeeper.admit(user_id, view, slot_id=ask.slot_id, bridged=through_gateway)
        if not admitted.publish:
            raise forbidden("Delegation of delayed events is only supported for full access users")
        await self._take_leave(ask, ask.delay, user_id)

    async def delegation_is_offered(self) -> bool:
        """Whether anybody may hand over a leave event."""
        return self._delegation is not None and await self._delegation.is_offered()

    async def _takes_leaves(self, ask: Ask) -> bool:
        # Only the own homeserver was seen to let us act; another slot's SFU room is not looked at.
        ours = ask.slot_id == identities.ROOM_SLOT and self._doorkeeper.is_own(ask.server_name)
        return ours and await self.delegation_is_offered()

    async def _take_leave(self, ask: Ask, delay: Delay, user_id: str) -> None:
        assert self._delegation is not None
        hashed = ""
        if ask.member_id is not None:
            hashed = identities.hashed_identity(user_id, ask.device_id, ask.member_id)
        plain = identities.plain_identity(user_id, ask.device_id)
        await self._delegation.take(ask.room_id, plain, hashed, delay)

    def _leads_through_gateway(self, ask: Ask, view: RoomView) -> bool:
        wanted = self._gate == "always" or (self._gate == "rooms_with_bot" and view.has_bot)
        # Frames that lead into another slot's call would be taken for the room's own.
        return wanted and ask.slot_id == identities.ROOM_SLOT

    async def _identify(self, ask: Ask, address: str) -> tuple[str, RoomView]:
        """Find out who asks, and what is known of their room: two questions to different neighbours."""
        server = ask.server_name
        claimed = ask.claimed_user_id
        if claimed is not None and server_of(claimed) != server:
            raise unauthorized()
        known = self._doorkeeper.knows(server)
        # Names that nobody knows count as one, or each would be counted by itself.
        wait = self._restraint.wait_for_address(address, server if known else "")
        if wait:
            raise too_many(wait)
        if not known or (claimed is not None and self._doorkeeper.right_of(claimed) is Right.NONE):
            self._restraint.failed(address, server if known else "")
            await self._tell_of(ask)
            raise forbidden("Your homeserver is not among those that this call service is for")
        user_id, view = await asyncio.gather(self._verified(ask, address), self._doorkeeper.view(ask.room_id))
        if claimed not in (None, user_id):
            self._restraint.failed(address, server)
            raise unauthorized()
        wait = self._restraint.wait_for_user(user_id)
        if wait:
            raise too_many(wait)
        return user_id, view

    async def _verified(self, ask: Ask, address: str) -> str:
        try:
            return await self._verifier.verify(ask.openid_token, ask.server_name)
        except LookupFailed as failure:
            log.warning("rtc.not_verified", server=ask.server_name, cause=failure.code, advice=failure.advice)
            if failure.can_heal:
                raise try_again("Your homeserver did not confirm who you are") from None
            self._restraint.failed(address, ask.server_name)
            raise unauthorized() from None

    async def _tell_of(self, ask: Ask) -> None:
        """The room learns whose members are refused. Nothing is proven yet: only of servers that it has."""
        view = await self._doorkeeper.view(ask.room_id)
        if view.has_bot and ask.server_name in await self._doorkeeper.servers_in(ask.room_id):
            self._on_refused(ask.room_id, ask.server_name)

    def _identity(self, ask: Ask, user_id: str, *, publish: bool) -> str:
        plain = identities.plain_identity(user_id, ask.device_id)
        if not publish:
            return identities.listening_identity(plain, self._addresses.service)
        if ask.member_id is not None:
            return identities.hashed_identity(user_id, ask.device_id, ask.member_id)
        return plain

    def _pass(self, ask: Ask, user_id: str, identity: str, admitted: Admitted) -> str:
        granted = Pass(user_id, ask.device_id, ask.room_id, identity, admitted.publish)
        return self._passes.sign(granted, ttl_ms=PASS_TTL_MS, shown_room=admitted.venue.sfu_room)
