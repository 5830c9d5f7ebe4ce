"""Another organisation's authorization service: its users have a transport of their own."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from appservice.federation.errors import LookupFailed
from appservice.federation.openid import OpenIdVerifier
from appservice.federation.settings import Settings
from bridge.demo.peers.livekit import LiveKit
from tests.browser.rtc.plain_service import PlainService
from tests.support.federation import Federation


class TheirService(PlainService):
    """Takes the word of both homeservers; its SFU rooms have nothing to do with the bridge's."""

    def __init__(self, federation: Federation, livekit: LiveKit) -> None:
        super().__init__(federation.theirs, livekit)
        self._servers = [federation.theirs.server_name, federation.ours.server_name]
        self._settings = Settings(**federation.settings())
        self._verifier: OpenIdVerifier | None = None

    async def __aenter__(self) -> Self:
        self._verifier = OpenIdVerifier(self._settings)
        return await super().__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        if self._verifier is not None:
            await self._verifier.close()

    async def _user(self, token: str) -> str:
        assert self._verifier is not None
        # A token does not say whose it is; at the wrong server it is simply unknown.
        try:
            return await self._verifier.verify(token, self._servers[0])
        except LookupFailed:
            return await self._verifier.verify(token, self._servers[1])
