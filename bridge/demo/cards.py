"""The cards of a room as somebody in it sees them, version after version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bridge.demo.matrix_user import Event, MatrixUser

CALL_KEY = "fr.passerelle.call"


@dataclass(frozen=True, slots=True)
class CardVersion:
    """One version of one card.

    Attributes:
        event_id: Of the card, the same for all its versions.
        text: What plain clients show.
        call: The ``fr.passerelle.call`` object.
    """

    event_id: str
    text: str
    call: dict[str, Any]

    @property
    def state(self) -> str:
        """``open``, ``active``, ``ended`` or ``failed``."""
        return str(self.call["state"])

    @property
    def names(self) -> set[str]:
        """Who is in, by name."""
        return {str(participant["name"]) for participant in self.call["participants"]}


class CardWatch:
    """Follows the cards of one room through somebody's ``/sync``.

    Attributes:
        versions: All versions so far, oldest first.
    """

    def __init__(
        self, user: MatrixUser, room_id: str, on_version: Callable[[CardVersion], None] | None = None
    ) -> None:
        """Follow from now on.

        Args:
            user: In the room, and in sync.
            room_id: The room.
            on_version: Told about each new version.
        """
        self.versions: list[CardVersion] = []
        self._user = user
        self._room_id = room_id
        self._on_version = on_version
        user.listeners.append(self._look)

    @property
    def cards(self) -> list[str]:
        """The event ids of all cards, oldest first."""
        return list(dict.fromkeys(version.event_id for version in self.versions))

    async def wait_for(self, condition: Callable[[CardVersion], object], timeout: float = 30) -> CardVersion:
        """Wait until the newest version is as wanted, and return it.

        Raises:
            TimeoutError: It was not within ``timeout`` seconds; the message shows the newest.
        """
        try:
            await self._user.wait_until(lambda: self.versions and condition(self.versions[-1]), timeout)
        except TimeoutError:
            newest = self.versions[-1].text if self.versions else "there is none"
            raise TimeoutError(f"The card did not become as awaited. Its newest version:\n{newest}") from None
        return self.versions[-1]

    def _look(self, room_id: str, event: Event) -> None:
        version = card_version(event) if room_id == self._room_id else None
        if version is not None:
            self.versions.append(version)
            if self._on_version is not None:
                self._on_version(version)


def card_version(event: Event) -> CardVersion | None:
    """The card's version that an event is, or none if it is something else."""
    content = event["content"]
    if event["type"] != "m.room.message" or CALL_KEY not in content:
        return None
    replaced = content.get("m.relates_to", {}).get("event_id", event["event_id"])
    shown = content.get("m.new_content", content)
    return CardVersion(replaced, shown["body"], shown[CALL_KEY])
