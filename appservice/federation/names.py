"""Server names and user ids, read strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from appservice.federation.errors import BadServerName

Address = IPv4Address | IPv6Address

_SHAPE = re.compile(
    r"(?P<host>\[(?P<six>[0-9A-Fa-f:.]{2,45})\]|[0-9A-Za-z.-]{1,255})(?::(?P<port>[0-9]{1,5}))?"
)
_LABEL = re.compile(r"[0-9a-z](?:[0-9a-z-]{0,61}[0-9a-z])?")
_LOOKS_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
_USER_ID = re.compile(r"@([^:\x00-\x1f\x7f]+):(.+)")
_LONGEST_USER_ID = 255  # bytes, Matrix appendices, "User Identifiers"


@dataclass(frozen=True, slots=True)
class ServerName:
    """A server name (Matrix appendices, "Server Name"), or the same form in ``m.server``.

    Attributes:
        text: As it was given; what the ``Host`` header says.
        host: DNS name in lower case, or an address without brackets.
        port: The port that it names, or None.
        address: The address, when the host is one.
    """

    text: str
    host: str
    port: int | None
    address: Address | None


def parse_server_name(text: str) -> ServerName:
    """Read a server name.

    Stricter than the grammar where that lets through what no server can have: empty or overlong labels,
    port 0, and names such as ``127.1`` or ``0x7f000001`` that some resolvers take for addresses.

    Raises:
        BadServerName: it is none.
    """
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise BadServerName("not a server name")
    port = None if match["port"] is None else int(match["port"])
    if port is not None and not 0 < port < 65536:
        raise BadServerName("a port out of range")
    if match["six"] is not None:
        return ServerName(text, match["six"].lower(), port, _ipv6(match["six"]))
    host = match["host"].lower()
    try:
        return ServerName(text, host, port, IPv4Address(host))
    except AddressValueError:
        if not is_dns_name(host):
            raise BadServerName("not a host name") from None
    return ServerName(text, host, port, None)


def _ipv6(text: str) -> IPv6Address:
    try:
        return IPv6Address(text)
    except AddressValueError:
        raise BadServerName("not an IPv6 address") from None


def is_dns_name(host: str) -> bool:
    """Whether a lower-case host can only be a DNS name: no address in any spelling (RFC 1123 §2.1)."""
    labels = host.split(".")
    well_formed = len(host) <= 253 and all(_LABEL.fullmatch(label) for label in labels)
    return well_formed and _LOOKS_NUMERIC.fullmatch(labels[-1]) is None


def server_of(user_id: str) -> str | None:
    """The server's part of a user id; None when it is no user id (Matrix appendices, "User Identifiers").

    Historical local parts are let through: only the colon, control characters and the length are looked at.
    """
    if len(user_id.encode()) > _LONGEST_USER_ID:
        return None
    match = _USER_ID.fullmatch(user_id)
    return match[2] if match else None
