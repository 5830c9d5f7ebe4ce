"""The way to the homeserver: noticing when it is away, and making good what that has cost when it is back.

What it does not push is read in the rooms (`appservice.catch_up`) in three cases: it was away, or we were;
it has ended a back-off, and may have left a transaction behind; it has passed one over (`appservice.gaps`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from appservice.catch_up import CatchUp
from appservice.clock import Clock
from appservice.database import is_outage
from appservice.errors import HomeserverUnreachable, MatrixError
from appservice.faults import place
from appservice.gaps import Gaps
from appservice.gate import Gate
from appservice.intents import Actors

log = structlog.get_logger()

_HOLD_S = 10.0
"""How long a transaction waits at most for what goes before it. Synapse waits 60 s for an answer."""

_BEFORE_AN_OUTAGE_MS = 120_000
"""What a homeserver loses when it dies is at most a minute old: after a minute a transaction fails, and what
follows a failed one is kept in its database. The other minute is for clocks that differ."""

_BEFORE_THE_START_MS = 15 * 60_000
"""We cannot know whether it died while we were away. Whoever wrote before that has asked again by now."""

_AGAIN_S = 5.0
"""How long after it was asked to send what it holds the rooms are read once more, seconds: it may have left a
transaction behind as it ended its back-off."""

_GAPS = 5
"""How many gaps are looked into until then. Whose ids leave more of them does not number as Synapse does, and
reading at each of its transactions would help nobody."""

_ROOMS_AFTER_AN_OUTAGE = 500
_ROOMS_AT_THE_START = 100


class TokenRefused(Exception):
    """The homeserver does not know our ``as_token``.

    Name the registration in its ``app_service_config_files``, and restart it.
    """

    def __init__(self, why: str) -> None:
        super().__init__(
            f"{why}. It does not know our as_token: name the registration in its app_service_config_files"
            " and restart it"
        )


@dataclass(frozen=True, slots=True)
class _Missed:
    """What may have been lost: since when (milliseconds since the epoch), and how many rooms to look in."""

    since: int
    rooms: int


class Link:
    """Makes the bot known, watches the homeserver, reads what it lost, and asks it to send again.

    Attributes:
        gate: Whether the homeserver answers.
    """

    def __init__(
        self,
        actors: Actors,
        catch_up: CatchUp,
        clock: Clock,
        *,
        appservice_id: str,
        display_name: str,
        avatar: str | None,
        watch_every_s: float,
        is_alone: Callable[[], bool],
    ) -> None:
        """Build it; see `appservice.runtime.RuntimeSettings`.

        Args:
            actors: The bot asks.
            catch_up: Reads what was lost.
            clock: The time.
            appservice_id: In the registration.
            display_name: The bot's.
            avatar: The bot's.
            watch_every_s: How often the homeserver is asked whether it is there.
            is_alone: Whether every transaction comes to this process.
        """
        self.gate = Gate(self._ask)
        self._actors = actors
        self._catch_up = catch_up
        self._clock = clock
        self._appservice_id = appservice_id
        self._display_name = display_name
        self._avatar = avatar
        self._watch_every_s = watch_every_s
        self._bot_is_ready = False
        self._missed: _Missed | None = None
        self._is_alone = is_alone
        self._gaps = Gaps()
        self._gaps_seen_to = 0
        self._again: asyncio.TimerHandle | None = None
        self._reading = asyncio.Lock()
        self._caught_up = asyncio.Event()
        self._caught_up.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.gate.on_away(self._went_away)
        self.gate.on_reopened(self.make_good_soon)

    def start(self) -> None:
        """Ask the homeserver for the first time, and go on watching it."""
        self._missed = _Missed(self._clock() - _BEFORE_THE_START_MS, _ROOMS_AT_THE_START)
        self.gate.start()
        self._soon(self._watch())

    async def stop(self) -> None:
        """Stop watching."""
        self._not_again()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.gate.stop()

    def make_good_soon(self) -> None:
        """Read what was lost, if anything was, and ask the homeserver to send what it holds for us."""
        if self.gate.is_open:  # if not, it happens when it answers
            self._soon(self._make_good())

    async def caught_up(self, txn_id: str) -> None:
        """Return when nothing is on its way to us that goes before this transaction.

        An outage may have cost what people wrote before it; what it pushes after the outage waits a little
        for that to be read, so that the order of a room stays. So does what comes after a gap.
        """
        if self._gaps.before(txn_id) and self._is_alone() and self._gaps_seen_to < _GAPS:
            log.info("homeserver.passed_a_transaction_over", before=txn_id)
            self._see_to_a_gap()
        if self._caught_up.is_set():
            return
        self.gate.hurry()  # whoever sends transactions is there
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_HOLD_S):
                await self._caught_up.wait()
        self._caught_up.set()  # one wait for each outage: it may be able to reach us, and not we it

    def _see_to_a_gap(self) -> None:
        self._gaps_seen_to += 1
        self._has_missed(_ROOMS_AFTER_AN_OUTAGE)
        self._caught_up.clear()
        if self._gaps_seen_to == 1:
            self.make_good_soon()
        elif self.gate.is_open:  # if not, it happens when it answers
            # Without asking it to send: that may have it leave the next one behind.
            self._soon(self._read_before_what_follows())

    def _went_away(self) -> None:
        self._has_missed(_ROOMS_AFTER_AN_OUTAGE)
        self._caught_up.clear()

    async def _make_good(self) -> None:
        if self._missed is not None:
            self._caught_up.clear()  # at the start, too: it sends what it holds as soon as it is asked to
        try:
            await self._ping()
            self._not_again()
            self._again = asyncio.get_running_loop().call_later(_AGAIN_S, self._read_again)
            await self._read()
        except HomeserverUnreachable as error:
            self.gate.close(str(error))
        else:
            if self.gate.is_open:  # or it is away again, and there is more to wait for
                self._caught_up.set()

    def _read_again(self) -> None:
        self._again = None
        self._gaps_seen_to = 0
        self._has_missed(_ROOMS_AT_THE_START)
        if self.gate.is_open:  # if not, it happens when it answers
            self._soon(self._read_in_passing())

    async def _read_in_passing(self) -> None:
        """Read while the homeserver pushes: nothing waits for it."""
        try:
            await self._read()
        except HomeserverUnreachable as error:
            self.gate.close(str(error))

    async def _read_before_what_follows(self) -> None:
        await self._read_in_passing()
        if self.gate.is_open:
            self._caught_up.set()

    def _not_again(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None

    def _has_missed(self, rooms: int) -> None:
        """There is something to read, even if a reading is on its way: it may be past that room already."""
        since = self._clock() - _BEFORE_AN_OUTAGE_MS
        if self._missed is not None:
            since, rooms = min(since, self._missed.since), max(rooms, self._missed.rooms)
        self._missed = _Missed(since, rooms)

    async def _read(self) -> None:
        async with self._reading:
            missed = self._missed
            if missed is None:
                return
            try:
                await self._catch_up.run(missed.since, missed.rooms)
            except HomeserverUnreachable:
                raise
            except Exception as error:
                log.warning("catch_up.failed", error=place(error), outage=is_outage(error))
                if is_outage(error):
                    return  # it is tried again when the database is back
            if self._missed is missed:  # and not a new outage in between
                self._missed = None

    async def _ping(self) -> None:
        """Tell the homeserver that we listen, which ends its back-off."""
        try:
            await self._actors.ask_to_send_again(self._appservice_id)
        except MatrixError as error:
            # It cannot reach us yet, or has no such endpoint; it tries again by itself.
            log.warning(
                "homeserver.ping_failed",
                why=str(error),
                advice="it must reach appservice.url, and have the registration's hs_token: restart it after"
                " a change of the registration",
            )

    async def _ask(self) -> None:
        try:
            if not self._bot_is_ready:
                await self._actors.prepare_bot(self._display_name, self._avatar)
                self._bot_is_ready = True
            else:
                await self._actors.bot.whoami()
        except MatrixError as error:
            if error.status != 401:
                raise
            raise TokenRefused(str(error)) from error

    async def _watch(self) -> None:
        """Notice an outage though nothing is being written."""
        while True:
            await asyncio.sleep(self._watch_every_s)
            if self.gate.is_open:
                try:
                    await self._ask()
                except Exception as error:
                    self.gate.close(str(error))

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="homeserver-link")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
