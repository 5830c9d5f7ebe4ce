"""The keeper of calls and the chat in front of it, wired together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version

from appservice.runtime import Runtime
from bridge.assembly.meetings import Meetings
from bridge.assembly.native_keeping import EachInTurn, NativeKeeping, keep_native
from bridge.calls.lifecycle import Timings
from bridge.calls.ports import NoLinks
from bridge.chat.announcements import RoomAnnouncements
from bridge.chat.commands import CommandDesk
from bridge.chat.doorman import HomeserverDoorman
from bridge.chat.handler import RoomHandler
from bridge.chat.links import LinkDesk
from bridge.chat.room_life import RoomLife
from bridge.chat.styles import RoomStyles
from bridge.commands import grammar, offers
from bridge.commands.request import House
from bridge.commands.restraint import Restraint
from bridge.intake import interest
from bridge.keeper.agenda import Agenda
from bridge.keeper.housekeeping import Housekeeping
from bridge.keeper.ledger import Ledger
from bridge.keeper.reconciler import Reconciler
from bridge.keeper.watch import Watch
from bridge.locale import Voice
from bridge.policy import Policy
from bridge.projections.style import CardStyle
from bridge.store.calls import CallStore
from config.settings import Settings

POLL_MS = 5_000
"""Time between looks at an open call where the SFU sends no webhooks."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """The keeper's parts."""

    store: CallStore
    ledger: Ledger
    reconciler: Reconciler
    watch: Watch
    agenda: Agenda
    housekeeping: Housekeeping
    timings: Timings
    native: NativeKeeping | None


def keep(settings: Settings, runtime: Runtime, meetings: Meetings) -> Keeping:
    """Wire the keeper, and let the runtime hand the rooms' events to the chat."""
    policy = Policy(settings.policy, settings.homeserver.server_name)
    styles = RoomStyles(_card_style(settings))
    timings = _timings(settings)
    store = CallStore(runtime.database)
    ledger = Ledger(
        styles.of_call,
        timings,
        max_participants=settings.calls.max_participants,
        keep_names=settings.calls.names == "keep",
    )
    reconciler = Reconciler(
        works=runtime.works,
        calls=store,
        ledger=ledger,
        providers=meetings.providers,
        timings=timings,
        announcements=RoomAnnouncements(styles, runtime.settings.namespace.bot_id),
        doorman=HomeserverDoorman(
            runtime.actors, runtime.database, policy, large_room=settings.limits.large_room
        ),
        clock=runtime.clock,
        token_ttl_ms=meetings.token_ttl_ms,
    )
    agenda = Agenda(reconciler.look, runtime.clock)
    watch = Watch(store, agenda, runtime.ownership, runtime.bus, runtime.clock, timings)
    housekeeping = Housekeeping(runtime.database, runtime.clock)
    ledger.on_stored(watch.stored)
    ledger.on_stored(housekeeping.stored)
    native = keep_native(settings, runtime, ledger, styles)
    _face_rooms(settings, runtime, meetings, ledger=ledger, policy=policy, styles=styles, native=native)
    return Keeping(store, ledger, reconciler, watch, agenda, housekeeping, timings, native)


def _face_rooms(
    settings: Settings,
    runtime: Runtime,
    meetings: Meetings,
    *,
    ledger: Ledger,
    policy: Policy,
    styles: RoomStyles,
    native: NativeKeeping | None,
) -> None:
    namespace = runtime.settings.namespace
    house = House(
        ledger=ledger,
        policy=policy,
        provider=settings.calls.provider,
        own_server=namespace.server_name,
        support=settings.bot.support or "",
        version=version("passerelle"),
        links=meetings.links,
        restraint=Restraint(settings.limits.answers_per_minute),
    )
    max_age_ms = milliseconds(settings.commands.max_age)
    desk = CommandDesk(house, styles, prefix=settings.commands.prefix, max_age_ms=max_age_ms)
    adopt_links = settings.visio.adopt_links if settings.visio else "never"
    posted = LinkDesk(house, styles, adopt_links=adopt_links, max_age_ms=max_age_ms)
    life = RoomLife(
        ledger=ledger,
        policy=policy,
        styles=styles,
        bot_id=namespace.bot_id,
        own_server=namespace.server_name,
        organisation=settings.bot.organisation or "",
        adopts_links=adopt_links != "never",
    )
    wanted = interest(
        namespace,
        settings.commands.prefix,
        runtime.direct_rooms,
        grammar.concerns_us,
        links=NoLinks().find if adopt_links == "never" else meetings.links.find,
        reactions=offers.KEYS if adopt_links == "ask" else frozenset(),
        native=native is not None,
    )
    handler = RoomHandler(desk, posted, life, native.rooms if native is not None else None)
    refusals = life if native is None else EachInTurn((life, native.faces))
    runtime.build(handler, wanted, refusals)


def _card_style(settings: Settings) -> CardStyle:
    return CardStyle(
        voice=Voice(settings.bot.language, settings.bot.timezone, settings.commands.prefix),
        names=settings.calls.names,
        visio_url=settings.visio.url if settings.visio else None,
        support=settings.bot.support or "",
        # Nobody ever logs in as a service account, and only the owner can let people in.
        can_admit=settings.visio is None or settings.visio.owner != "service",
        max_participants=settings.calls.max_participants,
        app_name=("Tchap" if settings.profile == "tchap" else "Element") if settings.rtc.enabled else "",
        native_bridged=settings.rtc.enabled and settings.rtc.gateway is not False,
    )


def _timings(settings: Settings) -> Timings:
    told = settings.sfu is None or settings.sfu.webhooks
    return Timings(
        grace_ms=milliseconds(settings.calls.grace),
        open_timeout_ms=milliseconds(settings.calls.open_timeout),
        resume_window_ms=milliseconds(settings.calls.resume_window),
        clock_ms=milliseconds(settings.calls.clock),
        poll_ms=None if told else min(POLL_MS, milliseconds(settings.calls.clock)),
    )


def milliseconds(duration: timedelta) -> int:
    """A duration of the settings, as all others are told."""
    return round(duration.total_seconds() * 1000)
