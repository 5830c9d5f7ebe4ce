from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.federation.guard import AddressGuard, is_public

guard = AddressGuard()


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "",
        "localhost",
        "127.1",
    ],
)
def test_what_is_not_a_public_address_is_refused(address: str) -> None:
    assert not guard.allows(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.1",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.1",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2001:200::1",
        "2606:4700::1111",
        "2a00:1450::1",
        "::ffff:1.1.1.1",
        "64:ff9b::101:101",
    ],
)
def test_a_public_address_is_allowed(address: str) -> None:
    assert guard.allows(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_in_every_wrapping(address: IPv4Address) -> None:
    verdict = guard.allows(address)
    assert guard.allows(IPv6Address(f"::ffff:{address}")) is verdict
    assert guard.allows(IPv6Address(int(IPv6Address("64:ff9b::")) + int(address))) is verdict


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_is_reached_through_6to4_or_teredo(address: IPv4Address) -> None:
    assert not guard.allows(IPv6Address(0x2002 << 112 | int(address) << 80 | 1))
    assert not guard.allows(IPv6Address(0x20010000 << 96 | int(address) << 64 | (int(address) ^ 0xFFFFFFFF)))


@given(st.ip_addresses())
def test_the_guard_is_never_laxer_than_python_knows(address: IPv4Address | IPv6Address) -> None:
    if is_public(address):
        assert not address.is_private
        assert not address.is_multicast
        assert not address.is_reserved
        assert not address.is_loopback
        assert not address.is_link_local
        assert not address.is_unspecified


@given(st.ip_addresses(v=4, network="10.0.0.0/8"), st.integers(8, 32))
def test_a_listed_network_opens_itself_and_nothing_beside(address: IPv4Address, length: int) -> None:
    network = IPv4Network((address, length), strict=False)
    listed = AddressGuard([str(network)])
    assert listed.allows(address)
    assert listed.allows(IPv6Address(f"::ffff:{address}"))
    for other in (network.network_address - 1, network.broadcast_address + 1):
        assert listed.allows(other) is is_public(other)
    assert not listed.allows("127.0.0.1")
    assert not listed.allows("::1")


@given(st.ip_addresses(v=6, network="fd00::/8"), st.integers(8, 128))
def test_a_listed_ipv6_network_opens_itself(address: IPv6Address, length: int) -> None:
    assert AddressGuard([str(IPv6Network((address, length), strict=False))]).allows(address)


def test_what_is_no_network_is_said_at_once() -> None:
    with pytest.raises(ValueError, match="99"):
        AddressGuard(["10.0.0.0/99"])
