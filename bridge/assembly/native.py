"""Native calls: the authorization service and the gateway, where ``rtc.enabled`` asks for them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from appservice.database import Database
from appservice.delayed import HandedOver
from appservice.federation.openid import OpenIdVerifier
from appservice.federation.settings import OwnServer
from appservice.federation.settings import Settings as FederationSettings
from appservice.runtime import Runtime
from bridge.assembly.errors import CannotStart
from bridge.assembly.keeping import Keeping
from bridge.assembly.meetings import Meetings
from bridge.assembly.native_keeping import NativeKeeping, service_url
from bridge.assembly.neighbours import ice_servers
from bridge.policy import Policy
from bridge.rtc import gateway as gateways
from bridge.rtc import routes as services
from bridge.rtc.authorization import Addresses, Authorization
from bridge.rtc.casts import Casts
from bridge.rtc.delegation import Delegation
from bridge.rtc.doorkeeper import Doorkeeper
from bridge.rtc.expulsion import Expulsion
from bridge.rtc.gateway import Gateway
from bridge.rtc.listeners import Listeners
from bridge.rtc.members import HomeserverMembers
from bridge.rtc.mover import Mover
from bridge.rtc.passes import Passes
from bridge.rtc.plain_tokens import PlainTokens
from bridge.rtc.switchboard import Switchboard
from bridge.rtc.taking_part import TakingPart
from bridge.store import faces as stored_faces
from bridge.store.leaves import LeaveStore
from bridge.store.native import NobodysRooms, RoomViews
from bridge.store.natives import NotedMemberships
from config.settings import Settings

_SPREAD_MS = 1_000
"""Over how long clients are let go at the end, so that they do not all come back at once."""


@dataclass(frozen=True, slots=True)
class NativeCalls:
    """The call face of the bridge."""

    authorization: Authorization
    gateway: Gateway
    mover: Mover
    listeners: Listeners
    expulsion: Expulsion
    delegation: Delegation
    keeping: NativeKeeping

    def routes(self) -> Sequence[web.RouteDef]:
        """What the public listener answers."""
        return [*services.routes(self.authorization), *gateways.routes(self.gateway, services.PREFIX)]

    async def start(self) -> None:
        """Get ready for clients."""
        await self.gateway.start()
        self.mover.start()
        self.listeners.start()
        self.delegation.start()
        self.keeping.faces.start()
        self.keeping.safeguard.start()

    async def stop(self) -> None:
        """Let every client go; their media goes on."""
        await self.mover.stop()
        await self.listeners.stop()
        await self.delegation.stop()
        await self.keeping.safeguard.stop()
        await self.keeping.faces.stop()
        await self.keeping.refused_servers.stop()
        await self.expulsion.stop()
        await self.gateway.stop(_SPREAD_MS)


def open_native_calls(
    settings: Settings,
    runtime: Runtime,
    meetings: Meetings,
    keeping: Keeping,
    stack: contextlib.AsyncExitStack,
) -> NativeCalls | None:
    """Wire the call face; None where it is not wanted. Call it inside the running event loop.

    Raises:
        CannotStart: it lacks what it needs.
    """
    if not settings.rtc.enabled or keeping.native is None:
        return None
    if settings.sfu is None or meetings.sfu is None:
        raise CannotStart("rtc.enabled: native calls need the section sfu")
    if settings.web.public_url is None:
        raise CannotStart("rtc.enabled: native calls need web.public_url, where clients reach the bridge")
    rooms, members = RoomViews(runtime.database), HomeserverMembers(runtime.actors)
    doorkeeper = Doorkeeper(
        policy=Policy(settings.policy, settings.homeserver.server_name),
        own_server=settings.homeserver.server_name,
        rooms=rooms,
        members=members,
    )
    address = service_url(settings)
    noted = NotedMemberships(runtime.database, runtime.clock)
    casts = Casts(partial(_shown_of, runtime.database), noted, runtime.bus)
    passes = Passes(settings.sfu.secret.get_secret_value(), runtime.clock)
    plain = PlainTokens(meetings.sfu.api, meetings.sfu.key, runtime.clock)
    switchboard = Switchboard(
        doorkeeper=doorkeeper,
        providers=meetings.providers,
        plain=plain,
        sfu_url=settings.sfu.api_url,
        service_url=address,
        names_of=casts.of_somebody,
        joined=keeping.watch.expect,
    )
    delegation = Delegation(
        leaves=LeaveStore(runtime.database),
        handed_over=HandedOver(runtime.client),
        sfu=meetings.sfu.api,
        rooms=rooms if settings.rtc.gateway is not False else NobodysRooms(),
        ownership=runtime.ownership,
        clock=runtime.clock,
    )
    authorization = Authorization(
        verifier=_verifier(settings, stack),
        doorkeeper=doorkeeper,
        passes=passes,
        plain=plain,
        addresses=Addresses(
            # http(s) to ws(s).
            gateway="ws" + address.removeprefix("http"),
            sfu=settings.sfu.url,
            service=address,
        ),
        gate=settings.rtc.gateway,
        on_refused=keeping.native.refused_servers.tell,
        delegation=delegation,
    )
    authorization.on_plainly(casts.asked_plainly)
    gateway = Gateway(passes, switchboard, ice_servers=ice_servers(settings.sfu))
    mover = Mover(gateway=gateway, rooms=rooms, casts=casts, bus=runtime.bus)
    keeping.ledger.on_stored(mover.stored)
    keeping.reconciler.before_close(mover.evacuate)
    keeping.native.faces.on_changed(mover.faces_changed)
    casts.on_changed(mover.faces_changed)
    keeper = Expulsion(gateway=gateway, members=members, sfu=meetings.sfu.api, bus=runtime.bus)
    keeping.native.rooms.on_out(keeper.out)
    listeners = Listeners(
        gateway=gateway,
        takes_part=TakingPart(noted, runtime.actors, runtime.clock),
        expulsion=keeper,
        clock=runtime.clock,
    )
    keeping.native.rooms.on_changed(listeners.changed)
    keeping.native.rooms.on_changed(casts.memberships_changed)
    return NativeCalls(authorization, gateway, mover, listeners, keeper, delegation, keeping.native)


async def _shown_of(database: Database, call_id: str) -> Mapping[str, str | None]:
    async with database.connect() as connection:
        found = await stored_faces.of_call(connection, call_id)
    return {identity: face.shown if face.present else None for identity, face in found.items()}


def _verifier(settings: Settings, stack: contextlib.AsyncExitStack) -> OpenIdVerifier:
    federation, homeserver = settings.federation, settings.homeserver
    try:
        verifier = OpenIdVerifier(
            FederationSettings(
                own=OwnServer(homeserver.server_name, homeserver.url, homeserver.ca_file),
                servers=federation.servers,
                networks=[str(network) for network in federation.networks],
                ca_file=federation.ca_file,
                verify_tls=federation.verify_tls,
                proxy=federation.proxy,
            )
        )
    except OSError as error:
        raise CannotStart(f"federation.ca_file or homeserver.ca_file: {error}") from error
    stack.push_async_callback(verifier.close)
    return verifier
