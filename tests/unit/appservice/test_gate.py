from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import structlog.testing

from appservice import gate as module
from appservice.gate import Gate
from tests.support.waiting import until


class Probe:
    """Fails as often as told."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.calls = 0

    async def __call__(self) -> None:
        self.calls += 1
        if self.calls <= self.failures:
            raise ConnectionRefusedError("no")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_WAIT_S", 0.005)
    monkeypatch.setattr(module, "_LONGEST_WAIT_S", 0.02)


async def test_it_opens_with_the_first_answer_and_says_so_once() -> None:
    probe, told = Probe(failures=3), asyncio.Event()
    gate = Gate(probe)
    gate.on_reopened(told.set)
    assert not gate.is_open
    with structlog.testing.capture_logs() as logs:
        gate.start()
        await gate.wait()
    assert told.is_set()
    assert probe.calls == 4
    # An outage of an hour is not a thousand lines.
    assert [entry["event"] for entry in logs] == ["homeserver.does_not_answer", "homeserver.back"]


async def test_a_peer_that_answers_at_once_was_never_away() -> None:
    gate = Gate(Probe())
    with structlog.testing.capture_logs() as logs:
        gate.start()
        await gate.wait()
    assert logs == []


async def test_whoever_hears_of_the_peer_has_it_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_WAIT_S", 3600)
    gate = Gate(Probe(), is_open=True)
    gate.close("reset")
    gate.hurry()
    async with asyncio.timeout(5):
        await gate.wait()


async def test_an_outage_is_told_once_and_only_when_a_probe_confirms_it() -> None:
    probe, told = Probe(), []
    gate = Gate(probe, is_open=True)
    gate.on_away(lambda: told.append("away"))
    gate.on_reopened(lambda: told.append("back"))
    gate.close("one request of its own")
    await gate.wait()
    assert told == ["back"]
    probe.failures = 4
    gate.close("reset")
    await gate.wait()
    assert told == ["back", "away", "back"]


async def test_however_many_meet_an_outage_there_is_one_probe() -> None:
    probe = Probe()
    gate = Gate(probe, "sfu", is_open=True)
    with structlog.testing.capture_logs() as logs:
        for _ in range(100):
            gate.close("reset")
        assert not gate.is_open
        await gate.wait()
    assert probe.calls == 1
    assert [entry["event"] for entry in logs] == ["sfu.away", "sfu.back"]


async def test_each_outage_ends_with_a_call_back() -> None:
    probe, times = Probe(), 0

    def again() -> None:
        nonlocal times
        times += 1

    gate = Gate(probe, is_open=True)
    gate.on_reopened(again)
    for round_ in range(1, 4):
        gate.close("reset")
        await until(lambda: times == round_)  # noqa: B023


async def test_whoever_closes_it_while_being_called_back_is_heard() -> None:
    probe = Probe()
    gate = Gate(probe)
    closings: list[Callable[[], None]] = [lambda: gate.close("again")]
    gate.on_reopened(lambda: closings.pop()() if closings else None)
    gate.start()
    await until(lambda: probe.calls == 2 and gate.is_open)


async def test_it_stops_in_the_middle_of_an_outage() -> None:
    gate = Gate(Probe(failures=10**9))
    gate.start()
    await gate.stop()
    assert not gate.is_open
