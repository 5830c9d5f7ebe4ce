"""What the authorization service and the gateway's router ask of the rest of the house."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bridge.calls.model import Call
from bridge.rtc.membership import Membership


@dataclass(frozen=True, slots=True)
class RoomView:
    """What the bridge knows of a Matrix room.

    Attributes:
        room_id: The room.
        has_bot: The bot is in it, so that what goes on there is known.
        encrypted: It is end-to-end encrypted.
        call: Its call that is not over, or None.
    """

    room_id: str
    has_bot: bool = False
    encrypted: bool = False
    call: Call | None = None


@dataclass(frozen=True, slots=True)
class RoomMember:
    """What the homeserver says of a user in a room.

    Attributes:
        joined: Whether they are in; None if it does not say at the moment.
        name: Their display name there, or None.
    """

    joined: bool | None = None
    name: str | None = None


class Rooms(Protocol):
    """Looks at rooms, in the database alone."""

    async def view(self, room_id: str) -> RoomView:
        """What is known of a room; of one never heard of, nothing."""


class Members(Protocol):
    """Asks the homeserver about members of rooms that the bot is in. Never raises."""

    async def member(self, room_id: str, user_id: str) -> RoomMember:
        """Whether a user is in a room."""

    async def servers(self, room_id: str) -> frozenset[str]:
        """Whose users are in a room; empty if the homeserver does not say at the moment."""


class Memberships(Protocol):
    """What was noted of rooms' native calls."""

    async def of_room(self, room_id: str) -> list[Membership]:
        """The memberships of a room that have not expired."""


class Verifier(Protocol):
    """Says who holds an OpenID token (`appservice.federation.openid.OpenIdVerifier`)."""

    async def verify(self, token: str, server_name: str) -> str:
        """The user's id.

        Raises:
            appservice.federation.errors.LookupFailed: it is not confirmed.
        """
