"""The keeper's side of native calls: what rooms tell of them, and how meetings are shown in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from appservice.delayed import DelayedState
from appservice.errors import MatrixError
from appservice.operations import Operation
from appservice.runtime import Runtime
from appservice.sender import Refusals
from appservice.unit_of_work import UnitOfWork
from bridge.chat.native_rooms import NativeRooms, Opener
from bridge.chat.refused_servers import RefusedServers
from bridge.chat.styles import RoomStyles
from bridge.keeper.bell import Bell
from bridge.keeper.faces import FaceRules, Faces
from bridge.keeper.ledger import Ledger
from bridge.keeper.safeguard import Safeguard
from bridge.policy import Policy
from bridge.rtc import routes as services
from config.settings import Settings


@dataclass(frozen=True, slots=True)
class NativeKeeping:
    """The parts.

    Attributes:
        rooms: Hears what goes on in rooms.
        faces: Shows people in meetings to the rooms' native calls.
        refused_servers: Tells rooms whose members may not speak.
        safeguard: Takes everybody out of native calls should the bridge be gone.
    """

    rooms: NativeRooms
    faces: Faces
    refused_servers: RefusedServers
    safeguard: Safeguard


class EachInTurn:
    """Fills `appservice.sender.Refusals` with several; each knows its own slots."""

    def __init__(self, refusals: Sequence[Refusals]) -> None:
        self._refusals = refusals

    async def refused(
        self, operation: Operation, slot: str | None, error: MatrixError, work: UnitOfWork
    ) -> None:
        """Tell each."""
        for each in self._refusals:
            await each.refused(operation, slot, error, work)


def keep_native(
    settings: Settings, runtime: Runtime, ledger: Ledger, styles: RoomStyles
) -> NativeKeeping | None:
    """Wire them; None where native calls are not wanted."""
    if not settings.rtc.enabled:
        return None
    namespace = runtime.settings.namespace
    faces = Faces(
        database=runtime.database,
        works=runtime.works,
        ownership=runtime.ownership,
        bus=runtime.bus,
        namespace=namespace,
        rules=FaceRules(
            # Without the gateway nobody translates: a membership would be an eternal "waiting for media".
            shown=settings.rtc.gateway is not False,
            ghosts=settings.ghosts == "authenticated",
            service_url=service_url(settings),
            keep_names=settings.calls.names == "keep",
        ),
        clock=runtime.clock,
        bell=_bell(settings, runtime),
    )
    ledger.on_stored(faces.stored)
    organisation = settings.bot.organisation or settings.homeserver.server_name
    refused = RefusedServers(runtime.works, styles, runtime.bus, organisation)
    safeguard = Safeguard(
        database=runtime.database,
        works=runtime.works,
        ownership=runtime.ownership,
        delayed=DelayedState(runtime.client),
        bot_id=namespace.bot_id,
        clock=runtime.clock,
    )
    rooms = NativeRooms(ledger, namespace, faces.ghost_out, _opener(settings))
    return NativeKeeping(rooms, faces, refused, safeguard)


def _bell(settings: Settings, runtime: Runtime) -> Bell | None:
    kind, namespace = settings.rtc.ring, runtime.settings.namespace
    if kind == "none":
        return None
    return Bell(works=runtime.works, actors=runtime.actors, namespace=namespace, kind=kind)


def _opener(settings: Settings) -> Opener | None:
    if settings.rtc.open != "always" or settings.rtc.gateway is False:
        return None
    policy = Policy(settings.policy, settings.homeserver.server_name)
    return Opener(policy, settings.calls.provider, service_url(settings))


def service_url(settings: Settings) -> str:
    """The address of the authorization service as it is advertised."""
    return (settings.web.public_url or "").rstrip("/") + services.PREFIX
