from __future__ import annotations

from collections.abc import Callable

import pytest

from config import values
from config.problems import Wrong
from config.values import Listen


def test_an_address_to_listen_on_may_be_ipv6() -> None:
    assert values.parse_listen("[::1]:29400") == Listen("::1", 29400)
    assert str(Listen("::1", 29400)) == "[::1]:29400"
    assert values.parse_listen("0.0.0.0:80").everywhere
    assert not values.parse_listen("127.0.0.1:80").everywhere


@pytest.mark.parametrize(
    "written", [29400, ":29400", "127.0.0.1", "a b:1", "h:70000", "::1:80", "http://h:1"]
)
def test_what_is_no_address_to_listen_on_is_refused(written: object) -> None:
    with pytest.raises(Wrong):
        values.parse_listen(written)


@pytest.mark.parametrize(
    ("check", "written", "advice"),
    [
        (values.http_url, "matrix.example.org", "https://matrix.example.org"),
        (values.http_url, "wss://sfu.example.org/", "https://sfu.example.org"),
        (values.http_url, "https://u:p@example.org", "the URL without them"),
        (values.http_url, "https://example.org/a?b=c#d", "https://example.org/a"),
        (values.http_url, "http//example.org", "https://… (or http://…)"),
        (values.http_url, "ftp://example.org", "https://… (or http://…)"),
        (values.http_url, "https://", "https://… (or http://…)"),
        (values.websocket_url, "https://sfu.example.org", "wss://sfu.example.org"),
        (values.websocket_url, "http://localhost:7880", "ws://localhost:7880"),
        (values.server_name, "@marie:example.org", "example.org"),
        (values.localpart, "@visio:example.org", "visio"),
        (values.command_prefix, "/visio", '"!visio"'),
        (values.command_prefix, "", '"!visio"'),
        (values.command_prefix, "! visio", '"!-visio"'),
        (values.language, "es", "one of: fr, en, de"),
    ],
)
def test_a_wrong_value_comes_with_the_right_one(
    check: Callable[[str], str], written: str, advice: str
) -> None:
    with pytest.raises(Wrong) as refused:
        check(written)
    assert refused.value.write == advice


def test_a_server_name_that_is_a_url_is_recognised() -> None:
    with pytest.raises(Wrong) as refused:
        values.server_name("https://matrix.example.org:8448/")
    assert refused.value.write.startswith("matrix.example.org:8448 (")


@pytest.mark.parametrize(
    "name", ["example.org", "localhost:8448", "1.2.3.4", "[::1]:8448", "a-b.example.org"]
)
def test_server_names_of_every_kind_are_taken(name: str) -> None:
    assert values.server_name(name) == name


@pytest.mark.parametrize("name", ["", "a b", "exa_mple.org", "example.org:port", "exämple.org"])
def test_what_is_no_server_name_is_refused(name: str) -> None:
    with pytest.raises(Wrong):
        values.server_name(name)


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine_is_recognised(host: str) -> None:
    assert values.is_loopback(host)


@pytest.mark.parametrize("host", ["example.org", "localhost.example.org", "10.0.0.1", "0.0.0.0", ""])
def test_other_machines_are_not_taken_for_this_one(host: str) -> None:
    assert not values.is_loopback(host)


@pytest.mark.parametrize("prefix", ["!", "!v", "visio", "v!"])
def test_a_prefix_that_would_catch_ordinary_messages_is_refused(prefix: str) -> None:
    with pytest.raises(Wrong):
        values.command_prefix(prefix)


def test_a_password_in_a_refused_url_is_not_repeated() -> None:
    with pytest.raises(Wrong) as refused:
        values.http_url("ftp://user:hunter2@example.org")
    assert "hunter2" not in refused.value.wrong + refused.value.write
