"""A room with the bot in it, and its meeting: people in Element Call and in Visio, and the whole bridge."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any

from bridge.demo.matrix_user import MatrixUser
from bridge.demo.visio.stand_in import StandIn
from bridge.demo.visio.tickets import Ticket
from bridge.demo.visio.world import User
from tests.browser.rtc.element_call import ElementCall
from tests.browser.rtc.people import JoinVisio, NewPerson, OpenCall
from tests.browser.rtc.rooms import MEMBERSHIP
from tests.browser.rtc.visio_page import VisioPage
from tests.support.bridges import LocalBridge
from tests.support.cards import Card, Salon

GHOSTS_STAY_OUT = {"invite": 50}
"""Power levels of a room into which the bot cannot invite anybody."""


def native_with_visio(visio: StandIn, **rtc: Any) -> dict[str, Any]:
    """Settings of a bridge whose meetings are Visio's, with native calls; ``rtc`` goes into that section."""
    return {
        "calls": {"provider": "visio", "grace": "20s", "clock": "1s"},
        "limits": {"answers_per_minute": 1000},
        "rtc": {"enabled": True, **rtc},
        "visio": visio.settings(access_level="public"),
    }


@dataclass
class House:
    """What a test of the whole bridge is made of."""

    bridge: LocalBridge
    stand_in: StandIn
    new_person: NewPerson
    open_call: OpenCall
    join_visio: JoinVisio

    @property
    def service_url(self) -> str:
        """What the homeserver would advertise."""
        return f"{self.bridge.public_url}/livekit"

    async def salon(
        self, *names: str, power_levels: dict[str, Any] | None = None, **room: Any
    ) -> tuple[Salon, list[MatrixUser]]:
        """A new room with people of these names in it, and the bot, which has greeted.

        Native calls are possible in it, as in rooms that Element makes.
        """
        users = await asyncio.gather(*(self.new_person(name) for name in names))
        levels = {"events": {MEMBERSHIP: 0}, **(power_levels or {})}
        salon = await Salon.made_by(users[0], self.bridge.bot_id, name="Réunion", power_levels=levels, **room)
        await salon.admit(*users[1:])
        return salon, list(users)

    async def meeting(self, salon: Salon) -> Card:
        """Have the room's first member open a meeting."""
        await salon.say("!visio")
        return await salon.card(lambda card: card.state in ("open", "active") and card.url)

    async def call(self, salon: Salon, *users: MatrixUser) -> list[ElementCall]:
        """Join the room's native call with Element Call."""
        calls = [await self.open_call(user, salon.room_id, service_url=self.service_url) for user in users]
        return list(await asyncio.gather(*(call.joined() for call in calls)))

    def account(self, name: str) -> User:
        """Somebody whom Visio knows."""
        return self.stand_in.world.add_user(f"{secrets.token_hex(4)}@visio.example", name)

    async def visio(
        self, card: Card, name: str, *, known: bool = True, account: User | None = None
    ) -> VisioPage:
        """Join the meeting as Visio's page does.

        Args:
            card: Has the link.
            name: As they appear.
            known: Whether Visio has authenticated them; else they are a guest with a name of their choice.
            account: Theirs, if they have been there before.
        """
        ticket = await self.ticket(card, name, known=known, account=account)
        return await self.join_visio(ticket.sfu_url, ticket.token)

    async def ticket(
        self, card: Card, name: str, *, known: bool = True, account: User | None = None
    ) -> Ticket:
        """What opens the meeting in Visio; see `visio`."""
        user = account or (self.account(name) if known else None)
        return await self.stand_in.ticket(self.stand_in.room_of(card.url), name, user=user)


def shows(*names: str) -> Any:
    """A condition on a card: exactly these people are in."""
    return lambda card: card.names == set(names)
