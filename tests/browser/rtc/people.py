"""What the fixtures of this folder give to tests that bring people together."""

from __future__ import annotations

from typing import Protocol

from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.synapse import Synapse
from tests.browser.rtc.element_call import ElementCall
from tests.browser.rtc.visio_page import VisioPage


class NewPerson(Protocol):
    """What the fixture ``new_person`` is."""

    async def __call__(self, name: str, *, at: Synapse | None = None) -> MatrixUser:
        """Register somebody, with ``name`` as display name; in sync from now on."""


class OpenCall(Protocol):
    """What the fixture ``open_call`` is."""

    async def __call__(
        self, user: MatrixUser, room_id: str, *, service_url: str | None = None
    ) -> ElementCall:
        """Open a room's call in Element Call; see `ElementCall.open`."""


class JoinVisio(Protocol):
    """What the fixture ``join_visio`` is."""

    async def __call__(self, sfu_url: str, token: str) -> VisioPage:
        """Join a meeting with a plain page; see `VisioPage.join`."""
