"""``passerelle demo``: one call from the first ``!visio`` to the end, on servers of one's own.

With a browser it stops once the call is open and leaves the rest to you. Headless it plays all parts.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from bridge.demo import join_page
from bridge.demo.cards import CardVersion, CardWatch, card_version
from bridge.demo.invitation import how_to_join
from bridge.demo.matrix_user import Event, MatrixRefused, MatrixUser
from bridge.demo.peers.cache import InstallFailed, say
from bridge.demo.peers.installing import install_all
from bridge.demo.peers.process import PeerFailed
from bridge.demo.stage import BOT_ID, Stage
from bridge.demo.venues import OWN, STAND_IN, VenueUnknown, VisioStandIn
from bridge.demo.visio import tickets
from bridge.demo.visio.tickets import KeptOut
from bridge.rtc.membership import MEMBER_TYPE

if TYPE_CHECKING:
    from bridge.demo.guest import Guest

SUBJECT = "Point budget"
ALICE, BOB = "Alice", "Bob"
CHLOE, DENIS = "Chloé Martin", "Denis Petit"

_ACT_S = 120
"""The longest that an act may take; what it waits for has shorter limits of its own."""


class StoryFailed(Exception):
    """Something in the story is not as it has to be; the message says what."""


def main(*, headless: bool, visio: str = STAND_IN) -> int:
    """Start everything, open a call, and either wait for Ctrl-C or play the whole story.

    Args:
        headless: Play the whole story.
        visio: Where meetings are, see `bridge.demo.venues.venue`.

    Returns:
        The exit code: 0 when all went well or the person ended it, 1 when something failed, 130 when the
        headless story was interrupted.
    """
    began = time.monotonic()
    try:
        join_page.build()
        programs = install_all(_needed(headless=headless, visio=visio))
    except InstallFailed as failure:
        print(f"The demo cannot start.\n{failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    folder = Path(tempfile.mkdtemp(prefix="passerelle-demo-"))
    try:
        stage = Stage(
            folder,
            synapse_python=programs["synapse"],
            livekit_program=programs.get("livekit"),
            client_folder=programs.get("client"),
            visio=visio,
            accounts=[DENIS],
        )
    except VenueUnknown as unknown:
        folder.rmdir()
        print(unknown, file=sys.stderr)
        return 2
    performance = Performance(stage)
    kept = False
    try:
        asyncio.run(_until_interrupted(performance.play() if headless else performance.present()))
    except (KeyboardInterrupt, asyncio.CancelledError):
        say("\nEverything is stopped.")
        return 130 if headless else 0
    except BrokenPipeError:
        # Whoever read along has gone, as in “passerelle demo | head”. Everything is stopped by now.
        raise
    except (StoryFailed, PeerFailed, MatrixRefused, KeptOut, OSError, aiohttp.ClientError) as failure:
        kept = True
        say(f"\nFAILED: {performance.title}\n{str(failure) or type(failure).__name__}")
        say(f"Configurations and logs are kept in {folder}")
        return 1
    else:
        say(f"\nThe whole story in {time.monotonic() - began:.1f} s. Everything is stopped.")
        return 0
    finally:
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)


def _needed(*, headless: bool, visio: str) -> list[str]:
    """What has to be installed: an SFU unless it is somebody else's, a client where somebody looks at it."""
    needed = ["synapse"]
    if visio in (STAND_IN, OWN):
        needed.append("livekit")
    if not headless:
        needed.append("client")
    return needed


async def _until_interrupted(work: Any) -> None:
    # SIGTERM and a closed terminal end the demo as Ctrl-C does: by stopping what was started.
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await task


class Performance:
    """The story's acts. Each is a title that is shown, and something that has to come true.

    Attributes:
        title: Of the act that is on.
    """

    cards: CardWatch

    def __init__(self, stage: Stage) -> None:
        self.title = ""
        self._stage = stage
        self._number = 0
        self._typed_at = 0.0
        self._guests = AsyncExitStack()
        self._inside: dict[str, Guest] = {}
        self._known_as: dict[str, str] = {}

    async def present(self) -> None:
        """Open a call and say how to join it; then wait for Ctrl-C, showing each version of the card."""
        async with self._stage:
            await self._acts(self.start_servers, self.start_bridge, self.open_room, self.open_call)
            say(how_to_join(self._stage, await self._stage.open_client(), self._link()))
            await asyncio.Event().wait()

    async def play(self) -> None:
        """Play the whole story.

        Raises:
            StoryFailed: Something is not as it has to be.
            TimeoutError: Something did not happen.
        """
        async with self._stage, self._guests:
            meeting = [self.join, self.talk, self.call, self.one_leaves, self.end]
            if isinstance(self._stage.venue, VisioStandIn):
                meeting.insert(3, self.record)
            meeting += [self.go_on, self.move, self.hang_up, self.forget]
            await self._acts(
                *(self.start_servers, self.start_bridge, self.open_room, self.open_call, self.open_page),
                *(meeting if self._stage.venue.attended else [self.end_unseen]),
            )

    # The acts

    async def start_servers(self) -> None:
        """The servers start"""
        await self._stage.start_servers()

    async def start_bridge(self) -> None:
        """The bridge starts"""
        await self._stage.start_bridge()

    async def open_room(self) -> None:
        """Alice opens a room with Bob and the bot"""
        await self._stage.open_room()
        stage = self._stage
        self.cards = CardWatch(stage.alice, stage.room_id, self._show_card)
        welcome = await stage.alice.wait_for(stage.room_id, _is_notice)
        self._show_notice(stage.room_id, welcome)
        stage.alice.listeners.append(self._show_notice)

    async def open_call(self) -> None:
        """Alice types !visio Point budget"""
        await self._type(f"!visio {SUBJECT}")
        # The bridge asks a Visio that is away for a minute, then the card says that it was in vain.
        card = await self.cards.wait_for(lambda card: card.state in ("open", "failed"), timeout=90)
        log = self._stage.bridge.folder / "passerelle.log"
        _require(card.state == "open", f"No meeting was opened; “advice” says what to do in {log}")
        _require(bool(card.call["url"]), "the card has no link")
        _require(card.call["subject"] == SUBJECT, f"the card's subject is {card.call['subject']!r}")

    async def open_page(self) -> None:
        """The link leads to a page to join with"""
        async with aiohttp.ClientSession() as session, session.get(self._link()) as response:
            page = await response.text()
        _require(
            response.status == 200 and "<script" in page,
            f"{self._stage.venue.title} answered {response.status}",
        )

    async def join(self) -> None:
        """Chloé and Denis join by the link"""
        for name in (CHLOE, DENIS):
            await self._join_by_link(name)
        card = await self.cards.wait_for(lambda card: card.names == {CHLOE, DENIS})
        _require(card.state == "active", f"the card's state is {card.state}")

    async def talk(self) -> None:
        """They hear and see each other"""
        await self._meet(self._inside[CHLOE], self._inside[DENIS])

    async def call(self) -> None:
        """Alice presses the call button of her Matrix client, and is in the same meeting"""
        alice = await self._call_natively(self._stage.alice, ALICE)
        card = await self.cards.wait_for(lambda card: card.names == {ALICE, CHLOE, DENIS})
        people = {person["name"]: person for person in card.call["participants"]}
        _require(people[ALICE]["user_id"] == self._stage.alice.user_id, "the card does not know Alice")
        await self._meet(alice, self._inside[CHLOE])
        await self._meet(alice, self._inside[DENIS])

    async def record(self) -> None:
        """The meeting is recorded for a moment, and the card says so"""
        venue = self._stage.venue
        assert isinstance(venue, VisioStandIn)
        from bridge.demo.visio.guest import VisioGuest  # noqa: PLC0415

        visio = venue.visio
        room = visio.room_of(self._link())
        await visio.organiser.start_recording(room)
        async with VisioGuest(tickets.recorder(visio.sfu, room.id)):
            await visio.organiser.recording_runs(room)
            await self.cards.wait_for(lambda card: bool(card.call["recording"]))
            await visio.organiser.recording_ended(room)
        await self.cards.wait_for(lambda card: not card.call["recording"])

    async def one_leaves(self) -> None:
        """Chloé leaves"""
        await self._inside[CHLOE].leave()
        await self.cards.wait_for(lambda card: card.names == {ALICE, DENIS})

    async def end(self) -> None:
        """Alice types !visio fin"""
        async with self._inside[ALICE].moved():
            card = await self._type_end()
        await self._inside[DENIS].wait_until_disconnected()
        say(f"        {DENIS} is out of the meeting")
        _require(card.call["url"] is None, "the ended card still has its link")
        _require(card.call["came"] == 3, f"the card says that {card.call['came']} came, not 3")
        _require(len(self.cards.cards) == 1, "there is more than one card")

    async def go_on(self) -> None:
        """Alice's native call goes on without the meeting, and Bob joins it"""
        bob = await self._call_natively(self._stage.bob, BOB)
        await self._meet(bob, self._inside[ALICE])

    async def move(self) -> None:
        """Alice types !visio during the native call, which moves into the new meeting"""
        async with self._inside[ALICE].moved(), self._inside[BOB].moved():
            await self._type(f"!visio {SUBJECT}")
            await self.cards.wait_for(lambda card: card.names == {ALICE, BOB})
        denis = await self._join_by_link(DENIS)
        await self.cards.wait_for(lambda card: card.names == {ALICE, BOB, DENIS})
        for name in (ALICE, BOB):
            await self._meet(denis, self._inside[name])

    async def hang_up(self) -> None:
        """Alice types !visio fin; she and Bob are in their native call again, and hang up"""
        alice, bob = self._inside[ALICE], self._inside[BOB]
        async with alice.moved(), bob.moved():
            await self._type_end()
        await self._meet(alice, bob)
        await self._guests.aclose()
        try:
            await self._stage.alice.wait_until(lambda: not self._callers())
        except TimeoutError:
            raise StoryFailed(f"still in the native call: {', '.join(self._callers())}") from None

    async def end_unseen(self) -> None:
        """Alice types !visio fin"""
        await self._type_end()

    async def forget(self) -> None:
        """Nobody's name is left in the room"""
        async with asyncio.timeout(30):
            while True:
                seen = self._stage.alice.syncs
                left = [name for name in (CHLOE, DENIS) if name in await self._everything_said()]
                if not left:
                    break
                say(f"        {' and '.join(left)} still named in the room ...")
                # The bot's redactions come one by one.
                await self._stage.alice.wait_until(partial(self._synced_since, seen))

    # What people do in them

    async def _type(self, text: str) -> None:
        self._typed_at = time.monotonic()
        await self._stage.alice.say(self._stage.room_id, text)

    async def _type_end(self) -> CardVersion:
        await self._type("!visio fin")
        return await self.cards.wait_for(lambda card: card.state == "ended")

    async def _join_by_link(self, name: str) -> Guest:
        # Here and not above: who only opens a call needs no SDK of the SFU.
        from bridge.demo.guest import Guest, hush_the_sdk  # noqa: PLC0415

        hush_the_sdk()
        ticket = await self._stage.venue.ticket(self._link(), name)
        self._inside[name] = Guest(name, ticket.sfu_url, ticket.token)
        return await self._guests.enter_async_context(self._inside[name])

    async def _call_natively(self, user: MatrixUser, name: str) -> Guest:
        from bridge.demo.native import NativeCaller  # noqa: PLC0415

        caller = await self._guests.enter_async_context(NativeCaller(user, name, self._stage.room_id))
        self._inside[name] = caller.guest
        self._known_as[name] = caller.identity
        return caller.guest

    async def _meet(self, one: Guest, other: Guest) -> None:
        await asyncio.gather(self._receives(one, other), self._receives(other, one))

    async def _receives(self, who: Guest, whom: Guest) -> None:
        try:
            got = await who.wait_for_media(self._known_as.get(whom.name, whom.name))
        except TimeoutError as late:
            raise TimeoutError(f"{who.name} does not hear and see {whom.name}: {late}") from None
        say(f"        {who.name} received from {whom.name} {got}")

    def _callers(self) -> list[str]:
        state = self._stage.alice.room(self._stage.room_id).state
        return [key for (kind, key), event in state.items() if kind == MEMBER_TYPE and event["content"]]

    # How they are told

    async def _acts(self, *acts: Callable[[], Awaitable[None]]) -> None:
        for number, act in enumerate(acts, 1):
            self.title = str(act.__doc__)
            say(f"[{number:2}/{len(acts)}] {self.title}")
            started = time.monotonic()
            try:
                async with asyncio.timeout(_ACT_S) as limit:
                    await act()
            except TimeoutError:
                _require(not limit.expired(), f"not done after {_ACT_S} s")
                raise
            say(f"        done in {time.monotonic() - started:.1f} s")

    def _show_notice(self, room_id: str, event: Event) -> None:
        if _is_notice(event) and card_version(event) is None:
            _show("The bot", event["content"]["body"])

    def _show_card(self, card: CardVersion) -> None:
        after = time.monotonic() - self._typed_at
        _show(f"Card, version {len(self.cards.versions)}, {after:.1f} s after the command", card.text)

    def _link(self) -> str:
        return str(self.cards.versions[-1].call["url"])

    def _synced_since(self, seen: int) -> bool:
        return self._stage.alice.syncs > seen

    async def _everything_said(self) -> str:
        stage = self._stage
        events = await stage.alice.history(stage.room_id)
        return json.dumps([event["content"] for event in events], ensure_ascii=False)


def _is_notice(event: Event) -> bool:
    return bool(event["sender"] == BOT_ID and event["content"].get("msgtype") == "m.notice")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise StoryFailed(otherwise)


def _show(who: str, text: str) -> None:
    say(f"        {who}:")
    for line in text.splitlines():
        say(f"        | {line}")
