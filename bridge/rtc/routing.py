"""What the gateway asks: where a connection goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from bridge.rtc.names import Names
from bridge.rtc.passes import Pass


@dataclass(frozen=True, slots=True)
class Route:
    """Where a connection goes.

    Attributes:
        url: Of the SFU, as the bridge reaches it.
        room: SFU room.
        token: Opens that room for that participant.
        names: Who is shown as whom to the people of the pass's Matrix room. Its connections to an SFU
            room share the one that came with the first of them.
    """

    url: str
    room: str
    token: str = field(repr=False)
    names: Names


class RouteRefused(Exception):
    """Somebody may not connect.

    Attributes:
        status: The HTTP status that says so: 401 or 403 end the client's attempts, 5xx do not.
    """

    def __init__(self, status: int, advice: str) -> None:
        super().__init__(advice)
        self.status = status


class Router(Protocol):
    """Decides at each connection."""

    async def route(self, granted: Pass, *, resume: bool) -> Route:
        """Choose the SFU room, and make a token for it.

        Args:
            granted: What the client's own token says; its signature and times are verified.
            resume: They go on with a session. ``granted.sfu_room`` says where it is, and a resumed
                session must go there, or not be resumed.

        Raises:
            RouteRefused: they are denied, or the call is over.
        """
