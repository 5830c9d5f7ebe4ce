"""Visio's API for applications: ``/external-api/v1.0/``.

It does four things: a token to act for one person, known by e-mail address, and with it create, retrieve and
list rooms. See ``docs/openapi.yaml`` and ``core/external_api`` in https://github.com/suitenumerique/meet.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bridge.providers.visio import answers
from bridge.providers.visio.answers import RoomPage, VisioRoom
from bridge.providers.visio.errors import EmailUnclear, Nonsense, Unreachable
from bridge.providers.visio.http import Answer, NoAnswer, NotSent, Redirected, Request, VisioHttp
from bridge.providers.visio.tokens import Token, Tokens

BASE = "/external-api/v1.0"
ROOMS = f"{BASE}/rooms/"
TOKEN = f"{BASE}/application/token/"

_NOBODY = "passerelle"


def ticks() -> int:
    """A monotonic clock, in milliseconds."""
    return time.monotonic_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Credentials:
    """The application as Visio's administrator made it."""

    client_id: str
    client_secret: str = field(repr=False)


class VisioApi:
    """Visio, as an application sees it.

    Args:
        http: Requests to Visio.
        credentials: Who we are.
        on_orphan: Told each time a meeting may have been made that nobody will ever get the link of.
        clock: A monotonic clock, in milliseconds.
    """

    def __init__(
        self,
        http: VisioHttp,
        credentials: Credentials,
        *,
        on_orphan: Callable[[], None] = lambda: None,
        clock: Callable[[], int] = ticks,
    ) -> None:
        self._http = http
        self._credentials = credentials
        self._on_orphan = on_orphan
        self._tokens = Tokens(self._token, clock)
        self._as_form = False

    async def close(self) -> None:
        """Stop asking for tokens. The connections are the caller's."""
        await self._tokens.close()

    async def create(self, email: str, access_level: str) -> VisioRoom:
        """Make a meeting that belongs to somebody.

        Never repeated once Visio may have done it: whoever asks again makes another meeting, and the one
        before, which nobody has the link of, is counted (``on_orphan``).

        Args:
            email: Whose.
            access_level: ``public``, ``trusted`` or ``restricted``.

        Raises:
            VisioFailure: with the cause.
        """
        request = Request("POST", ROOMS, json={"access_level": access_level})
        answer = await self._as(email, request, self._order)
        if answer.status == 201:
            try:
                return answers.room(answer.document())
            except Nonsense:
                self._on_orphan()
                raise
        if answer.status >= 500:
            self._on_orphan()
        raise answers.refused_room(answer)

    async def retrieve(self, email: str, room_id: str) -> VisioRoom | None:
        """A room in which somebody has a role; None if there is no such room, or they have none in it.

        Args:
            email: Who asks.
            room_id: Its UUID; this address takes no slug.

        Raises:
            VisioFailure: with the cause.
            ValueError: the id is no UUID.
        """
        request = Request("GET", f"{ROOMS}{uuid.UUID(room_id)}/")
        answer = await self._as(email, request, self._http.ask)
        if answer.status == 200:
            return answers.room(answer.document())
        if answer.status == 404 or (answer.status == 403 and "scope" not in answer.said().lower()):
            return None
        raise answers.refused_room(answer)

    async def page(self, email: str, number: int = 1) -> RoomPage:
        """One page (of twenty) of the rooms in which somebody has a role, by name.

        Raises:
            VisioFailure: with the cause.
        """
        request = Request("GET", f"{ROOMS}?page={number:d}")
        answer = await self._as(email, request, self._http.ask)
        if answer.status == 200:
            return answers.page(answer.document())
        raise answers.refused_room(answer)

    async def may_act_for(self, email: str) -> None:
        """See whether Visio lets us act for somebody.

        Raises:
            VisioFailure: it does not, with the cause.
        """
        await self._tokens.of(email)

    async def check(self) -> None:
        """See whether Visio would give us tokens, without asking for anybody's.

        Visio looks at the credentials before it looks at the address, so an address that is none tells.

        Raises:
            VisioFailure: it would not.
        """
        try:
            await self._token(_NOBODY)
        except EmailUnclear:
            return
        raise Nonsense("a token for an address that is none")

    async def _as(self, email: str, request: Request, ask: Callable[[Request], Awaitable[Answer]]) -> Answer:
        """Ask with somebody's token; one that Visio does not take any more is replaced, once."""
        answer, secret = await self._with_token(email, request, ask)
        if answer.status == 401:
            self._tokens.forget(email, secret)
            answer, secret = await self._with_token(email, request, ask)
        if answer.status == 401:
            self._tokens.forget(email, secret)
        return answer

    async def _with_token(
        self, email: str, request: Request, ask: Callable[[Request], Awaitable[Answer]]
    ) -> tuple[Answer, str]:
        secret = await self._tokens.of(email)
        return await ask(dataclasses.replace(request, bearer=secret)), secret

    async def _order(self, request: Request) -> Answer:
        try:
            return await self._http.order(request)
        except NotSent as error:
            raise Unreachable(str(error)) from error
        except Redirected:
            raise
        except NoAnswer as error:
            self._on_orphan()
            raise Unreachable(str(error)) from error
        except (Nonsense, asyncio.CancelledError):
            self._on_orphan()
            raise

    async def _token(self, email: str) -> Token:
        answer = await self._http.ask(self._token_request(email))
        if answer.status == 415:
            # Versions differ in what they read: 1.27.0 takes JSON alone, later ones forms too.
            self._as_form = not self._as_form
            answer = await self._http.ask(self._token_request(email))
        if answer.status == 200:
            return answers.token(answer)
        raise answers.refused_token(answer)

    def _token_request(self, email: str) -> Request:
        fields = {
            "client_id": self._credentials.client_id,
            "client_secret": self._credentials.client_secret,
            "grant_type": "client_credentials",
            "scope": email,
        }
        if self._as_form:
            return Request("POST", TOKEN, form=fields)
        return Request("POST", TOKEN, json=fields)
