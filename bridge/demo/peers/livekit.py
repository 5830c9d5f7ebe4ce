"""LiveKit, the SFU, built with the Go tool."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from bridge.demo.peers.cache import Say, installed, run, say
from bridge.demo.peers.ports import HOST, reserve_port
from bridge.demo.peers.process import Peer, http_answers

VERSION = "1.13.5"
"""The newest that ``go install`` takes: some releases and the main branch have ``replace`` directives."""

_PACKAGE = f"github.com/livekit/livekit-server/cmd/server@v{VERSION}"


def install(*, say: Say = say) -> Path:
    """Return the server program, after building it when needed.

    Raises:
        InstallFailed: Go is missing or could not fetch or build it.
    """

    def build(folder: Path) -> None:
        run(
            # Without debugging tables, which make linking take twice as long.
            ["go", "install", "-ldflags=-s -w", _PACKAGE],
            # The Go that is there will do; do not download another.
            environment={"GOBIN": str(folder), "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false"},
            advice="LiveKit needs Go 1.26 or newer (https://go.dev/dl) and access to Go's module proxy.",
        )
        (folder / "server").rename(folder / "livekit-server")

    return installed("livekit", VERSION, _PACKAGE, build, takes="2 minutes", say=say) / "livekit-server"


class LiveKit(Peer):
    """An SFU on loopback.

    Attributes:
        url: The WebSocket address for clients (``ws://``).
        api_url: The same for server calls (``http://``).
        key: API key, new for each run.
        secret: Its secret.
    """

    # Asked to end it waits until everybody has left; here nobody would be told to.
    stop_timeout = 1.0

    def __init__(
        self,
        folder: Path,
        *,
        program: Path,
        port: int | None = None,
        webhooks: Sequence[str] = (),
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Nothing is started yet.

        Args:
            folder: Configuration and log go there.
            program: What ``install`` returned.
            port: Where to listen for signalling; a free one if not given.
            webhooks: Addresses that are told what happens in rooms.
            settings: Added to ``livekit.yaml``, over everything else.
        """
        super().__init__("livekit", folder)
        self.port = port or reserve_port()
        self.url = f"ws://{HOST}:{self.port}"
        self.api_url = f"http://{HOST}:{self.port}"
        self.key = f"key{secrets.token_hex(6)}"
        self.secret = secrets.token_urlsafe(32)
        self.webhooks = list(webhooks)
        self._udp_port = reserve_port()
        self._tcp_port = reserve_port()
        self._program = program
        self._settings = settings or {}

    def command(self) -> list[str]:
        """See ``Peer``."""
        config = self.folder / "livekit.yaml"
        config.write_text(yaml.safe_dump(self._configuration(), sort_keys=False))
        config.chmod(0o600)
        return [str(self._program), "--config", str(config)]

    async def answers(self) -> bool:
        """See ``Peer``."""
        return await http_answers(f"{self.api_url}/")

    def _configuration(self) -> dict[str, Any]:
        return {
            "port": self.port,
            "bind_addresses": [HOST],
            "rtc": {
                "use_external_ip": False,
                "node_ip": HOST,
                "enable_loopback_candidate": True,
                "udp_port": self._udp_port,
                "tcp_port": self._tcp_port,
                # An empty list means public STUN servers of others, handed to every client. Nobody on
                # loopback needs one, so ours is an address that is surely not somebody else's.
                "stun_servers": [f"{HOST}:{self._udp_port}"],
            },
            # Whoever comes first with a token makes the room. The bridge makes its own and could do without;
            # Visio makes none and counts on this.
            "room": {"auto_create": True},
            "keys": {self.key: self.secret},
            "webhook": {"api_key": self.key, "urls": self.webhooks},
            "logging": {"level": "info", "pion_level": "error"},
            **self._settings,
        }
