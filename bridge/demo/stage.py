"""Everything that a call needs, running on this machine: homeserver, SFU, bridge, two people, a room."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.livekit import LiveKit
from bridge.demo.peers.passerelle import Passerelle
from bridge.demo.peers.ports import reserve_port
from bridge.demo.peers.process import Peer
from bridge.demo.peers.synapse import Synapse
from bridge.demo.venues import STAND_IN, venue

SERVER_NAME = "localhost"
BOT_ID = f"@visio:{SERVER_NAME}"


class Stage:
    """The servers of the demo; ``async with`` stops whatever was started, in any case.

    Attributes:
        venue: Where the meetings are.
        alice: Opens the room and the calls.
        bob: A member of the room.
        room_id: Their room.
    """

    alice: MatrixUser
    bob: MatrixUser
    room_id: str

    def __init__(
        self,
        folder: Path,
        *,
        synapse_python: Path,
        livekit_program: Path | None,
        visio: str = STAND_IN,
        accounts: Sequence[str] = (),
    ) -> None:
        """Nothing is started yet.

        Args:
            folder: For configurations, data and logs.
            synapse_python: What ``synapse.install`` returned.
            livekit_program: What ``livekit.install`` returned; None where the SFU is somebody else's.
            visio: Where meetings are, see `bridge.demo.venues.venue`.
            accounts: Names of people with an account in the stand-in.

        Raises:
            VenueUnknown: ``visio`` is no such place.
        """
        # The usual ports if they are free, so that a client finds the homeserver again the next time.
        self.livekit: LiveKit | None = None
        if livekit_program is not None:
            self.livekit = LiveKit(folder / "livekit", program=livekit_program, port=reserve_port(7880))
        self.venue = venue(visio, self.livekit, accounts)
        self.synapse = Synapse(
            folder / "synapse", python=synapse_python, server_name=SERVER_NAME, port=reserve_port(8008)
        )
        settings = {
            "homeserver": {"url": self.synapse.url, "server_name": SERVER_NAME},
            **self.venue.settings,
        }
        if self.livekit is not None:
            settings["sfu"] = {
                "url": self.livekit.url,
                "api_url": self.livekit.api_url,
                "key": self.livekit.key,
                "secret": self.livekit.secret,
            }
        self.bridge = Passerelle(
            folder / "bridge",
            internal_port=reserve_port(29400),
            public_port=reserve_port(29401),
            settings=settings,
        )
        if self.livekit is not None:
            self.livekit.webhooks.append(f"{self.bridge.internal_url}/livekit/webhook")
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.aclose()

    async def start_servers(self) -> None:
        """Register the bridge, then start homeserver and SFU side by side.

        Raises:
            PeerFailed: One of them did not start.
        """
        self.synapse.registrations.append(await self.bridge.register())
        self.venue.open()
        self._running.callback(self.venue.close)
        peers: list[Peer | None] = [self.livekit, self.synapse]
        await asyncio.gather(*(self._start(peer) for peer in peers if peer is not None))

    async def start_bridge(self) -> None:
        """Start ``passerelle run``.

        Raises:
            PeerFailed: It did not start.
        """
        await self._start(self.bridge)

    async def open_room(self) -> None:
        """Register Alice and Bob and let them meet in a room, with the bot invited and in.

        Raises:
            MatrixRefused: The homeserver refused.
            TimeoutError: The bot did not come.
        """
        self.alice = await self._register("alice")
        self.bob = await self._register("bob")
        self.room_id = await self.alice.create_room(name="Démonstration", invite=[self.bob.user_id, BOT_ID])
        await self.bob.join(self.room_id)
        await self.alice.wait_until(lambda: BOT_ID in self.alice.room(self.room_id).members())

    async def _start(self, peer: Peer) -> None:
        self._running.push_async_callback(peer.stop)
        await peer.start()

    async def _register(self, name: str) -> MatrixUser:
        secret = self.synapse.registration_secret
        user = await MatrixUser.register(
            self.synapse.url, name, secret=secret, password=f"{name}-{secrets.token_hex(3)}"
        )
        await self._running.enter_async_context(user)
        await user.request("PUT", f"/v3/profile/{user.user_id}/displayname", {"displayname": name.title()})
        return user
