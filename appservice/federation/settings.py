"""What the admin decides about look-ups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class OwnServer:
    """The homeserver that the application service belongs to.

    It is asked where the application service reaches it anyway, past any proxy; only if that address has no
    OpenID look-up, it is discovered like every other.

    Attributes:
        name: Its server name.
        url: Its client-server API, without a slash at the end.
        ca_file: PEM file with the authority that signed its certificate, if not a public one.
    """

    name: str
    url: str
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """How other homeservers are reached.

    Attributes:
        own: The own homeserver, if it is to be asked directly.
        servers: URLs by server name. They skip discovery and, as the admin wrote them, the address guard.
        networks: Networks, beside the public ones, in which homeservers may be, as ``10.0.0.0/8``.
        ca_file: PEM file with a further authority to trust.
        verify_tls: Whether certificates are verified.
        proxy: URL of an HTTP proxy, or None. It is given host names, because the lists of most proxies hold
            names; which addresses those have for the proxy is the proxy's business. Names that have a
            forbidden address here are not given to it. Hand-written URLs on loopback do not pass through it.
    """

    own: OwnServer | None = None
    servers: Mapping[str, str] = field(default_factory=dict)
    networks: Sequence[str] = ()
    ca_file: Path | None = None
    verify_tls: bool = True
    proxy: str | None = None
