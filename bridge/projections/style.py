"""How cards look in one room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from bridge.locale import Voice

MAX_NAMES: Final = 20
"""Most participants on a card, in words and in data (CONTRACT §5)."""

Names = Literal["during", "keep", "never"]


@dataclass(frozen=True, slots=True)
class CardStyle:
    """How cards look in one room.

    Attributes:
        voice: Language, time zone and command prefix.
        names: ``calls.names``: names while the call lasts, for ever, or never.
        visio_url: Where people can create a meeting by hand, said when opening failed.
        support: Where people ask, a web address or words; empty when nowhere.
        app_name: What people call their Matrix client (``Tchap``, ``Element``).
        native_bridged: The client's call button leads into the meeting.
        can_admit: Somebody in this installation can let people in from Visio's lobby.
        max_participants: How many people the meeting takes, or None when nobody knows.
        native_people: How many are in the room's own encrypted call, None when unknown.
    """

    voice: Voice
    names: Names = "during"
    visio_url: str | None = None
    support: str = ""
    app_name: str = ""
    native_bridged: bool = False
    can_admit: bool = True
    max_participants: int | None = None
    native_people: int | None = None
