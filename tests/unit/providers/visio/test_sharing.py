from __future__ import annotations

import asyncio

import pytest

from bridge.providers.visio.sharing import Sharing


class Slow:
    """A question that is answered when the test says so."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def __call__(self) -> int:
        self.asked += 1
        return await asyncio.shield(self.answer)


async def test_those_who_ask_the_same_get_one_answer() -> None:
    sharing, slow = Sharing[int](), Slow()
    asking = [asyncio.create_task(sharing.ask("a", slow)) for _ in range(3)]
    other = asyncio.create_task(sharing.ask("b", slow))
    await asyncio.sleep(0)
    slow.answer.set_result(7)
    assert await asyncio.gather(*asking, other) == [7, 7, 7, 7]
    assert slow.asked == 2


async def test_who_asks_later_asks_anew() -> None:
    sharing, slow = Sharing[int](), Slow()
    slow.answer.set_result(7)
    assert await sharing.ask("a", slow) == 7
    assert await sharing.ask("a", slow) == 7
    assert slow.asked == 2


async def test_an_error_is_everybodys_and_is_forgotten() -> None:
    sharing, slow, again = Sharing[int](), Slow(), Slow()
    asking = [asyncio.create_task(sharing.ask("a", slow)) for _ in range(2)]
    await asyncio.sleep(0)
    slow.answer.set_exception(LookupError("no"))
    assert [type(e) for e in await asyncio.gather(*asking, return_exceptions=True)] == [LookupError] * 2
    again.answer.set_result(1)
    assert await sharing.ask("a", again) == 1


async def test_an_error_that_nobody_waits_for_is_no_noise() -> None:
    sharing, slow = Sharing[int](), Slow()
    asking = asyncio.create_task(sharing.ask("a", slow))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    slow.answer.set_exception(LookupError("no"))
    await sharing.close()


async def test_closing_ends_the_waiting() -> None:
    sharing, slow = Sharing[int](), Slow()
    asking = asyncio.create_task(sharing.ask("a", slow))
    await asyncio.sleep(0)
    await sharing.close()
    with pytest.raises(asyncio.CancelledError):
        await asking
