from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from bridge.keeper.agenda import Agenda, Due, Gone
from tests.support.waiting import until

FAR = 10_000_000


class Eyes:
    """Looks when it is let, and remembers at what.

    Attributes:
        looks: The batches so far.
        next: When to look at each call again.
        error: Raised by the next look.
        open: Looks end only while this is set.
    """

    def __init__(self) -> None:
        self.looks: list[dict[str, Gone]] = []
        self.next: dict[str, Due] = {}
        self.error: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()

    async def look(self, batch: Mapping[str, Gone]) -> dict[str, Due]:
        self.looks.append(dict(batch))
        await self.open.wait()
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return {call_id: self.next.get(call_id) for call_id in batch}

    def count(self, call_id: str) -> int:
        return sum(call_id in batch for batch in self.looks)


class Hands:
    now = 1_000


@pytest.fixture
def eyes() -> Eyes:
    return Eyes()


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
async def agenda(eyes: Eyes, hands: Hands) -> AsyncIterator[Agenda]:
    made = Agenda(eyes.look, lambda: hands.now)
    made.start()
    yield made
    eyes.open.set()
    await made.stop(1)


async def test_a_call_is_looked_at_when_it_is_due(agenda: Agenda, eyes: Eyes) -> None:
    agenda.at("later", FAR)
    agenda.at("now", 1_000)
    await until(lambda: eyes.looks)
    assert eyes.looks == [{"now": frozenset()}]
    assert "later" in agenda
    assert "now" not in agenda


async def test_the_earliest_of_several_times_counts(agenda: Agenda, eyes: Eyes) -> None:
    agenda.at("c", FAR)
    agenda.at("c", 1_000)
    agenda.at("c", FAR)
    await until(lambda: eyes.looks)
    assert len(agenda) == 0


async def test_a_hint_brings_what_it_knows(agenda: Agenda, eyes: Eyes) -> None:
    agenda.at("c", FAR)
    agenda.hint("c", ["ada"])
    agenda.hint("c", ["bob"])
    await until(lambda: eyes.looks)
    assert eyes.looks == [{"c": frozenset({"ada", "bob"})}]


async def test_what_is_due_together_is_looked_at_together(agenda: Agenda, eyes: Eyes) -> None:
    for number in range(30):
        agenda.at(f"c{number}", 1_000)
    await until(lambda: eyes.looks)
    assert len(eyes.looks[0]) == 30


async def test_the_answer_says_when_to_look_again(agenda: Agenda, eyes: Eyes, hands: Hands) -> None:
    eyes.next["c"] = 2_000
    agenda.hint("c")
    await until(lambda: eyes.looks and "c" in agenda)
    eyes.next["c"] = None
    hands.now = 2_000
    agenda.hint("another")
    await until(lambda: eyes.count("c") == 2)
    await until(lambda: "c" not in agenda)


async def test_a_hint_during_a_look_makes_one_more(agenda: Agenda, eyes: Eyes) -> None:
    eyes.open.clear()
    agenda.hint("c")
    await until(lambda: eyes.looks)
    agenda.hint("c", ["ada"])
    agenda.hint("c")
    assert len(eyes.looks) == 1, "never two looks at one call at a time"
    eyes.open.set()
    await until(lambda: eyes.count("c") == 2)
    assert eyes.looks[1] == {"c": frozenset({"ada"})}
    await until(lambda: "c" not in agenda)


async def test_somebody_expected_during_a_look_is_looked_for_in_time(
    agenda: Agenda, eyes: Eyes, hands: Hands
) -> None:
    eyes.open.clear()
    eyes.next["c"] = FAR
    agenda.hint("c")
    await until(lambda: eyes.looks)
    agenda.at("c", 2_500)
    eyes.open.set()
    agenda.hint("another")
    await until(lambda: eyes.count("another"))
    hands.now = 2_500
    agenda.hint("another")
    await until(lambda: eyes.count("c") == 2)


async def test_what_was_dropped_is_not_looked_at(agenda: Agenda, eyes: Eyes, hands: Hands) -> None:
    agenda.at("c", 2_000)
    agenda.drop("c")
    hands.now = 2_000
    agenda.hint("another")
    await until(lambda: eyes.looks)
    assert eyes.looks == [{"another": frozenset()}]


async def test_after_a_failure_everything_is_looked_at_again(
    agenda: Agenda, eyes: Eyes, hands: Hands
) -> None:
    eyes.error = RuntimeError()
    agenda.hint("c", ["ada"])
    await until(lambda: eyes.looks and "c" in agenda)
    hands.now = 2_000
    agenda.hint("another")
    await until(lambda: eyes.count("c") == 2)


async def test_stopping_lets_a_look_end(eyes: Eyes) -> None:
    agenda = Agenda(eyes.look, lambda: 1_000)
    agenda.start()
    eyes.open.clear()
    agenda.hint("c")
    await until(lambda: eyes.looks)
    stopping = asyncio.create_task(agenda.stop(5))
    eyes.open.set()
    await stopping
    assert len(agenda) == 0


class Slow:
    """A look that goes on until it is let go."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.error: Exception | None = None

    async def look(self) -> int | None:
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return FAR


async def test_a_look_that_takes_long_holds_up_no_other(agenda: Agenda, eyes: Eyes) -> None:
    slow = Slow()
    eyes.next["slow"] = asyncio.create_task(slow.look())
    agenda.hint("slow")
    agenda.hint("quick")
    await until(lambda: eyes.count("slow") == eyes.count("quick") == 1)
    agenda.hint("quick")
    await until(lambda: eyes.count("quick") == 2)
    agenda.hint("slow")
    agenda.hint("quick")
    await until(lambda: eyes.count("quick") == 3)
    assert eyes.count("slow") == 1, "never two looks at one call at a time"
    eyes.next["slow"] = None
    slow.open.set()
    await until(lambda: eyes.count("slow") == 2)


@pytest.mark.parametrize("error", [RuntimeError(), ConnectionRefusedError()])
async def test_a_slow_look_that_fails_is_tried_again(
    agenda: Agenda, eyes: Eyes, hands: Hands, error: Exception
) -> None:
    slow = Slow()
    slow.error = error
    eyes.next["slow"] = asyncio.create_task(slow.look())
    agenda.hint("slow")
    await until(lambda: eyes.count("slow") == 1)
    eyes.next["slow"] = None
    slow.open.set()

    def a_second_later() -> bool:
        hands.now += 1_000
        agenda.hint("another")
        return eyes.count("slow") == 2

    await until(a_second_later)


async def test_slow_looks_are_given_their_time_when_everything_stops(agenda: Agenda, eyes: Eyes) -> None:
    slow, late = Slow(), Slow()
    eyes.next = {"slow": asyncio.create_task(slow.look()), "late": asyncio.create_task(late.look())}
    agenda.hint("slow")
    agenda.hint("late")
    await until(lambda: len(eyes.looks) > 0)
    asyncio.get_running_loop().call_later(0.01, slow.open.set)
    await agenda.stop(0.2)
    done, cancelled = eyes.next["slow"], eyes.next["late"]
    assert isinstance(done, asyncio.Task)
    assert isinstance(cancelled, asyncio.Task)
    assert (done.result(), cancelled.cancelled()) == (FAR, True)
