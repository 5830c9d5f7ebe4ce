from __future__ import annotations

import string
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from appservice.federation.errors import BadServerName
from appservice.federation.names import ServerName, is_dns_name, parse_server_name, server_of

labels = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
hosts = st.lists(labels, min_size=1, max_size=5).map(".".join)
ports = st.one_of(st.none(), st.integers(1, 65535))


def written(host: str, port: int | None) -> str:
    return host if port is None else f"{host}:{port}"


@given(hosts, ports)
def test_a_dns_name_with_or_without_a_port_is_a_server_name(host: str, port: int | None) -> None:
    text = written(host, port)
    assert parse_server_name(text) == ServerName(text, host, port, None)


@given(st.ip_addresses(v=4), ports)
def test_an_ipv4_address_is_a_server_name(address: IPv4Address, port: int | None) -> None:
    text = written(str(address), port)
    assert parse_server_name(text) == ServerName(text, str(address), port, address)


@given(st.ip_addresses(v=6), ports)
def test_an_ipv6_address_in_brackets_is_a_server_name(address: IPv6Address, port: int | None) -> None:
    text = written(f"[{address}]", port)
    assert parse_server_name(text) == ServerName(text, str(address), port, address)


@given(st.text(alphabet=string.ascii_letters + string.digits + ".-:[]@/?#%\\ \x00\né_", max_size=60))
@example("xn--a")
@example("a" * 64)
def test_any_other_text_is_refused_or_means_one_host_only(text: str) -> None:
    try:
        name = parse_server_name(text)
    except BadServerName:
        return
    url = URL.build(scheme="https", host=name.host, port=name.port or 8448, path="/x")
    assert url.raw_host == name.host
    assert url.port == (name.port or 8448)
    assert url.path == "/x"
    assert URL(str(url)).raw_host == name.host


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":8448",
        "example.org:",
        "example.org:0",
        "example.org:65536",
        "example.org:123456",
        "example..org",
        ".example.org",
        "example.org.",
        "-example.org",
        "user@example.org",
        "example.org/path",
        "example.org\n",
        "exämple.org",
        "[::1",
        "[::g]",
        "[::1%25eth0]",
        "[1.2.3.4]",
        "::1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "1.2.3.4.5",
        "a." * 130 + "org",
    ],
)
def test_what_is_no_server_name_is_refused(text: str) -> None:
    with pytest.raises(BadServerName):
        parse_server_name(text)


def test_the_host_is_compared_in_lower_case_and_the_header_keeps_the_name_as_written() -> None:
    name = parse_server_name("Matrix.Example.ORG:443")
    assert (name.text, name.host, name.port) == ("Matrix.Example.ORG:443", "matrix.example.org", 443)


def test_a_label_that_only_ends_in_digits_is_still_a_name() -> None:
    assert is_dns_name("server1")
    assert is_dns_name("1.example")
    assert not is_dns_name("example.1")


@pytest.mark.parametrize(
    ("user_id", "server"),
    [
        ("@alice:example.org", "example.org"),
        ("@alice:example.org:8448", "example.org:8448"),
        ("@Old Name!:example.org", "example.org"),
        ("@alice", None),
        ("alice:example.org", None),
        ("@:example.org", None),
        ("@alice:", None),
        ("@ali\x00ce:example.org", None),
        ("@ali\nce:example.org", None),
        ("@" + "a" * 255 + ":example.org", None),
        ("", None),
    ],
)
def test_the_server_of_a_user_stands_after_the_first_colon(user_id: str, server: str | None) -> None:
    assert server_of(user_id) == server


@given(st.text())
def test_reading_a_user_id_never_fails(text: str) -> None:
    server = server_of(text)
    assert server is None or text.endswith(f":{server}")
