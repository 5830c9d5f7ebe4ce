"""Two homeservers that federate with each other on loopback, and the authority that vouches for both."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import trustme

from bridge.demo.peers import synapse as synapse_peer
from bridge.demo.peers.ports import HOST, reserve_port
from bridge.demo.peers.synapse import Synapse
from tests.support.lean import LEAN
from tests.support.slots import Slots

_SLOTS = 10
_BRISK = {
    "client_timeout": "10s",
    "max_short_retries": 2,
    "max_short_retry_delay": 1,
    "destination_min_retry_interval": "1s",
    "destination_max_retry_interval": "2s",
}
"""A server that was too slow once, on a busy machine, is not given up for minutes."""


class Federation:
    """The two homeservers.

    Attributes:
        ours: Has places for bridges.
        theirs: Another organisation's. Only its federation port, which is part of its name, says who holds an
            OpenID token.
        slots: The places at ours.
        ca_file: Who signed both certificates.
    """

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        folder.mkdir(parents=True, exist_ok=True)
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        port = reserve_port()
        self.slots = Slots(folder / "registrations", f"localhost:{port}", _SLOTS)
        self.ours = self._homeserver(
            folder / "ours", authority, port, "openid", registrations=self.slots.registrations
        )
        self.theirs = self._homeserver(folder / "theirs", authority, reserve_port())

    async def start(self) -> None:
        """Start both."""
        await asyncio.gather(self.ours.start(), self.theirs.start())

    async def stop(self) -> None:
        """Stop both."""
        await asyncio.gather(self.ours.stop(), self.theirs.stop())

    def settings(self) -> dict[str, Any]:
        """The bridge's ``federation`` section: loopback is allowed, the authority trusted."""
        return {"ca_file": str(self.ca_file), "networks": ["127.0.0.0/8", "::1/128"]}

    def _homeserver(
        self, folder: Path, authority: trustme.CA, port: int, *resources: str, **given: Any
    ) -> Synapse:
        folder.mkdir()
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        issued = authority.issue_cert("localhost")
        issued.cert_chain_pems[0].write_to_path(str(certificate))
        issued.private_key_pem.write_to_path(str(key))
        clients = reserve_port()
        return Synapse(
            folder,
            python=synapse_peer.install(),
            server_name=f"localhost:{port}",
            port=clients,
            settings={
                **LEAN,
                "listeners": [
                    _listener(clients, "client", "health", *resources, tls=False),
                    _listener(port, "federation", tls=True),
                ],
                "tls_certificate_path": str(certificate),
                "tls_private_key_path": str(key),
                "federation_custom_ca_list": [str(self.ca_file)],
                "ip_range_blacklist": [],
                "federation": _BRISK,
            },
            **given,
        )


def _listener(port: int, *resources: str, tls: bool) -> dict[str, Any]:
    return {
        "port": port,
        "bind_addresses": [HOST],
        "type": "http",
        "tls": tls,
        "resources": [{"names": list(resources), "compress": False}],
    }
