"""Who may take part in a room's native call, and where: the one decision behind tokens and connections."""

from __future__ import annotations

from dataclasses import dataclass

from appservice.federation.names import server_of
from bridge.calls.access import Entry
from bridge.policy import Policy, Right
from bridge.rtc.identities import ROOM_SLOT
from bridge.rtc.ports import Members, Rooms, RoomView
from bridge.rtc.refusals import forbidden, try_again
from bridge.rtc.venue import Guest, Venue, entry_of, venue_of


@dataclass(frozen=True, slots=True)
class Admitted:
    """Somebody who may take part.

    Attributes:
        view: What is known of the Matrix room.
        venue: Where its call takes place.
        publish: They may send picture and sound; else they listen, hidden.
        name: Their display name in the room, or None if the bridge does not know it.
        own_server: They belong to the bridge's own homeserver.
    """

    view: RoomView
    venue: Venue
    publish: bool
    name: str | None
    own_server: bool


class Doorkeeper:
    """Decides by policy, by the room's members and by the meeting's own door."""

    def __init__(self, *, policy: Policy, own_server: str, rooms: Rooms, members: Members) -> None:
        self._policy = policy
        self._own_server = own_server.lower()
        self._rooms = rooms
        self._members = members

    def knows(self, server_name: str) -> bool:
        """Whether policy lets any user of a server do anything."""
        return self._policy.knows(server_name)

    def is_own(self, server_name: str) -> bool:
        """Whether a server is the bridge's own homeserver."""
        return server_name.lower() == self._own_server

    def right_of(self, user_id: str) -> Right:
        """What policy lets a user do."""
        return self._policy.right_of(user_id)

    async def servers_in(self, room_id: str) -> frozenset[str]:
        """Whose users are in a room that the bot is in."""
        return await self._members.servers(room_id)

    async def view(self, room_id: str) -> RoomView:
        """What is known of a room."""
        return await self._rooms.view(room_id)

    async def admit(
        self, user_id: str, view: RoomView, *, slot_id: str = ROOM_SLOT, bridged: bool = True
    ) -> Admitted:
        """Let somebody in, whose user id is proven.

        Args:
            user_id: Who.
            view: The room whose call they want to join.
            slot_id: Which of its calls.
            bridged: The native call may lead into the room's meeting; otherwise it stays by itself.

        Raises:
            Refusal: they may not, or nobody can say at the moment.
        """
        right = self._policy.right_of(user_id)
        if right is Right.NONE:
            raise forbidden("Your homeserver is not among those that this call service is for")
        name = None
        if view.has_bot:
            member = await self._members.member(view.room_id, user_id)
            if member.joined is None:
                raise try_again("The homeserver did not say whether you are in the room")
            if not member.joined:
                raise forbidden("You are not in this room")
            name = member.name
        venue = venue_of(view, slot_id) if bridged else venue_of(RoomView(view.room_id), slot_id)
        own_server = self.is_own(server_of(user_id) or "")
        entry = entry_of(Guest(user_id, right, own_server), venue)
        if entry is Entry.NONE:
            raise forbidden("You may not take part in this meeting")
        return Admitted(view, venue, entry is Entry.PUBLISH, name, own_server)
