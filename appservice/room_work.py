"""Working through what waits in the rooms of this process: what the worker and the sender have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

from appservice.gate import Gate
from appservice.ownership import Ownership
from appservice.room_tasks import RoomTasks
from appservice.sharding import shard_of

Outcome = Callable[[str, int], None]
"""Told what became of a row, and the row's age in milliseconds."""


class RoomWork(ABC):
    """Drains rooms when something is poked, gained or back, and looks for waiting ones now and then."""

    def __init__(
        self, ownership: Ownership, gate: Gate, *, rooms_at_once: int, look_every_s: float, name: str
    ) -> None:
        """Build it; see `RoomTasks` for what is not the ownership or the homeserver's gate."""
        self._ownership = ownership
        self._gate = gate
        self._rooms = RoomTasks(
            self._drain, self._waiting, at_once=rooms_at_once, look_every_s=look_every_s, name=name
        )
        self._observers: list[Outcome] = []
        gate.on_reopened(self.poke_all)
        ownership.on_gained(lambda _shards: self.poke_all())

    def on_outcome(self, callback: Outcome) -> None:
        """Call back with what became of each row (metrics)."""
        self._observers.append(callback)

    def start(self) -> None:
        """Start looking for what nobody poked us about, as another replica took it in."""
        self._rooms.start()

    async def stop(self, patience_s: float) -> None:
        """Finish what is under way, then stop."""
        await self._rooms.stop(patience_s)

    def poke(self, room_id: str) -> None:
        """Say that something waits in a room."""
        self._rooms.poke(room_id)

    def poke_all(self) -> None:
        """Look for rooms with something waiting, now."""
        self._rooms.look()

    def _owns(self, room_id: str) -> bool:
        return shard_of(room_id) in self._ownership.held

    def _tell(self, outcome: str, age_ms: int) -> None:
        for observer in self._observers:
            observer(outcome, age_ms)

    @abstractmethod
    async def _waiting(self) -> Iterable[str]:
        """The rooms of ours in which something waits; see `RoomTasks`."""

    @abstractmethod
    async def _drain(self, room_id: str) -> int | None:
        """Work through a room; answers the wait until the next time, milliseconds; see `RoomTasks`."""
