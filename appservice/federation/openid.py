"""Who holds an OpenID token: the question of ``GET /_matrix/federation/v1/openid/userinfo``.

A client gets such a token from its homeserver and shows it to a third party, which asks that homeserver for
the user (server-server API, "OpenID"). The answer counts for users of that very server only: otherwise any
server could vouch for anybody.
"""

from __future__ import annotations

import asyncio
from typing import Any, Self

import orjson
from yarl import URL

from appservice.clock import Clock, wall_clock
from appservice.federation import errors
from appservice.federation.discovery import Discovery, Route
from appservice.federation.limits import Admission, Limits
from appservice.federation.names import ServerName, parse_server_name, server_of
from appservice.federation.resolver import LookUp
from appservice.federation.settings import Settings
from appservice.federation.srv import LookUpSrv, SystemSrv
from appservice.federation.transport import Answer, Reach, Transport
from appservice.federation.well_known import WellKnownReader

_PATH = "/_matrix/federation/v1/openid/userinfo"
_LONGEST_TOKEN = 4096


class OpenIdVerifier:
    """Asks homeservers who holds a token. Make it inside a running event loop, and close it.

    Whether a server may be asked at all is for the caller to decide, before.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        limits: Limits | None = None,
        clock: Clock = wall_clock,
        look_up: LookUp | None = None,
        look_up_srv: LookUpSrv | None = None,
        well_known_port: int = 443,
    ) -> None:
        """Nothing is sent yet.

        Args:
            settings: What the admin decided.
            limits: What a look-up may cost.
            clock: Says how old is what is remembered.
            look_up: Names to addresses; the machine's own way if not given.
            look_up_srv: SRV records; the machine's name servers if not given.
            well_known_port: Where well-known files are; anything but 443 is for tests.

        Raises:
            OSError: a file with certificate authorities cannot be read, or holds none.
            ValueError: one of the networks is none.
        """
        self._limits = limits or Limits()
        self._admission = Admission(self._limits)
        self._transport = Transport(settings, self._limits, look_up)
        self._discovery = Discovery(
            settings,
            WellKnownReader(self._transport, self._limits, clock=clock, port=well_known_port),
            look_up_srv or SystemSrv(self._limits.dns_ms),
            clock=clock,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Give up what is under way and close every connection."""
        await self._discovery.close()
        await self._transport.close()

    async def verify(self, token: str, server_name: str) -> str:
        """Return the id of the user who holds a token, by the word of their homeserver.

        Args:
            token: The OpenID token's ``access_token``.
            server_name: Its ``matrix_server_name``.

        Raises:
            LookupFailed: it is not confirmed; each cause has its class in ``errors``.
        """
        name = parse_server_name(server_name)
        if not 0 < len(token) <= _LONGEST_TOKEN or not token.isprintable():
            raise errors.TokenRefused("the token is empty, far too long or unprintable")
        written = self._discovery.written(server_name)
        with self._admission.place(server_name, stranger=written is None):
            try:
                async with asyncio.timeout(self._limits.total_ms / 1000):
                    answer = await self._ask(name, written, token)
            except TimeoutError:
                self._discovery.doubt(name)
                raise errors.ServerTooSlow(f"{server_name}, within {self._limits.total_ms} ms") from None
        return user_of(answer, server_name)

    async def _ask(self, name: ServerName, written: Route | None, token: str) -> Answer:
        if written is not None:
            answer = await self._ask_at(written, token)
            if written.reach is not Reach.OWN or not _has_no_userinfo(answer):
                return answer
            # Some installations serve clients and other servers at different addresses.
        route = await self._discovery.find(name)
        try:
            return await self._ask_at(route, token, name)
        except errors.LookupFailed as error:
            self._discovery.doubt(name)
            raise type(error)(f"{error} ({route.how})" if route.how else str(error)) from None

    async def _ask_at(self, route: Route, token: str, name: ServerName | None = None) -> Answer:
        """Ask the first of a route's servers that can be spoken to."""
        failure: errors.LookupFailed | None = None
        for base in route.bases:
            try:
                answer = await self._transport.get(
                    URL(base + _PATH).with_query(access_token=token),
                    route.reach,
                    most_bytes=self._limits.answer_bytes,
                    host_header=route.host_header,
                    tls_name=route.tls_name,
                )
            except errors.LookupFailed as error:
                failure = failure or error
            else:
                if name is not None:
                    self._discovery.answered(name, base)
                return answer
        assert failure is not None
        raise failure


def user_of(answer: Answer, server_name: str) -> str:
    """The user whom a homeserver's answer names.

    Raises:
        LookupFailed: it names none, or one whom that server cannot speak for.
    """
    content = _json(answer.body)
    if answer.status != 200:
        raise _refusal(answer.status, str(content.get("errcode", "")), server_name)
    user_id = content.get("sub")
    server = server_of(user_id) if isinstance(user_id, str) else None
    if server is None:
        raise errors.NonsenseAnswer(f"{server_name} answered without a user id")
    if server != server_name:
        raise errors.WrongServer(f"{server_name} vouched for a user of another server")
    return str(user_id)


def _refusal(status: int, errcode: str, server_name: str) -> errors.LookupFailed:
    said = f"{server_name} answered {status} {errcode[:40]}".rstrip()
    if errcode == "M_UNKNOWN_TOKEN" or (errcode and status in (400, 401, 403)):
        return errors.TokenRefused(said)
    if status in (404, 405, 501):
        return errors.NoUserinfo(said)
    if status >= 500 or status in (401, 403, 408, 429):
        # Without an errcode it is not the homeserver that speaks, but what stands before it.
        return errors.ServerFailed(said)
    return errors.NonsenseAnswer(said)


def _has_no_userinfo(answer: Answer) -> bool:
    errcode = str(_json(answer.body).get("errcode", ""))
    return answer.status != 200 and isinstance(_refusal(answer.status, errcode, ""), errors.NoUserinfo)


def _json(body: bytes) -> dict[str, Any]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}
