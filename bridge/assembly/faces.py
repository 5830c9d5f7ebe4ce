"""What answers HTTP: the internal listener and the public one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from aiohttp import web
from prometheus_client import CollectorRegistry

from appservice.clock import wall_clock
from appservice.runtime import Runtime
from bridge.assembly.keeping import Keeping
from bridge.assembly.meetings import Meetings
from bridge.assembly.native_keeping import service_url
from bridge.assembly.neighbours import ice_servers
from bridge.calls.lifecycle import resumable
from bridge.health import Health, Probe
from bridge.keeper.watch import Watch
from bridge.metrics import instrument
from bridge.peer_checks import database_check, homeserver_check, sfu_check, transports_check, visio_check
from bridge.providers.livekit import LivekitProvider, sfu_room_of
from bridge.rtc.gateway import Gateway
from bridge.rtc.transports import advertised
from bridge.sfu.client import Sfu
from bridge.sfu.receiver import WebhookReceiver
from bridge.sfu.webhook_route import webhook_routes
from bridge.sfu.webhooks import Hint
from bridge.web.desk import Desk
from bridge.web.routes import routes as page_routes
from bridge.web.static_page import StaticPage
from config.peers import Sfu as SfuSettings
from config.settings import Settings

_GONE = frozenset({"participant_left", "participant_connection_aborted"})


def internal_face(
    settings: Settings,
    runtime: Runtime,
    meetings: Meetings,
    keeping: Keeping,
    gateway: Gateway | None = None,
) -> tuple[web.Application, Health]:
    """The listener for the homeserver, the SFU's webhooks, and whoever watches over the bridge.

    Args:
        settings: All of them.
        runtime: Takes in what the homeserver pushes.
        meetings: The providers.
        keeping: The keeper's parts.
        gateway: Of native calls, where there are any.
    """
    receiver = _receiver(settings, runtime, meetings, keeping.watch)
    registry = CollectorRegistry()
    instrument(
        registry,
        runtime,
        keeping.watch,
        receiver,
        orphans=lambda: meetings.orphans.count + keeping.reconciler.opening.unlinked,
        gateway=gateway,
    )
    health = Health(database_check(runtime.database.ping), _peers(settings, runtime, meetings), registry)
    face = web.Application()
    face.add_routes([*runtime.face.routes(), *health.routes()])
    if receiver is not None:
        face.add_routes(webhook_routes(receiver))
    return face, health


def public_face(
    settings: Settings, meetings: Meetings, keeping: Keeping, native: Iterable[web.RouteDef] = ()
) -> web.Application | None:
    """The listener for browsers and Matrix clients; None if there is nothing to show them.

    Args:
        settings: All of them.
        meetings: The providers.
        keeping: The keeper's parts.
        native: What native calls have to answer.
    """
    if settings.sfu is None or meetings.livekit is None or settings.web.public_url is None:
        return None
    face = web.Application()
    face.add_routes(page_routes(_desk(settings, settings.sfu, meetings.livekit, keeping), StaticPage()))
    face.add_routes(native)
    return face


def _receiver(
    settings: Settings, runtime: Runtime, meetings: Meetings, watch: Watch
) -> WebhookReceiver | None:
    if meetings.sfu is None or settings.sfu is None or not settings.sfu.webhooks:
        return None
    return WebhookReceiver(
        meetings.sfu.key, is_ours=watch.is_ours, on_hint=_hinting(watch), clock=runtime.clock
    )


def _hinting(watch: Watch) -> Callable[[Hint], None]:
    def hint(webhook: Hint) -> None:
        gone = (webhook.identity,) if webhook.kind in _GONE and webhook.identity else ()
        watch.hint_room(webhook.room_name, gone)

    return hint


def _peers(settings: Settings, runtime: Runtime, meetings: Meetings) -> dict[str, tuple[Probe, str]]:
    """How each neighbour is asked whether it works with us, and the setting that leads to it."""
    homeserver = homeserver_check(runtime.actors.bot.whoami, runtime.settings.namespace.bot_id)
    peers = {"homeserver": (homeserver, "homeserver.url")}
    if meetings.sfu is not None:
        peers["sfu"] = (sfu_check(_ask(meetings.sfu.api)), "sfu.api_url")
    if meetings.visio is not None:
        peers["visio"] = (visio_check(meetings.visio.check, runtime.clock), "visio.url")
    if settings.rtc.enabled:
        asked = transports_check(partial(advertised, runtime.client), service_url(settings))
        peers["native_calls"] = (asked, "homeserver.url")
    return peers


def _ask(sfu: Sfu) -> Probe:
    async def ask() -> None:
        # A room that nobody has: the SFU may be shared, and its meetings are none of our business.
        await sfu.rooms([sfu_room_of("health")])

    return ask


def _desk(settings: Settings, sfu: SfuSettings, provider: LivekitProvider, keeping: Keeping) -> Desk:
    return Desk(
        find=lambda link_id: keeping.store.by_sfu_room(sfu_room_of(link_id)),
        resumable=lambda call: resumable(call, wall_clock(), keeping.timings),
        provider=provider,
        joined=keeping.watch.expect,
        sfu_url=sfu.url,
        ice_servers=ice_servers(sfu),
        max_participants=settings.calls.max_participants,
        language=settings.bot.language,
    )
