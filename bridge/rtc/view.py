"""What the people of one Matrix room see of one SFU room, and who of them is connected to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bridge.rtc.frames import Translator
from bridge.rtc.names import Names
from bridge.rtc.roster import Roster
from bridge.sfu.model import IceServer

if TYPE_CHECKING:
    from bridge.rtc.connection import Connection


class View:
    """Shared by all connections between a Matrix room and an SFU room.

    One SFU room may be seen from many Matrix rooms, in each under other names.

    Attributes:
        sfu_room: Name of the SFU room.
        room_id: The Matrix room.
        roster: Who is in the SFU room, and as whom they are shown.
        translator: Translates frames for everybody who has this view.
        connections: Those who have it.
    """

    __slots__ = ("connections", "room_id", "roster", "sfu_room", "translator")

    def __init__(self, sfu_room: str, room_id: str, names: Names, ice_servers: Sequence[IceServer]) -> None:
        """Nobody is there yet."""
        self.sfu_room = sfu_room
        self.room_id = room_id
        self.roster = Roster(names)
        self.translator = Translator(self.roster, ice_servers)
        self.connections: set[Connection] = set()
