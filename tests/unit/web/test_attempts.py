from __future__ import annotations

import pytest

from bridge.web.attempts import WINDOW_S, Attempts, client_address


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_address_is_refused_after_its_wrong_secrets_and_allowed_again_a_minute_later() -> None:
    clock = Clock()
    attempts = Attempts(limit=3, clock=clock)
    for _ in range(3):
        assert attempts.allowed("192.0.2.1", "abc")
        attempts.wrong("192.0.2.1", "abc")
    assert not attempts.allowed("192.0.2.1", "abc")
    assert attempts.allowed("192.0.2.2", "abc")
    clock.now += WINDOW_S + 1
    assert attempts.allowed("192.0.2.1", "abc")


def test_one_ipv6_subscriber_counts_as_one_address() -> None:
    attempts = Attempts(limit=2)
    attempts.wrong("2001:db8:0:1::1", "abc")
    attempts.wrong("2001:db8:0:1:ffff::2", "abc")
    assert not attempts.allowed("2001:db8:0:1::3", "abc")
    assert attempts.allowed("2001:db8:0:2::1", "abc")


def test_a_flood_of_addresses_does_not_fill_the_memory() -> None:
    attempts = Attempts(limit=1, addresses=10)
    for number in range(1_000):
        attempts.wrong(f"198.51.{number // 256}.{number % 256}", "abc")
    remembered = [n for n in range(1_000) if not attempts.allowed(f"198.51.{n // 256}.{n % 256}", "abc")]
    assert remembered == list(range(990, 1_000))


@pytest.mark.parametrize(
    ("remote", "forwarded", "address"),
    [
        ("127.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.5", "203.0.113.1, 198.51.100.7", "198.51.100.7"),
        ("1.2.3.4", "203.0.113.1", "1.2.3.4"),
        ("127.0.0.1", None, "127.0.0.1"),
        (None, None, ""),
    ],
)
def test_only_a_near_proxy_is_believed_about_the_address(
    remote: str | None, forwarded: str | None, address: str
) -> None:
    assert client_address(remote, forwarded) == address
