"""What the keeper asks of the rest of the application, as small protocols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from appservice.unit_of_work import UnitOfWork
from bridge.calls.model import Action, Call


@dataclass(frozen=True, slots=True)
class Member:
    """What the homeserver says of a user in a room.

    Attributes:
        name: Their display name there; None if it does not say.
        joined: Whether they are in; None if it does not say.
    """

    name: str | None = None
    joined: bool | None = None


class Announcements(Protocol):
    """What the keeper says in a room beside the card; the words are the application's."""

    async def opened(self, work: UnitOfWork, call: Call) -> None:
        """A meeting is open: whoever asked elsewhere than in the card's timeline gets the link."""

    async def waiting(self, work: UnitOfWork, call: Call) -> None:
        """Opening takes longer than usual."""

    async def not_allowed(self, work: UnitOfWork, call: Call) -> None:
        """The one who asked may not open a meeting in this room."""

    async def acted(self, work: UnitOfWork, call: Call, action: Action, done: bool) -> None:
        """Somebody was muted or put out, or could not be."""

    async def rang(self, work: UnitOfWork, call: Call, called: Mapping[Action, Member], caller: str) -> None:
        """One command called people to the meeting: have their devices ring."""


class Doorman(Protocol):
    """Questions about a room that only the homeserver can answer. Never raises."""

    async def name_of(self, room_id: str, user_id: str) -> str:
        """The display name of a user in a room; something readable if nobody knows."""

    async def member(self, room_id: str, user_id: str) -> Member:
        """Whether a user is in a room, and their display name there."""

    async def may_open(self, room_id: str, user_id: str) -> bool:
        """Whether a room's size lets this user open a meeting in it."""
