"""The handler of rooms' events as the worker calls it, with the keeper behind it."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

from appservice.events import STATE_TYPES, Event
from appservice.operations import Operation
from bridge.calls.ports import NoLinks
from bridge.chat.commands import CommandDesk
from bridge.chat.handler import RoomHandler
from bridge.chat.links import AdoptLinks, LinkDesk
from bridge.chat.room_life import RoomLife
from bridge.commands.request import House
from bridge.commands.restraint import Restraint
from bridge.policy import Policy
from bridge.providers.visio.links import VisioLinks
from tests.support.office import BOT, ROOM, Office

ADA, BOB, EVE = "@ada:hs", "@bob:hs", "@eve:hs"
VISIO = "https://visio.example"
MAX_AGE_MS = 900_000
MOST_ANSWERS = 5

_numbers = itertools.count(1)


class Front:
    """Hands events to the handler.

    Attributes:
        office: What is behind it.
    """

    def __init__(self, office: Office, adopt_links: AdoptLinks | None = None) -> None:
        """Build it.

        Args:
            office: What is behind it.
            adopt_links: ``visio.adopt_links``; None where there is no Visio.
        """
        self.office = office
        policy = Policy({EVE: "none"}, "hs")
        house = House(
            office.ledger,
            policy,
            "livekit",
            "hs",
            "https://help.example",
            "1.0",
            links=NoLinks() if adopt_links is None else VisioLinks(VISIO),
            restraint=Restraint(MOST_ANSWERS),
        )
        desk = CommandDesk(house, office.styles, prefix="!visio", max_age_ms=MAX_AGE_MS)
        self.life = RoomLife(
            ledger=office.ledger,
            policy=policy,
            styles=office.styles,
            bot_id=BOT,
            own_server="hs",
            organisation="Testbourg",
            adopts_links=adopt_links in ("always", "ask"),
        )
        posted = LinkDesk(house, office.styles, adopt_links=adopt_links or "never", max_age_ms=MAX_AGE_MS)
        self._handler = RoomHandler(desk, posted, self.life)

    async def take(self, kind: str, content: dict[str, Any], *, room_id: str = ROOM, **fields: Any) -> str:
        """Handle one event; answers its id."""
        now = self.office.now
        values = {"sender": ADA, "state_key": None, "origin_ts": now, "received_ts": now, **fields}
        event = Event(f"$event{next(_numbers)}", room_id, kind, content=content, **values)
        async with self.office.works.begin(room_id) as work:
            facts = await work.facts()
            if event.type in STATE_TYPES:
                facts = facts.with_event(event)
                await work.store_facts(facts)
            await self._handler.handle(event, facts, work)
        return event.event_id

    async def say(self, text: str, *, by: str = ADA, **fields: Any) -> str:
        """Somebody writes a message."""
        content = {"body": text, **fields.pop("content", {})}
        return await self.take("m.room.message", content, sender=by, **fields)

    async def post(self, *links: str, by: str = ADA, **fields: Any) -> str:
        """Somebody writes a message with links, of which the intake keeps nothing else."""
        content = {"links": list(links), **fields.pop("content", {})}
        return await self.take("m.room.message", content, sender=by, **fields)

    async def react(self, message: str, key: str, *, by: str = ADA) -> None:
        """Somebody adds a reaction."""
        await self.take("m.reaction", {"event_id": message, "key": key}, sender=by)

    async def membership(self, value: str, *, by: str = ADA, room_id: str = ROOM) -> None:
        """The bot is invited, in, or out."""
        known = await self.office.facts(room_id)
        async with self.office.works.begin(room_id) as work:
            await work.store_facts(dataclasses.replace(known, membership=value))
        content = {"membership": value}
        await self.take("m.room.member", content, sender=by, state_key=BOT, room_id=room_id)

    async def written(self, room_id: str = ROOM) -> list[Operation]:
        """What waits to be written to a room; afterwards nothing does."""
        return await self.office.send(room_id)
