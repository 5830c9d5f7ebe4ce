"""Places for bridges at the shared homeserver.

Synapse reads the registrations of application services only when it starts. So it starts with a number of
them, and each bridge of a test takes one that is not in use.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appservice import registration
from appservice.registration import Registration
from bridge.demo.peers.ports import HOST, reserve_port


@dataclass(frozen=True, slots=True)
class Slot:
    """A registration that the homeserver knows, with ports that are kept for it."""

    registration: Registration
    file: Path
    internal_port: int
    public_port: int

    @property
    def internal_url(self) -> str:
        """Where the homeserver sends transactions."""
        return self.registration.url

    @property
    def bot_id(self) -> str:
        """The Matrix id of the bot."""
        return self.registration.bot_id

    def settings(self) -> dict[str, Any]:
        """The bridge's ``appservice`` section for this place."""
        return {
            "id": self.registration.id,
            "registration": str(self.file),
            "bot": self.registration.bot,
            "ghost_prefix": self.registration.ghost_prefix,
        }


class Slots:
    """All places, free ones handed out longest-unused first."""

    def __init__(self, folder: Path, server_name: str, count: int) -> None:
        folder.mkdir(parents=True)
        self.server_name = server_name
        self.all = [_make_slot(f"visio{number}", folder, server_name) for number in range(count)]
        self._free = deque(self.all)

    @property
    def registrations(self) -> list[Path]:
        """The files for the homeserver."""
        return [slot.file for slot in self.all]

    @contextmanager
    def lease(self) -> Iterator[Slot]:
        """A place for the time of the block."""
        assert self._free, "more bridges at once than there are places; raise SLOTS in tests/conftest.py"
        slot = self._free.popleft()
        try:
            yield slot
        finally:
            self._free.append(slot)


def _make_slot(name: str, folder: Path, server_name: str) -> Slot:
    port = reserve_port()
    made = registration.generate(
        id=name, url=f"http://{HOST}:{port}", bot=name, ghost_prefix=f"{name}_", server_name=server_name
    )
    file = folder / f"{name}.yaml"
    registration.write(file, made)
    return Slot(made, file, internal_port=port, public_port=reserve_port())
