from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence

import pytest

from appservice.federation import resolver as module
from appservice.federation.errors import AddressRefused
from appservice.federation.guard import AddressGuard
from appservice.federation.resolver import GuardedResolver, SystemNames
from tests.support.waiting import until
from tests.unit.appservice.federation.servers import names


async def test_only_the_addresses_that_may_be_reached_are_given_to_the_connector() -> None:
    resolver = GuardedResolver(
        names(mixed_example=["10.0.0.1", "1.1.1.1", "::1", "2606:4700::1"]), AddressGuard()
    )
    found = await resolver.resolve("mixed.example", 8448)
    assert [(each["host"], each["port"], each["family"]) for each in found] == [
        ("1.1.1.1", 8448, socket.AF_INET),
        ("2606:4700::1", 8448, socket.AF_INET6),
    ]


async def test_a_name_with_forbidden_addresses_only_is_refused_by_its_reason() -> None:
    resolver = GuardedResolver(names(inside_example=["10.0.0.1"]), AddressGuard())
    with pytest.raises(AddressRefused, match=r"inside.example is at 10\.0\.0\.1"):
        await resolver.resolve("inside.example")


async def test_without_a_guard_every_address_will_do() -> None:
    assert await GuardedResolver(names(), None).resolve("anything.example")


async def test_the_machine_knows_itself() -> None:
    assert "127.0.0.1" in await SystemNames()("localhost")


@pytest.mark.parametrize("host", ["no-such-name.invalid", "a" * 300, "a..b", "\x00", "é.example"])
async def test_a_name_that_cannot_be_resolved_is_an_os_error(host: str) -> None:
    with pytest.raises(socket.gaierror):
        await SystemNames()(host)


async def test_slow_names_wait_for_one_another_and_not_for_their_askers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = threading.Event()
    asked: list[str] = []

    def slow(host: str) -> tuple[Sequence[str], OSError | None]:
        asked.append(host)
        answer.wait(10)
        return ["1.1.1.1"], None

    monkeypatch.setattr(module, "_addresses", slow)
    look_up = SystemNames(at_once=2)
    gone = asyncio.create_task(look_up("gone"))
    waiting = [asyncio.create_task(look_up(f"waiting{number}")) for number in range(3)]
    await until(lambda: len(asked) == 2)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    # A thread that nobody waits for any more still holds its place.
    assert set(asked) == {"gone", "waiting0"}
    answer.set()
    assert await asyncio.gather(*waiting) == [["1.1.1.1"]] * 3


async def test_a_look_up_whose_turn_does_not_come_is_given_up() -> None:
    with pytest.raises(TimeoutError):
        await SystemNames(at_once=0, patience_s=0.05)("localhost")


async def test_a_machine_without_threads_left_loses_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    look_up = SystemNames(at_once=1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(OSError, match="no thread"):
            await look_up("localhost")
    assert await look_up("localhost")
