"""Where meetings come from: the providers that the settings allow, side by side."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.assembly.errors import CannotStart
from bridge.calls.ports import Links, NoLinks, Provider
from bridge.providers.livekit import LivekitProvider
from bridge.providers.parts import TOKEN_TTL_MS, ProviderParts
from bridge.providers.visio.api import Credentials
from bridge.providers.visio.owner import Addresses, Ownership
from bridge.providers.visio.parts import SharedSfu, VisioParts
from bridge.providers.visio.provider import VisioProvider
from config.settings import Settings
from config.visio import Visio


@dataclass(slots=True)
class Orphans:
    """How many meetings were perhaps made at a provider and shown to nobody.

    Attributes:
        count: Since the start.
    """

    count: int = 0

    def one_more(self) -> None:
        """Count one."""
        self.count += 1


@dataclass(frozen=True, slots=True)
class Meetings:
    """The providers.

    Attributes:
        sfu: The SFU behind them, or None.
        livekit: Makes rooms of the bridge's own; there if there is an SFU.
        visio: Makes Visio's meetings and follows links to them; there if there is a section ``visio``.
        orphans: What may have been left behind in Visio.
    """

    sfu: SharedSfu | None
    livekit: LivekitProvider | None
    visio: VisioProvider | None
    orphans: Orphans = field(default_factory=Orphans)

    @property
    def providers(self) -> dict[str, Provider]:
        """By name, as calls name them."""
        made: tuple[Provider | None, ...] = (self.livekit, self.visio)
        return {provider.name: provider for provider in made if provider is not None}

    @property
    def links(self) -> Links:
        """Which links lead to meetings that can be followed."""
        return NoLinks() if self.visio is None else self.visio.links

    @property
    def token_ttl_ms(self) -> Mapping[str, int]:
        """How long a token can make a meeting again after its end.

        Only where the link is ours: what Visio's people do with their own link after the end is their
        affair.
        """
        return {LivekitProvider.name: TOKEN_TTL_MS}


def open_meetings(settings: Settings, sfu: SharedSfu | None, stack: contextlib.AsyncExitStack) -> Meetings:
    """Make the providers.

    Raises:
        CannotStart: the one that is to make new meetings lacks its section.
    """
    orphans = Orphans()
    livekit = visio = None
    if sfu is not None:
        parts = ProviderParts(
            sfu.api, sfu.key, settings.web.public_url or "", settings.calls.max_participants
        )
        livekit = LivekitProvider(parts)
    if settings.visio is not None:
        visio = VisioProvider(_visio_parts(settings, settings.visio, sfu, orphans))
        stack.push_async_callback(visio.close_connections)
    meetings = Meetings(sfu, livekit, visio, orphans)
    if settings.calls.provider not in meetings.providers:
        section = "visio" if settings.calls.provider == VisioProvider.name else "sfu"
        raise CannotStart(f"calls.provider: {settings.calls.provider} needs the section {section}")
    return meetings


def _visio_parts(settings: Settings, visio: Visio, sfu: SharedSfu | None, orphans: Orphans) -> VisioParts:
    service = visio.service_email or f"{settings.appservice.bot}@{settings.homeserver.server_name}"
    may_serve = visio.owner == "service" or visio.unknown_users == "service"
    return VisioParts(
        url=visio.url,
        credentials=Credentials(visio.client_id, visio.client_secret.get_secret_value()),
        ownership=Ownership(
            addresses=Addresses(visio.emails) if visio.owner == "user" else None,
            service=service if may_serve else None,
        ),
        hosts=tuple(visio.hosts),
        access_level=visio.access_level,
        sfu=sfu,
        on_orphan=orphans.one_more,
    )
