"""Where each connection of the gateway goes: decided when it is made, by what is so at that moment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import structlog

from appservice.faults import place
from bridge.calls.model import Call
from bridge.calls.ports import Admission, Provider, SfuUnreachable
from bridge.providers.livekit import matrix_user
from bridge.rtc import identities
from bridge.rtc.doorkeeper import Admitted, Doorkeeper
from bridge.rtc.names import AsTheyAre, Names
from bridge.rtc.passes import Pass
from bridge.rtc.plain_tokens import PlainTokens
from bridge.rtc.refusals import Refusal
from bridge.rtc.routing import Route, RouteRefused

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

NamesOf = Callable[[Call, str, str], Awaitable[Names]]
"""``(call, identity in the SFU, identity for clients)``: who is shown as whom to the people in the native
call of a call's room, for one who is about to come in."""


class Switchboard:
    """Fills `bridge.rtc.routing.Router`."""

    def __init__(
        self,
        *,
        doorkeeper: Doorkeeper,
        providers: Mapping[str, Provider],
        plain: PlainTokens,
        sfu_url: str,
        service_url: str,
        names_of: NamesOf,
        joined: Callable[[Call], None] = lambda _call: None,
    ) -> None:
        """Nothing is routed yet.

        Args:
            doorkeeper: Decides who may take part, and where.
            providers: Sign tokens for their meetings.
            plain: Signs tokens for standard SFU rooms.
            sfu_url: The SFU as the bridge reaches it.
            service_url: The authorization service as it is advertised.
            names_of: Who is shown as whom.
            joined: Told of a call that somebody is about to appear in.
        """
        self._doorkeeper = doorkeeper
        self._providers = providers
        self._plain = plain
        self._sfu_url = sfu_url
        self._service_url = service_url
        self._names_of = names_of
        self._joined = joined

    async def route(self, granted: Pass, *, resume: bool) -> Route:
        """See `bridge.rtc.routing.Router`."""
        try:
            view = await self._doorkeeper.view(granted.room_id)
            admitted = await self._doorkeeper.admit(granted.user_id, view)
            if resume and granted.sfu_room not in (None, admitted.venue.sfu_room):
                return await self._resumed(granted, admitted)
            if admitted.venue.call is None:
                return await self._standard(granted, admitted.venue.sfu_room, publish=admitted.publish)
            return await self._meeting(granted, admitted, admitted.venue.call)
        except Refusal as refusal:
            status = 503 if refusal.status >= 500 else 403
            raise RouteRefused(status, refusal.sentence) from refusal
        except RouteRefused:
            raise
        except Exception as error:
            # The database is away, or a defect of ours: no reason for clients to give up.
            log.error("native.not_routed", error=place(error))
            raise RouteRefused(503, "the bridge cannot say at the moment") from error

    async def _resumed(self, granted: Pass, admitted: Admitted) -> Route:
        """A session in a room that is not the one for now.

        The standard room's goes on there, until they are moved; of a meeting that is over nothing is left
        to go on with, and the client begins anew.
        """
        if granted.sfu_room != identities.alias(granted.room_id):
            raise RouteRefused(503, "that meeting is over")
        return await self._standard(granted, granted.sfu_room, publish=admitted.publish)

    async def _standard(self, granted: Pass, sfu_room: str, *, publish: bool) -> Route:
        publish = publish and granted.publish
        identity = granted.identity if publish else self._listening(granted)
        token = await self._plain.sign(sfu_room, identity, publish=publish)
        return Route(self._sfu_url, sfu_room, token, AsTheyAre())

    async def _meeting(self, granted: Pass, admitted: Admitted, call: Call) -> Route:
        publish = admitted.publish and granted.publish
        plain = identities.plain_identity(granted.user_id, granted.device_id)
        identity = plain if publish else self._listening(granted)
        provider = self._providers.get(call.provider)
        if provider is None:
            raise RouteRefused(503, "the meeting's provider is not configured")
        if identity in call.denied or matrix_user(identity) in call.denied:
            raise RouteRefused(403, "they were put out of this meeting")
        try:
            await provider.prepare(call)
            token = provider.token(
                call,
                Admission(
                    identity,
                    admitted.name or granted.user_id,
                    known=admitted.own_server,
                    publish=publish,
                    hidden=not publish,
                ),
            )
        except SfuUnreachable as error:
            raise RouteRefused(503, str(error)) from error
        except ValueError as error:
            raise RouteRefused(403, str(error)) from error
        self._joined(call)
        names = await self._names_of(call, identity, granted.identity if publish else identity)
        return Route(self._sfu_url, admitted.venue.sfu_room, token, names)

    def _listening(self, granted: Pass) -> str:
        plain = identities.plain_identity(granted.user_id, granted.device_id)
        return identities.listening_identity(plain, self._service_url)
