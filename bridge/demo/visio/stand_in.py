"""The stand-in as a whole: its world, its address, and what tests and demo do with it."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from bridge.demo.peers.livekit import LiveKit
from bridge.demo.peers.ports import HOST, release_port, reserve_port
from bridge.demo.visio import tickets
from bridge.demo.visio.answers import Answer, Asked, Refused, page_not_found, with_slash
from bridge.demo.visio.external import ExternalApi
from bridge.demo.visio.faults import Faults
from bridge.demo.visio.organiser import Organiser
from bridge.demo.visio.page import page
from bridge.demo.visio.public import PublicApi, SfuAddress
from bridge.demo.visio.server import Server
from bridge.demo.visio.switches import Switches
from bridge.demo.visio.tickets import Ticket
from bridge.demo.visio.tokens import ApplicationTokens
from bridge.demo.visio.world import Room, User, World

EXTERNAL, PUBLIC = "/external-api/v1.0/", "/api/v1.0/"
SERVICE_EMAIL = "passerelle@stand-in.example"

NO_SFU = SfuAddress(
    "ws://127.0.0.1:9", "http://127.0.0.1:9", "no-sfu", "there-is-no-sfu-behind-this-visio-here"
)
"""For a Visio whose meetings nobody joins; port 9 is where nobody listens."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request that came.

    Attributes:
        method: In capitals.
        path: With the query.
        status: What it was answered with; None when the connection was cut.
        body: What it brought.
    """

    method: str
    path: str
    status: int | None
    body: bytes


class StandIn:
    """A Visio with one application registered and one account, the service's.

    ``with`` starts and stops it. It serves from a thread of its own, so that it outlives event loops; its
    world, switches and faults may be changed from any thread at any time.

    Attributes:
        url: Its address.
        sfu: What is behind it.
        switches: How it is set up.
        world: Whom and what it knows.
        application: The program that is registered.
        service: The service's account.
        faults: What goes wrong.
        organiser: Does what people do with Visio's page.
        visits: Every request so far.
    """

    def __init__(
        self, sfu: SfuAddress = NO_SFU, *, switches: Switches | None = None, port: int | None = None
    ) -> None:
        self.port = port or reserve_port()
        self.url = f"http://{HOST}:{self.port}"
        self.sfu = sfu
        self.switches = switches or Switches()
        self.world = World()
        self.application = self.world.add_application()
        self.service = self.world.add_user(SERVICE_EMAIL, "Service Visio")
        self.faults = Faults()
        self.organiser = Organiser(sfu)
        self.visits: list[Visit] = []
        self.tokens = ApplicationTokens(self.world, self.switches, self.now)
        self._external = ExternalApi(self.world, self.switches, self.tokens, self.url)
        self._public = PublicApi(self.world, self.switches, sfu, self.now)
        self._server = Server(self.port, self.answer, self.faults, self._note)

    def now(self) -> float:
        """Visio's clock, in seconds since the epoch."""
        return time.time() + self.switches.clock_skew_seconds

    def answer(self, asked: Asked) -> Answer:
        """What Visio answers when nothing goes wrong."""
        try:
            found = self._route(asked, asked.path)
            if found is not None:
                return found
            if not asked.path.endswith("/") and self._exists(f"{asked.path}/"):
                return with_slash(asked)
            return page_not_found()
        except Refused as refusal:
            return refusal.answer

    def settings(self, **over: Any) -> dict[str, Any]:
        """The bridge's ``visio`` section for this Visio, with ``over`` laid over it."""
        ours = {
            "url": self.url,
            "client_id": self.application.client_id,
            "client_secret": self.application.client_secret,
            "service_email": SERVICE_EMAIL,
        }
        return {**ours, **over}

    # What tests and demo ask

    def link(self, room: Room | str) -> str:
        """The address of a meeting's page."""
        return f"{self.url}/{room if isinstance(room, str) else room.slug}"

    def room_of(self, link: str) -> Room:
        """The meeting behind a link.

        Raises:
            LookupError: There is none.
        """
        room = self.world.room_by_slug(urlsplit(link).path.strip("/"))
        if room is None:
            raise LookupError(link)
        return room

    def count(self, method: str = "", path: str = "") -> int:
        """How many requests of this method had this in their path."""
        return sum(method in ("", visit.method) and path in visit.path for visit in self.visits)

    def log_in(self, user: User) -> str:
        """The session cookie of a user who has logged in with the browser."""
        session = secrets.token_hex(16)
        self._public.sessions[session] = user
        return session

    def admit(self, room: Room, *, allow: bool = True) -> list[str]:
        """An organiser lets in, or sends away, everybody who waits in the lobby; answers their names."""
        waiting = [
            person
            for (room_id, _), person in self._public.lobby.items()
            if room_id == room.id and person.status == "waiting"
        ]
        for person in waiting:
            person.status = "accepted" if allow else "denied"
        return [person.username for person in waiting]

    async def ticket(self, room: Room | str, name: str = "", *, user: User | None = None) -> Ticket:
        """What somebody gets who opens the meeting's page.

        Args:
            room: The meeting, or the slug of one that is not registered.
            name: What they type.
            user: The account that they are logged in with; None for anonymous people.

        Raises:
            KeptOut: They would have to wait in the lobby.
        """
        session = "" if user is None else self.log_in(user)
        return await tickets.by_link(self.link(room), name, session=session)

    # Coming and going

    def start(self) -> Self:
        """Serve."""
        self._server.start()
        return self

    def stop(self) -> None:
        """Serve no more, for good."""
        self._server.stop()
        release_port(self.port)

    def go_away(self) -> None:
        """Answer nobody for a while: connections are refused."""
        self._server.close_door()

    def come_back(self) -> None:
        """Answer again."""
        self._server.open_door()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _route(self, asked: Asked, path: str) -> Answer | None:
        if path.startswith(EXTERNAL):
            inside = path.removeprefix(EXTERNAL)
            return self._external.answer(asked, inside) if self.switches.external_api_enabled else None
        if path.startswith(PUBLIC):
            return self._public.answer(asked, path.removeprefix(PUBLIC))
        return page(asked, self.world, self.log_in)

    def _exists(self, path: str) -> bool:
        try:
            return self._route(Asked("OPTIONS", path), path) is not None
        except Refused:
            return True

    def _note(self, asked: Asked, status: int | None) -> None:
        path = asked.path + (f"?{asked.raw_query}" if asked.raw_query else "")
        self.visits.append(Visit(asked.method, path, status, asked.body))


def behind(livekit: LiveKit) -> SfuAddress:
    """The SFU as Visio knows it."""
    return SfuAddress(livekit.url, livekit.api_url, livekit.key, livekit.secret)
