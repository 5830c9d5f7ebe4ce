"""All that a call needs, running on this machine: homeserver, SFU, bridge, two people, a room, a client."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bridge.demo.client.login import new_device
from bridge.demo.client.server import ClientServer
from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.livekit import LiveKit
from bridge.demo.peers.passerelle import Passerelle
from bridge.demo.peers.ports import HOST, reserve_port
from bridge.demo.peers.process import Peer
from bridge.demo.peers.synapse import Synapse
from bridge.demo.venues import STAND_IN, venue
from bridge.rtc.membership import MEMBER_TYPE

SERVER_NAME = "localhost"
BOT_ID = f"@visio:{SERVER_NAME}"

LANGUAGE = os.environ.get("PASSERELLE_BOT__LANGUAGE", "fr")
"""Of the bot, which reads it there too, and of the pages."""

_NATIVE_CALLS = {"events": {MEMBER_TYPE: 0}}
"""Power levels of a room in which everybody may call, as Element and Tchap make them."""


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
        client_folder: Path | None = None,
        visio: str = STAND_IN,
        accounts: Sequence[str] = (),
    ) -> None:
        """Nothing is started yet.

        Args:
            folder: For configurations, data and logs.
            synapse_python: What ``synapse.install`` returned.
            livekit_program: What ``livekit.install`` returned; None where the SFU is somebody else's.
            client_folder: What ``client.building.install`` returned; None where nobody needs a client.
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
        internal_port, public_port = reserve_port(29400), reserve_port(29401)
        self.client: ClientServer | None = None
        if client_folder is not None:
            self.client = ClientServer(client_folder, port=reserve_port(29403))
        self.synapse = Synapse(
            folder / "synapse",
            python=synapse_python,
            server_name=SERVER_NAME,
            port=reserve_port(8008),
            settings=_native_calls_at(public_port) if self.venue.attended else {},
        )
        settings: dict[str, Any] = {
            "homeserver": {"url": self.synapse.url, "server_name": SERVER_NAME},
            "rtc": {"enabled": self.venue.attended},
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
            internal_port=internal_port,
            public_port=public_port,
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
        self.room_id = await self.alice.create_room(
            name="Démonstration", invite=[self.bob.user_id, BOT_ID], power_levels=_NATIVE_CALLS
        )
        await self.bob.join(self.room_id)
        await self.alice.wait_until(lambda: BOT_ID in self.alice.room(self.room_id).members())

    async def open_client(self) -> str:
        """Serve the client, and return the address that opens the room in it, as Alice on a new device."""
        assert self.client is not None, "no client_folder was given"
        await self._running.enter_async_context(self.client)
        return self.client.door(f"alice-{secrets.token_hex(3)}", self._address_for_alice)

    async def _address_for_alice(self) -> str:
        assert self.client is not None
        return self.client.address(
            await new_device(self.alice), self.room_id, language=LANGUAGE, beside=self.venue.framed
        )

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


def _native_calls_at(public_port: int) -> dict[str, Any]:
    """What the homeserver has to be told: native calls take place where the bridge says."""
    transport = {"type": "livekit", "livekit_service_url": f"http://{HOST}:{public_port}/livekit"}
    return {"matrix_rtc": {"transports": [transport]}}
