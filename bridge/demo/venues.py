"""Where the demo's meetings are: the stand-in for Visio, a real one, or rooms of the bridge's own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urlencode

from bridge.demo.peers.livekit import LiveKit
from bridge.demo.peers.ports import reserve_port
from bridge.demo.visio import tickets
from bridge.demo.visio.stand_in import StandIn, behind
from bridge.demo.visio.tickets import Ticket

STAND_IN, OWN = "stand-in", "none"
"""What ``--visio`` says beside the address of a real one."""

REAL_NEEDS = (
    "PASSERELLE_VISIO__CLIENT_ID",
    "PASSERELLE_VISIO__CLIENT_SECRET",
    "PASSERELLE_VISIO__SERVICE_EMAIL",
)
"""What the environment has to hold for a real Visio; the bridge reads it there."""


class VenueUnknown(Exception):
    """Meetings cannot be held there; the message says what is missing."""


class Venue(Protocol):
    """A place for meetings.

    Attributes:
        title: What the page behind the link is called.
        settings: What the bridge is told about it.
        local: Whether its SFU is the demo's own.
        attended: Whether the card can tell who is in, and native calls lead there.
        framed: Where other pages may show its pages: their origin, and a query to open them with; else None.
    """

    title: str
    settings: Mapping[str, Any]
    local: bool
    attended: bool
    framed: str | None

    def open(self) -> None:
        """Start what has to be started."""

    def close(self) -> None:
        """Stop it."""

    async def ticket(self, link: str, name: str) -> Ticket:
        """What somebody gets who opens the link and gives this name.

        Raises:
            KeptOut: They do not get in.
            TurnedAway: They do not get in.
        """


def venue(visio: str, livekit: LiveKit | None, accounts: Sequence[str]) -> Venue:
    """The place that ``--visio`` names.

    Args:
        visio: ``stand-in``, ``none``, or the address of a real one.
        livekit: The demo's SFU; None only for a real one.
        accounts: Names of people who are known to the stand-in.

    Raises:
        VenueUnknown: This is no such place, or the environment lacks what it needs.
    """
    if livekit is None or visio not in (STAND_IN, OWN):
        return RealVisio(visio)
    return OwnRooms() if visio == OWN else VisioStandIn(livekit, accounts)


class OwnRooms:
    """SFU rooms of the bridge's own, behind its join page; fills `Venue`."""

    title = "the join page"
    settings: Mapping[str, Any] = {"calls": {"provider": "livekit"}}
    local = True
    attended = True
    framed: str | None = None

    def open(self) -> None:
        """Nothing: the bridge has it all."""

    def close(self) -> None:
        """Nothing."""

    async def ticket(self, link: str, name: str) -> Ticket:
        """As the join page gets it."""
        # Here and not above: who only opens a call needs no SDK of the SFU.
        from bridge.demo.guest import ask_for_ticket  # noqa: PLC0415

        got = await ask_for_ticket(link, name)
        return Ticket(got["name"], got["sfu_url"], got["token"])


class VisioStandIn:
    """The stand-in for Visio, in front of the demo's SFU; fills `Venue`.

    Attributes:
        visio: The stand-in.
    """

    title = "Visio's page"
    local = True
    attended = True

    def __init__(self, livekit: LiveKit, accounts: Sequence[str]) -> None:
        self.visio = StandIn(behind(livekit), port=reserve_port(29402))
        for name in accounts:
            self.visio.world.add_user(f"{name.lower().replace(' ', '.')}@stand-in.example", name)
        query = {}
        if accounts:
            query = {"account": self.visio.world.users[-1].email, "name": accounts[-1]}
        self.framed: str | None = f"{self.visio.url}/?{urlencode(query)}"
        section = self.visio.settings(access_level="public")
        self.settings: Mapping[str, Any] = {"calls": {"provider": "visio"}, "visio": section}

    def open(self) -> None:
        """Start the stand-in."""
        self.visio.start()

    def close(self) -> None:
        """Stop it."""
        self.visio.stop()

    async def ticket(self, link: str, name: str) -> Ticket:
        """As the page gets it, for people with an account after they logged in."""
        user = next((user for user in self.visio.world.users if user.full_name == name), None)
        session = "" if user is None else self.visio.log_in(user)
        return await tickets.by_link(link, name, session=session)


class RealVisio:
    """A Visio that runs somewhere; fills `Venue`.

    Its credentials, and those of its SFU, are in the environment, as ``passerelle run`` reads them.
    """

    title = "Visio's page"
    local = False
    framed: str | None = None

    def __init__(self, url: str) -> None:
        """Nothing is asked yet.

        Raises:
            VenueUnknown: This is no address, or the environment lacks the credentials.
        """
        if not url.startswith(("https://", "http://")):
            raise VenueUnknown(f"--visio takes an address, “{STAND_IN}” or “{OWN}”; “{url}” is none of them.")
        if missing := [name for name in REAL_NEEDS if not os.environ.get(name)]:
            raise VenueUnknown(
                f"The environment lacks {', '.join(missing)}.\n"
                "A real Visio needs the id and the secret of an application there, and the e-mail address\n"
                "of the account that the meetings shall belong to. To see who is in, set\n"
                "PASSERELLE_SFU__URL, PASSERELLE_SFU__KEY and PASSERELLE_SFU__SECRET to those of its SFU too."
            )
        section = {"url": url.rstrip("/"), "access_level": "public"}
        settings: dict[str, Any] = {"calls": {"provider": "visio"}, "visio": section}
        self.attended = bool(os.environ.get("PASSERELLE_SFU__URL"))
        if self.attended:
            # Its SFU does not know this bridge.
            settings["sfu"] = {"webhooks": False}
        self.settings: Mapping[str, Any] = settings

    def open(self) -> None:
        """Nothing: it runs."""

    def close(self) -> None:
        """Nothing."""

    async def ticket(self, link: str, name: str) -> Ticket:
        """As the page gets it, for people without an account."""
        return await tickets.by_link(link, name)
