from __future__ import annotations

from bridge.rtc.restraint import Restraint


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_address_that_keeps_failing_waits_until_it_has_been_quiet() -> None:
    clock = Clock()
    restraint = Restraint(failures=2, window_s=60, clock=clock)
    for _ in range(2):
        assert restraint.wait_for_address("192.0.2.1", "example.org") == 0
        restraint.failed("192.0.2.1", "example.org")
    assert restraint.wait_for_address("192.0.2.1", "example.org") > 0
    clock.now = 61
    assert restraint.wait_for_address("192.0.2.1", "example.org") == 0


def test_failures_at_one_server_keep_nobody_of_another_waiting() -> None:
    restraint = Restraint(failures=1)
    restraint.failed("192.0.2.1", "evil.example")
    assert restraint.wait_for_address("192.0.2.1", "example.org") == 0
    assert restraint.wait_for_address("192.0.2.2", "evil.example") == 0


def test_who_asks_without_end_gets_a_token_now_and_then() -> None:
    clock = Clock()
    restraint = Restraint(burst=2, per_second=0.5, clock=clock)
    assert [restraint.wait_for_user("@alice:example.org") for _ in range(3)] == [0, 0, 2000]
    assert restraint.wait_for_user("@bob:example.org") == 0
    clock.now = 2
    assert restraint.wait_for_user("@alice:example.org") == 0
    assert restraint.wait_for_user("@alice:example.org") > 0
