"""Whether the homeserver tells its clients that native calls take place here (MSC4143).

Clients take the first LiveKit transport that it names, and compare addresses letter by letter: one that
differs by a slash would be another SFU to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mautrix.api import PathBuilder

from appservice.client import Client
from appservice.errors import MatrixError

_TRANSPORTS = PathBuilder("_matrix/client/unstable/org.matrix.msc4143").rtc.transports
_WELL_KNOWN = PathBuilder(".well-known/matrix/client")
_NOT_THERE = (400, 404, 405)


@dataclass(frozen=True, slots=True)
class Advertised:
    """The authorization services that a homeserver names, the one that clients take first.

    Attributes:
        transports: To clients of today; None if it does not know that question.
        well_known: To older ones, as far as the homeserver itself answers that.
    """

    transports: tuple[str, ...] | None
    well_known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why clients do not find us.

    Attributes:
        fact: What is so, as a sentence.
        advice: What the administrator has to write.
    """

    fact: str
    advice: str


async def advertised(client: Client) -> Advertised:
    """Ask a homeserver as its clients do.

    Raises:
        MatrixError: it does not know us.
        HomeserverUnreachable: it does not answer.
    """
    try:
        answer = await client.request("GET", _TRANSPORTS)
    except MatrixError as error:
        if error.status not in _NOT_THERE:
            raise
    else:
        return Advertised(_services(answer, "rtc_transports"))
    try:
        answer = await client.request("GET", _WELL_KNOWN, anonymous=True)
    except MatrixError:
        return Advertised(None)
    return Advertised(None, _services(answer, "org.matrix.msc4143.rtc_foci"))


def judged(found: Advertised, service_url: str) -> Wrong | None:
    """What is wrong with what a homeserver names; None if clients find us."""
    write = (
        "Write in Synapse's homeserver.yaml, first of its kind, matrix_rtc.transports: [{type: livekit,"
        f' livekit_service_url: "{service_url}"}}] and experimental_features: {{msc4143_enabled: true}}, then'
        " restart it. See docs/native-calls.md."
    )
    if found.transports is None:
        fact = "The homeserver does not tell clients where native calls take place"
        only = ", but for older ones" if found.well_known[:1] == (service_url,) else ""
        return Wrong(f"{fact}{only}.", write)
    if not found.transports:
        return Wrong("The homeserver names no LiveKit transport.", write)
    if found.transports[0] != service_url:
        return Wrong(f"The homeserver sends native calls to {found.transports[0]}, not here.", write)
    return None


def _services(answer: Mapping[str, Any], key: str) -> tuple[str, ...]:
    transports = answer.get(key)
    found = [
        transport.get("livekit_service_url")
        for transport in (transports if isinstance(transports, list) else [])
        if isinstance(transport, dict) and transport.get("type") == "livekit"
    ]
    return tuple(service for service in found if isinstance(service, str))
