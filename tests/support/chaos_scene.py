"""Rooms full of people who ask the bridge for things, and meetings that they enter and leave, at random.

Everything random comes from one seed, which a failure shows. What is not random is what servers make of
it: the same seed gives the same commands and pauses, not the same interleaving.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections import Counter
from collections.abc import Coroutine
from contextlib import AsyncExitStack, nullcontext
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
from livekit import rtc

from bridge.demo.guest import TurnedAway
from bridge.demo.matrix_user import MatrixRefused, MatrixUser
from bridge.demo.peers.livekit import LiveKit
from bridge.sfu.client import Sfu
from bridge.sfu.tokens import ApiKey
from tests.support.cards import Card, Salon, cards_of
from tests.support.chaos_account import IN_THE_OPEN, PREFIX, Account
from tests.support.chaos_extent import Extent
from tests.support.people import Visitor
from tests.support.waiting import until

CLOCK_S = 2
"""The slow clock that the chaos tests set, ``calls.clock``."""

ROUND_S = 2 * CLOCK_S + 6
"""What one reconcile round may take: a look, the second look at whom the first one missed, a busy machine."""

VISITS = 3
"""How many visits a meeting gets: more would use up its card's free edits, and then the card may be late
(`bridge.calls.pace`)."""

HAPPENS_S = 60
"""For some commands to be typed, however slow the machine."""

TICKET_S = 10
"""How long a visitor waits for the bridge's answer."""

ENDS = (f"{PREFIX} fin", f"{PREFIX} fin oui")

_WORDS = {
    f"{PREFIX} ping": 3,
    f"{PREFIX} version": 1,
    f"{PREFIX} aide": 1,
    f"{PREFIX} statut": 3,
    f"{PREFIX} lien": 3,
    PREFIX: 3,
    **dict.fromkeys(ENDS, 1),
}
"""What people type, and how often."""


class Gate:
    """Lets the people of a scene go on or makes them wait between two steps.

    ``async with gate:`` is one step; `close` returns when nobody is inside one.
    """

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._inside = 0
        self._nobody = asyncio.Event()
        self._nobody.set()

    def open(self) -> None:
        """Let them go on."""
        self._open.set()

    async def close(self) -> None:
        """Let nobody begin a step, and wait for the steps under way."""
        self._open.clear()
        await self._nobody.wait()

    async def __aenter__(self) -> None:
        await self._open.wait()
        self._inside += 1
        self._nobody.clear()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inside -= 1
        if not self._inside:
            self._nobody.set()


class Talk:
    """A room in which people type commands.

    Attributes:
        salon: The room with the bot, as its first member sees it.
        members: Who types; the first one made the room.
        sent: Ids of all commands.
        visits: How often each card's meeting was entered.
        calm: Held while somebody ends the meeting, and while somebody enters it: the SDK takes a minute to
            find out that a meeting was ended in that very moment.
    """

    def __init__(self, salon: Salon, members: list[MatrixUser], rng: random.Random) -> None:
        self.salon = salon
        self.members = members
        self.sent: list[str] = []
        self.visits: Counter[str] = Counter()
        self.calm = asyncio.Lock()
        self._rng = rng

    @property
    def account(self) -> Account:
        """What happened so far."""
        return Account(self.salon.timeline, self.salon.bot_id)

    @property
    def card(self) -> Card | None:
        """The newest card."""
        cards = cards_of(self.salon.timeline)
        return cards[-1] if cards else None

    async def chatter(self, gate: Gate) -> None:
        """Type one command after the other, sometimes waiting for the answer and sometimes not."""
        while True:
            async with gate:
                text = self._rng.choices(list(_WORDS), list(_WORDS.values()))[0]
                in_the_open = text in IN_THE_OPEN and self._rng.random() < 0.3
                user = self._rng.choice(self.members)
                async with self.calm if text in ENDS else nullcontext():
                    thread = await self.ask(text, by=user, in_the_open=in_the_open)
            await self.is_answered(thread, self._rng.uniform(0.05, 0.8))

    async def ask(self, text: str, *, by: MatrixUser | None = None, in_the_open: bool = False) -> str:
        """Type a command in a thread of its own, or in the main timeline; answers the thread's root."""
        user = by or self.salon.user
        if in_the_open:
            self.sent.append(await say(user, self.salon.room_id, text))
            return ""
        root = await say(user, self.salon.room_id, "Une question")
        relation = {"rel_type": "m.thread", "event_id": root}
        self.sent.append(await say(user, self.salon.room_id, text, relation))
        return root

    async def is_answered(self, thread: str, timeout: float) -> bool:
        """Wait for the answer in a thread, but not longer than ``timeout`` seconds."""
        try:
            await self.salon.user.wait_until(lambda: self.account.answered(thread), timeout)
        except TimeoutError:
            return False
        return True

    def goes_on(self) -> bool:
        """Whether nobody's wish to end the meeting is still under way."""
        return not self._unseen() and self.account.calls_are_right()

    def is_settled(self) -> bool:
        """Whether every command has been answered, exactly once."""
        return not self._unseen() and not self.account.problems()

    def _unseen(self) -> list[str]:
        seen = {event["event_id"] for event in self.salon.timeline}
        return [event_id for event_id in self.sent if event_id not in seen]

    async def settle(self, timeout: float) -> None:
        """Wait until every command has been answered, exactly once.

        Raises:
            AssertionError: That did not become so; the message says what is wrong.
        """
        try:
            await self.salon.user.wait_until(self.is_settled, timeout)
        except TimeoutError:
            problems = self.account.problems() + [f"not in the timeline: {e}" for e in self._unseen()]
            told = "\n".join(problems) or "settled in the last moment"
            raise AssertionError(
                f"after {timeout:.0f} s in room {self.salon.room_id}:\n{told}\n\n{self.account.transcript()}"
            ) from None


class Scene:
    """Some rooms, their people and their visitors, between given servers.

    ``async with`` makes the rooms and ends everything that it started.

    Attributes:
        talks: The rooms.
        seed: Where all that is random comes from.
        rounds: How long each time the cards took to be right again, seconds.
        rng: For the test's own random instants.
    """

    def __init__(self, livekit: LiveKit, bot_id: str, people: list[MatrixUser], extent: Extent) -> None:
        self.talks: list[Talk] = []
        self.seed = extent.seed
        self.rounds: list[float] = []
        self.rng = random.Random(f"{extent.seed} test")
        self._livekit = livekit
        self._bot_id = bot_id
        self._people = people
        self._gate = Gate()
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._note = extent.note

    async def __aenter__(self) -> Self:
        self._sfu = await self._stack.enter_async_context(
            Sfu(self._livekit.api_url, ApiKey(self._livekit.key, self._livekit.secret))
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    async def open_rooms(self, count: int = 2, *, visitors: int = 2) -> None:
        """Make the rooms. The bridge has to be running."""
        host, *guests = self._people
        for number in range(count):
            salon = await Salon.made_by(host, self._bot_id, name=f"Salon {number}")
            await salon.admit(*guests)
            talk = Talk(salon, self._people, random.Random(f"{self.seed} talk {number}"))
            self.talks.append(talk)
            self._begin(talk.chatter(self._gate))
            for visitor in range(visitors):
                rng = random.Random(f"{self.seed} visitor {number} {visitor}")
                self._begin(self._come_and_go(talk, f"{number}-{visitor}", rng))

    def play(self) -> None:
        """Let everybody do what they do."""
        self._gate.open()

    async def let_happen(self) -> None:
        """Let everybody do what they do until a random instant: after some commands, and then a moment."""
        wanted = sum(len(talk.sent) for talk in self.talks) + self.rng.randint(1, 5 * len(self.talks))
        self.play()
        await until(lambda: sum(len(talk.sent) for talk in self.talks) >= wanted, HAPPENS_S)
        await asyncio.sleep(self.rng.uniform(0, 0.5))

    async def hush(self) -> None:
        """Everybody stops where they are: no more commands, nobody enters or leaves a meeting."""
        await self._gate.close()
        for task in self._tasks:
            if task.done():
                task.result()

    async def settle(self, timeout: float = 30) -> None:
        """Wait until every command in every room has been answered exactly once.

        Raises:
            AssertionError: That did not become so.
        """
        await asyncio.gather(*(talk.settle(timeout) for talk in self.talks))

    async def cards_come_right(self) -> None:
        """Wait until the cards say what the SFU says.

        Everybody has to be hushed.

        Raises:
            AssertionError: It took longer than one reconcile round.
        """
        began = time.monotonic()
        await asyncio.gather(*(self._card_comes_right(talk) for talk in self.talks))
        self.rounds.append(time.monotonic() - began)

    def report(self) -> None:
        """Note what was done, for whoever wants to know whether it was enough."""
        for talk in self.talks:
            account = talk.account
            states = [card.states() for card in account.cards]
            self._note(f"{len(account.commands)} commands, {len(account.answers)} answers, cards {states}")
        rounds = ", ".join(f"{seconds:.1f}" for seconds in self.rounds)
        self._note(f"seconds until the cards were right again: {rounds}")

    async def _card_comes_right(self, talk: Talk) -> None:
        async def right() -> bool:
            return await self._difference(talk) is None

        try:
            await until(right, ROUND_S, poll=0.1)
        except TimeoutError:
            raise AssertionError(
                f"{await self._difference(talk)} in room {talk.salon.room_id}\n{talk.account.transcript()}"
            ) from None

    async def _difference(self, talk: Talk) -> str | None:
        card = talk.card
        if card is None or not card.url:
            return None
        inside = {p.name for p in await self._sfu.participants(sfu_room(card.url))}
        state = "active" if inside else card.state
        if card.names == inside and card.state == state and card.call["stale_since_ts"] is None:
            return None
        return f"the card says {card.state} {sorted(card.names)}, the SFU {sorted(inside)}"

    async def _come_and_go(self, talk: Talk, who: str, rng: random.Random) -> None:
        """Enter the room's meeting whenever there is one, stay a little, leave."""
        visit = 0
        while True:
            visit += 1
            await asyncio.sleep(rng.uniform(0.1, 1.5))
            visitor = None
            async with self._gate, talk.calm:
                card = talk.card
                if card and card.url and talk.visits[card.event_id] < VISITS and talk.goes_on():
                    talk.visits[card.event_id] += 1
                    visitor = await enter(card.url, f"Visiteur {who}-{visit}")
            if visitor is None:
                continue
            try:
                await asyncio.sleep(rng.uniform(0.1, 3))
                async with self._gate:
                    await visitor.leave()
            finally:
                await visitor.leave()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))


async def enter(link: str, name: str) -> Visitor | None:
    """Enter a meeting; None if the bridge or the SFU does not let us or is not there."""
    try:
        async with asyncio.timeout(TICKET_S):
            visitor = await Visitor.by_link(link, name)
    except (TurnedAway, aiohttp.ClientError, TimeoutError, ValueError):
        return None
    joining = asyncio.ensure_future(visitor.join())
    try:
        return await asyncio.shield(joining)
    except rtc.ConnectError:
        return None
    except asyncio.CancelledError:
        # The SDK ends the whole process when nobody waits for a connection that comes about.
        await asyncio.gather(joining, return_exceptions=True)
        await visitor.leave()
        raise


def sfu_room(link: str) -> str:
    """The SFU room behind a card's link."""
    return "passerelle-" + link.partition("#")[0].rpartition("/")[2]


async def say(user: MatrixUser, room_id: str, text: str, relation: object = None) -> str:
    """Send a message as clients do: again and again with one transaction id, until it is in the room."""
    content = {"msgtype": "m.text", "body": text} | ({"m.relates_to": relation} if relation else {})
    path = f"/v3/rooms/{quote(room_id)}/send/m.room.message/{secrets.token_hex(8)}"
    while True:
        try:
            return str((await user.request("PUT", path, content))["event_id"])
        except (aiohttp.ClientError, TimeoutError):
            pass  # the homeserver is away
        except MatrixRefused as refusal:
            if refusal.status < 500:
                raise
        await asyncio.sleep(0.1)
