"""The join page on a port of its own: the bridge's desk and routes, with calls in memory."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web

from bridge.calls.model import Call, CallState, Participant, ParticipantKind
from bridge.demo.peers.livekit import LiveKit
from bridge.demo.peers.ports import HOST, reserve_port
from bridge.providers.livekit import LivekitProvider
from bridge.providers.parts import ProviderParts
from bridge.sfu.client import Sfu
from bridge.sfu.tokens import ApiKey
from bridge.web.desk import Desk
from bridge.web.routes import routes
from bridge.web.static_page import StaticPage

_ids = (f"call{number}" for number in itertools.count(1))


@dataclass
class House:
    """Serves the page for the calls that a test opens in it.

    Attributes:
        livekit: The SFU behind it.
        max_participants: How many may be in one meeting.
        refused: Devices that the browser shall refuse by the page's permissions policy.
        port: Where the page is.
        hints: Ids of the calls that somebody got a token for, in order.
    """

    livekit: LiveKit
    max_participants: int = 10
    refused: tuple[str, ...] = ()
    port: int = field(default_factory=reserve_port)
    hints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        key = ApiKey(self.livekit.key, self.livekit.secret)
        self._calls: dict[str, Call] = {}
        self._sfu = Sfu(self.livekit.api_url, key)
        self.provider = LivekitProvider(
            ProviderParts(
                sfu=self._sfu,
                key=key,
                public_url=f"http://{HOST}:{self.port}",
                max_participants=self.max_participants,
            )
        )
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.open_doors()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shut_doors()
        await self._sfu.close()

    async def open_doors(self) -> None:
        """Listen; again on the same port after `shut_doors`."""
        desk = Desk(
            find=self._find,
            provider=self.provider,
            joined=lambda call: self.hints.append(call.id),
            sfu_url=self.livekit.url,
            max_participants=self.max_participants,
        )
        app = web.Application()
        app.add_routes(routes(desk, StaticPage()))
        app.on_response_prepare.append(self._refuse_devices)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self.port, reuse_address=True).start()

    async def shut_doors(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def opens(self, subject: str | None = "Point budget") -> Call:
        """A meeting with a room in the SFU and a link."""
        asked = Call(
            id=next(_ids),
            room_id="!room:example.org",
            state=CallState.OPENING,
            provider=self.provider.name,
            started_by="@marie:example.org",
            started_by_name="Marie",
            started_ts=0,
            subject=subject,
        )
        made = await self.provider.open(asked)
        call = asked.but(state=CallState.OPEN, url=made.url, sfu_room=made.sfu_room, secret=made.secret)
        self._calls[call.id] = call
        return call

    def shows(self, call: Call, *names: str) -> None:
        """Put people on the call's card."""
        people = tuple(Participant(name, name, ParticipantKind.GUEST, False, None, 0) for name in names)
        self._calls[call.id] = call.but(state=CallState.ACTIVE, participants=people)

    async def ends(self, call: Call) -> None:
        """End a meeting for everybody, as ``!visio end`` does."""
        self._calls[call.id] = call.but(state=CallState.ENDED, url=None)
        await self.provider.close(call)

    async def _refuse_devices(self, _: web.Request, response: web.StreamResponse) -> None:
        if self.refused:
            response.headers["Permissions-Policy"] = ", ".join(f"{device}=()" for device in self.refused)

    async def _find(self, link_id: str) -> Call | None:
        return self._calls.get(link_id)


def link_of(call: Call) -> str:
    """What people follow."""
    assert call.url is not None
    return call.url
