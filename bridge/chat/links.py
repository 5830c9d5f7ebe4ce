"""Links to Visio meetings that people post by themselves: followed at once, on request, or never."""

from __future__ import annotations

from typing import Any, Literal

import structlog

from appservice.events import Event
from appservice.operations import SendEvent
from appservice.rooms import RoomFacts
from appservice.unit_of_work import UnitOfWork
from appservice.worker import reference
from bridge.chat.ages import age_of
from bridge.chat.styles import RoomStyles
from bridge.commands import answers, refusals
from bridge.commands import offers as offering
from bridge.commands.follow import followed
from bridge.commands.request import House
from bridge.commands.restraint import Verdict
from bridge.policy import Right
from bridge.store import calls, offers

log = structlog.get_logger()

AdoptLinks = Literal["always", "ask", "never"]


class LinkDesk:
    """Handles links that were posted, and agreements to follow one.

    Args:
        house: What commands share.
        styles: How the bridge speaks in each room.
        adopt_links: ``visio.adopt_links``.
        max_age_ms: Links older than this, as after an outage, are let be.
    """

    def __init__(self, house: House, styles: RoomStyles, *, adopt_links: AdoptLinks, max_age_ms: int) -> None:
        self._house = house
        self._styles = styles
        self._adopt_links = adopt_links
        self._max_age_ms = max_age_ms

    async def posted(self, event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        """A message with links. The first one counts; a room with an open call needs no other."""
        url = self._link(event)
        if url is None or facts.membership != "join" or facts.is_encrypted:
            return
        if age_of(event, work.now) > self._max_age_ms:
            return
        if await calls.current(work.connection, work.room_id) is not None:
            return
        if self._adopt_links == "always":
            await self._follow(event, work, url)
        elif self._adopt_links == "ask":
            await self._ask(event, work, url)

    def _link(self, event: Event) -> str | None:
        links: Any = event.content.get("links")
        if not isinstance(links, list) or not links or not isinstance(links[0], str):
            return None
        # Read again: the configured hosts may be others than when it was taken in.
        return self._house.links.read(links[0])

    async def _ask(self, event: Event, work: UnitOfWork, url: str) -> None:
        if await offers.is_offered(work, url):
            return
        if self._house.restraint.weigh(work.room_id, work.now) is not Verdict.SAY:
            return
        voice = (await self._styles.of_room(work)).voice
        await offering.make(work, voice, event.event_id, url)

    async def reacted(self, event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        """Somebody agrees to an offer. Who may not start a call agrees to nothing."""
        message = event.content.get("event_id")
        if facts.membership != "join" or facts.is_encrypted or not isinstance(message, str):
            return
        if self._house.policy.right_of(event.sender) < Right.START:
            return
        if not await offers.stands(work, message):
            # Taken up by somebody else already, or never made: there is nothing to explain.
            return
        record = await calls.current(work.connection, work.room_id)
        if record is not None:
            # The offer stands: they may agree again once the open call is over.
            if self._house.restraint.weigh(work.room_id, work.now) is Verdict.SAY:
                voice = (await self._styles.of_room(work)).voice
                said = answers.to_content(refusals.another_open(voice, record.call))
                await work.write(SendEvent("m.room.message", said))
            return
        url = await offers.take(work, message)
        if url is None or self._house.links.read(url) != url:
            return
        await offering.take_back(work, message)
        await self._follow(event, work, url, asked=True)

    async def _follow(self, event: Event, work: UnitOfWork, url: str, *, asked: bool = False) -> None:
        if self._house.policy.right_of(event.sender) < Right.START:
            return
        call = followed(
            url,
            room_id=work.room_id,
            by=event.sender,
            now=work.now,
            thread=None,
            reference=reference(event.event_id) if asked else None,
            encrypted=False,
        )
        log.info("link.followed", call=call.id, room=work.room_id)
        await offering.withdraw(work, url)
        await self._house.ledger.open(work, call)

    async def offer_over(self, event: Event, facts: RoomFacts, work: UnitOfWork) -> None:
        """Nobody agreed in time."""
        message = event.content.get("event_id")
        if isinstance(message, str) and facts.membership == "join":
            await offering.take_back(work, message)

    async def taken_away(self, message: str, work: UnitOfWork) -> None:
        """A message was redacted; an offer that stood at it goes with it."""
        if self._adopt_links == "ask" and await offers.take(work, message) is not None:
            await offering.take_back(work, message)
