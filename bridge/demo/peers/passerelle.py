"""The bridge itself as a process of its own, as an admin runs it: ``passerelle run``."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from bridge.demo.peers.ports import HOST
from bridge.demo.peers.process import Peer, PeerFailed, http_answers

PROGRAM = Path(sys.prefix) / "bin" / "passerelle"
"""The command that installing the project makes."""


class Passerelle(Peer):
    """A bridge on loopback.

    Attributes:
        internal_url: Where the homeserver, the SFU's webhooks and health checks reach it.
        public_url: Where browsers reach it.
        config_file: Its configuration, written anew at each start.
        settings: What will be written there; a test may change it between two starts.
    """

    stop_timeout = 12.0  # the bridge promises to drain and stop within 10
    start_timeout = 30.0

    def __init__(
        self, folder: Path, *, internal_port: int, public_port: int, settings: Mapping[str, Any]
    ) -> None:
        """Nothing is started yet.

        Args:
            folder: Configuration, log and, if it is SQLite, the database go there.
            internal_port: For ``appservice.listen``.
            public_port: For ``web.listen``.
            settings: The configuration; the listeners are filled in here, and a SQLite database in
                ``folder`` when none is named.
        """
        super().__init__("passerelle", folder)
        self.internal_url = f"http://{HOST}:{internal_port}"
        self.public_url = f"http://{HOST}:{public_port}"
        self.config_file = folder / "passerelle.yaml"
        ours = {
            "appservice": {"url": self.internal_url, "listen": f"{HOST}:{internal_port}"},
            "web": {"public_url": self.public_url, "listen": f"{HOST}:{public_port}"},
            "database": {"url": f"sqlite+aiosqlite:///{folder / 'passerelle.db'}"},
        }
        self.settings = merged(ours, settings)

    def command(self) -> list[str]:
        """See ``Peer``."""
        self.write_config()
        return [str(PROGRAM), "-c", str(self.config_file), "run"]

    def write_config(self) -> None:
        """Write the configuration, readable by us only because it holds secrets."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config_file.touch(mode=0o600)
        self.config_file.write_text(yaml.safe_dump(self.settings, sort_keys=False, allow_unicode=True))

    async def register(self) -> Path:
        """Have the bridge write its registration, and return the file for the homeserver.

        Raises:
            PeerFailed: The bridge refused its configuration.
        """
        self.write_config()
        file = self.folder / "registration.yaml"
        process = await asyncio.create_subprocess_exec(
            *(str(PROGRAM), "-c", str(self.config_file), "register", "-o", str(file)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        if process.returncode != 0:
            raise PeerFailed(f"passerelle register failed:\n{output.decode(errors='replace')}")
        return file

    async def answers(self) -> bool:
        """See ``Peer``."""
        return await http_answers(f"{self.internal_url}/health/ready")


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``over`` laid over it, section by section."""
    result = dict(base)
    for key, value in over.items():
        known = result.get(key)
        both = isinstance(known, Mapping) and isinstance(value, Mapping)
        result[key] = merged(known, value) if both and isinstance(known, Mapping) else value
    return result
