"""People in meetings who neither speak nor show anything: cheap, so that a test may have many."""

from __future__ import annotations

from typing import Self

from livekit import api

from bridge.demo.guest import ask_for_ticket
from bridge.demo.peers.livekit import LiveKit
from bridge.demo.silent_guest import SilentGuest


class Visitor(SilentGuest):
    """One person; ``async with`` joins and leaves."""

    @classmethod
    async def by_link(cls, link: str, name: str, *, visitor: str | None = None) -> Self:
        """A guest with the card's link.

        Raises:
            TurnedAway: The bridge gave no token.
        """
        ticket = await ask_for_ticket(link, name, visitor=visitor)
        return cls(name, ticket["sfu_url"], ticket["token"])

    @classmethod
    def with_account(
        cls, livekit: LiveKit, link: str, user_id: str, *, name: str = "", hidden: bool = False
    ) -> Self:
        """A Matrix user in the meeting behind the link, as their own client would bring them there."""
        return cls.with_identity(livekit, link, f"{user_id}:DEVICE", name, hidden=hidden)

    @classmethod
    def with_identity(
        cls, livekit: LiveKit, link: str, identity: str, name: str, *, hidden: bool = False
    ) -> Self:
        """Anybody, under any name: the token is signed here and not by the bridge."""
        room = "passerelle-" + link.partition("#")[0].rpartition("/")[2]
        grants = api.VideoGrants(room_join=True, room=room, hidden=hidden)
        token = api.AccessToken(livekit.key, livekit.secret).with_identity(identity)
        return cls(name, livekit.url, token.with_name(name).with_grants(grants).to_jwt())

    def again(self) -> Self:
        """The same person once more, with the same token."""
        return type(self)(self.name, self._sfu_url, self._token)
