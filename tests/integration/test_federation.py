"""OpenID tokens of a real homeserver, verified where other homeservers reach it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from appservice.federation import errors
from appservice.federation.openid import OpenIdVerifier
from appservice.federation.settings import OwnServer, Settings
from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.ports import HOST, reserve_port
from bridge.demo.peers.synapse import Synapse
from tests.conftest import NewUser


@dataclass(frozen=True, slots=True)
class Town:
    """A homeserver whose federation listener has a certificate.

    Attributes:
        synapse: The homeserver, started.
        ca_file: Who signed its certificate.
        user: Somebody who lives there.
    """

    synapse: Synapse
    ca_file: Path
    user: MatrixUser

    async def token(self) -> str:
        """Give out a token as Element Call asks for it."""
        answer = await self.user.request("POST", f"/v3/user/{self.user.user_id}/openid/request_token", {})
        assert answer["matrix_server_name"] == self.synapse.server_name
        return str(answer["access_token"])


@pytest.fixture
async def town(make_synapse: Callable[..., Synapse], new_user: NewUser, tmp_path: Path) -> Town:
    """One port for clients alone, another with TLS for other homeservers, named in the server's name."""
    authority, clients, federation = trustme.CA(), reserve_port(), reserve_port()
    ca_file, certificate, key = (tmp_path / name for name in ("ca.pem", "certificate.pem", "key.pem"))
    issued = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(str(ca_file))
    issued.cert_chain_pems[0].write_to_path(str(certificate))
    issued.private_key_pem.write_to_path(str(key))

    def listener(port: int, *resources: str, tls: bool) -> dict[str, object]:
        names = {"names": list(resources), "compress": False}
        return {"port": port, "bind_addresses": [HOST], "type": "http", "tls": tls, "resources": [names]}

    synapse = make_synapse(
        port=clients,
        server_name=f"localhost:{federation}",
        registrations=(),
        settings={
            "listeners": [
                listener(clients, "client", "health", tls=False),
                listener(federation, "openid", tls=True),
            ],
            "tls_certificate_path": str(certificate),
            "tls_private_key_path": str(key),
        },
    )
    await synapse.start()
    return Town(synapse, ca_file, await new_user("odile", at=synapse))


async def test_a_real_homeserver_vouches_for_its_user_past_every_check(town: Town) -> None:
    name, token = town.synapse.server_name, await town.token()
    strict = Settings(ca_file=town.ca_file, networks=["127.0.0.0/8", "::1"])
    async with OpenIdVerifier(strict) as verifier:
        for _ in range(3):
            assert await verifier.verify(token, name) == town.user.user_id
        with pytest.raises(errors.TokenRefused):
            await verifier.verify("made-up", name)
        with pytest.raises(errors.CertificateRefused):
            await verifier.verify(token, name.replace("localhost", HOST))

    async with OpenIdVerifier(Settings(ca_file=town.ca_file)) as verifier:
        with pytest.raises(errors.AddressRefused):
            await verifier.verify(token, name)

    async with OpenIdVerifier(Settings(networks=["127.0.0.0/8", "::1"])) as verifier:
        with pytest.raises(errors.CertificateRefused):
            await verifier.verify(token, name)

    # The port for clients has no look-up: an error when the admin named it, made good for the own server.
    async with OpenIdVerifier(Settings(servers={name: town.synapse.url})) as verifier:
        with pytest.raises(errors.NoUserinfo):
            await verifier.verify(token, name)
    own = Settings(own=OwnServer(name, town.synapse.url), ca_file=town.ca_file, networks=strict.networks)
    async with OpenIdVerifier(own) as verifier:
        assert await verifier.verify(token, name) == town.user.user_id

    await town.synapse.stop()
    async with OpenIdVerifier(strict) as verifier:
        with pytest.raises(errors.ServerUnreachable):
            await verifier.verify(token, name)
