"""Which addresses may be reached.

A server name comes from whoever asks, and its DNS records from whoever owns it: without a guard the bridge
would knock at any door of its own network for them. The lists follow the IANA special-purpose address
registries (RFC 6890); Python's ``is_global`` is not used because it changed between the versions that we run
on, and lets multicast through.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from appservice.federation.names import Address

_NOT_PUBLIC_4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # "this network", RFC 791; Linux connects 0.0.0.0 to itself
        "10.0.0.0/8",  # private, RFC 1918
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598
        "127.0.0.0/8",  # loopback, RFC 1122
        "169.254.0.0/16",  # link-local, RFC 3927; clouds serve credentials there
        "172.16.0.0/12",  # private, RFC 1918
        "192.0.0.0/24",  # protocol assignments, RFC 6890
        "192.0.2.0/24",  # documentation, RFC 5737
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "192.168.0.0/16",  # private, RFC 1918
        "198.18.0.0/15",  # benchmarking, RFC 2544
        "198.51.100.0/24",  # documentation, RFC 5737
        "203.0.113.0/24",  # documentation, RFC 5737
        "224.0.0.0/4",  # multicast, RFC 5771
        "240.0.0.0/4",  # reserved, RFC 1112, and broadcast
    )
)

_PUBLIC_6 = IPv6Network("2000::/3")  # the only global unicast space that IANA gives out, RFC 4291
_NOT_PUBLIC_6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, RFC 2928; Teredo among them, which holds IPv4 addresses
        "2001:db8::/32",  # documentation, RFC 3849
        "2002::/16",  # 6to4, RFC 3056: holds IPv4 addresses
        "3fff::/20",  # documentation, RFC 9637
    )
)

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


class AddressGuard:
    """Says which addresses may be reached: public ones, and those in the networks that the admin listed."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """Take the admin's networks, such as ``10.0.0.0/8`` or ``fd00::/8``.

        Raises:
            ValueError: one of them is no network.
        """
        self._networks = tuple(ip_network(network, strict=False) for network in networks)

    def allows(self, address: Address | str) -> bool:
        """Whether an address may be reached; what is no address may not."""
        if isinstance(address, str):
            try:
                address = ip_address(address.partition("%")[0])
            except ValueError:
                return False
        meant = _meant(address)
        listed = any(
            each.version == here.version and here in each
            for here in (address, meant)
            for each in self._networks
        )
        return listed or is_public(meant)


def _meant(address: Address) -> Address:
    """The IPv4 address inside an IPv4-mapped (RFC 4291 §2.5.5.2) or NAT64 one; else the address itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def is_public(address: Address) -> bool:
    """Whether an address is ordinary, globally reachable unicast."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    return address in _PUBLIC_6 and not any(address in network for network in _NOT_PUBLIC_6)
