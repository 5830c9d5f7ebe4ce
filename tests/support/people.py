"""People in meetings who neither speak nor show anything: cheap, so that a test may have many."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from livekit import api, rtc

from bridge.demo.guest import ask_for_ticket
from bridge.demo.peers.livekit import LiveKit


class Visitor:
    """One person; ``async with`` joins and leaves.

    Attributes:
        name: As they gave it.
    """

    def __init__(self, name: str, sfu_url: str, token: str) -> None:
        self.name = name
        self._sfu_url = sfu_url
        self._token = token
        self._room = rtc.Room()
        self._disconnected = asyncio.Event()
        self._room.on("disconnected", lambda reason: self._disconnected.set())

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

    async def join(self) -> Self:
        """Enter the meeting."""
        options = rtc.RoomOptions(auto_subscribe=False, rtc_config=rtc.RtcConfiguration(ice_servers=[]))
        await self._room.connect(self._sfu_url, self._token, options)
        return self

    def again(self) -> Self:
        """The same person once more, with the same token."""
        return type(self)(self.name, self._sfu_url, self._token)

    async def leave(self) -> None:
        """Leave the meeting; nothing happens when that has been done."""
        await self._room.disconnect()

    async def wait_until_put_out(self, timeout: float = 20) -> None:
        """Wait until the SFU has ended the connection.

        Raises:
            TimeoutError: It did not within ``timeout`` seconds.
        """
        async with asyncio.timeout(timeout):
            await self._disconnected.wait()

    async def __aenter__(self) -> Self:
        return await self.join()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()
