"""What Visio's answers mean: its JSON as plain data, its errors as failures. Pure.

Statuses and texts are those of ``core/external_api`` in https://github.com/suitenumerique/meet.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from bridge.calls.model import DialIn
from bridge.providers.visio.errors import (
    BadCredentials,
    DomainRefused,
    EmailUnclear,
    Nonsense,
    PublicRefused,
    ScopeMissing,
    SwitchedOff,
    UnknownUser,
    Unreachable,
    VisioFailure,
)
from bridge.providers.visio.http import Answer
from bridge.providers.visio.tokens import Token

ACCESS_LEVELS = frozenset({"public", "trusted", "restricted"})
"""Who enters without being let in (``RoomAccessLevel``)."""

SOURCES = ("camera", "microphone", "screen_share", "screen_share_audio")
"""What can be published (LiveKit's ``canPublishSources``)."""

_LONGEST_LIFE_S = 30 * 86_400


@dataclass(frozen=True, slots=True)
class VisioRoom:
    """A meeting that Visio knows.

    Attributes:
        id: Its UUID, which is the name of the SFU room too.
        slug: What the link ends with.
        access: Its access level, or None if it is none that we know.
        url: Its link as Visio writes it (``APPLICATION_BASE_URL``), or None.
        dial_in: How to join by telephone, where that is possible.
    """

    id: str
    slug: str
    access: str | None
    url: str | None = None
    dial_in: DialIn | None = None


@dataclass(frozen=True, slots=True)
class RoomPage:
    """One page of somebody's rooms.

    Attributes:
        count: How many there are on all pages.
        rooms: Those of this page.
        more: Whether there is a next page.
    """

    count: int
    rooms: tuple[VisioRoom, ...]
    more: bool


def token(answer: Answer) -> Token:
    """The token in a good answer of the token address.

    Raises:
        Nonsense: there is none.
    """
    document = answer.document()
    secret, seconds = document.get("access_token"), document.get("expires_in")
    # It goes into a header: anything but plain visible characters could become a header of its own.
    if not isinstance(secret, str) or re.fullmatch(r"[!-~]{1,8192}", secret) is None:
        raise Nonsense("a token without access_token")
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 0:
        raise Nonsense("a token without expires_in")
    return Token(secret, min(seconds, _LONGEST_LIFE_S) * 1000)


def room(document: Mapping[str, object]) -> VisioRoom:
    """A room as the external API writes it.

    Raises:
        Nonsense: it is none.
    """
    room_id, slug = room_uuid(document.get("id")), document.get("slug")
    # Rooms that people named themselves have slugs of any length; those that we make do not.
    if room_id is None or not isinstance(slug, str) or re.fullmatch(r"[A-Za-z0-9_-]{1,100}", slug) is None:
        raise Nonsense("a room without id or slug")
    return VisioRoom(room_id, slug, access(document), _url(document.get("url"), slug), dial_in(document))


def page(document: Mapping[str, object]) -> RoomPage:
    """A page of rooms.

    Raises:
        Nonsense: it is none.
    """
    count, results = document.get("count"), document.get("results")
    if not isinstance(count, int) or not isinstance(results, list):
        raise Nonsense("a list of rooms without count or results")
    if not all(isinstance(one, dict) for one in results):
        raise Nonsense("a list of something else than rooms")
    rooms = tuple(map(room, results))
    return RoomPage(count, rooms, more=isinstance(document.get("next"), str))


def room_uuid(value: object) -> str | None:
    """A room's id in the form that Visio names the SFU room by, or None."""
    try:
        return value if isinstance(value, str) and str(uuid.UUID(value)) == value else None
    except ValueError:
        return None


def access(document: Mapping[str, object]) -> str | None:
    """The access level that a room or an SFU room's metadata names, if it is one that we know."""
    level = document.get("access_level")
    return level if isinstance(level, str) and level in ACCESS_LEVELS else None


def sources(document: Mapping[str, object]) -> tuple[str, ...] | None:
    """What people may publish in a room, by LiveKit's names of sources; None for everything."""
    configuration = document.get("configuration")
    wanted = configuration.get("can_publish_sources") if isinstance(configuration, dict) else None
    if not isinstance(wanted, list):
        return None
    return tuple(source for source in SOURCES if source in wanted)


def dial_in(document: Mapping[str, object]) -> DialIn | None:
    """The telephone number and PIN, where the external API gives them (``ROOM_TELEPHONY_ENABLED``)."""
    telephony = document.get("telephony")
    if not isinstance(telephony, dict) or telephony.get("enabled") is not True:
        return None
    return telephone(telephony.get("phone_number"), telephony.get("pin_code"))


def telephone(number: object, pin: object) -> DialIn | None:
    """A number and a PIN that people can be shown, or None if they are none."""
    if not isinstance(number, str) or re.fullmatch(r"\+?[0-9][0-9 ().-]{2,30}", number) is None:
        return None
    return DialIn(number, pin) if isinstance(pin, str) and re.fullmatch(r"[0-9]{1,20}", pin) else None


def refused_token(answer: Answer) -> VisioFailure:
    """Why the token address gave no token."""
    said = answer.said()
    match answer.status, said.lower():
        case 401, text if text:
            return BadCredentials(said)
        case 403, text if "domain" in text:
            return DomainRefused(said)
        case (404, text) | (409, text) if "user" in text:
            return UnknownUser(said)
        case 400, text if "scope" in text:
            return EmailUnclear(said)
        case ((404 | 405), _):
            return SwitchedOff(f"status {answer.status}")
    return _other(answer)


def refused_room(answer: Answer) -> VisioFailure:
    """Why the rooms' address did not do what it was asked for, with a token that was good."""
    said = answer.said()
    match answer.status, said.lower():
        case 401, text if text:
            return _refused_bearer(said)
        case 403, text if "permission" in text:
            return ScopeMissing(said)
        case ((404 | 405), _):
            return SwitchedOff(f"status {answer.status}")
        case 400, _ if b"access_level" in answer.body:
            return PublicRefused()
    return _other(answer)


def _refused_bearer(said: str) -> VisioFailure:
    """Why a token that Visio had only just given was not good enough."""
    match said.lower():
        case text if "application" in text:
            return BadCredentials(said)
        case text if "user" in text:
            return UnknownUser(said)
        case text if "resource server" in text:
            # Without APPLICATION_ENABLED the token is handed on to the next way to authenticate.
            return SwitchedOff(said)
        case text if "expired" in text:
            return Nonsense("a token that is expired at once; check the clocks of Visio's servers")
        case text if "not provided" in text:
            return Nonsense("the token did not arrive; a proxy may take out the Authorization header")
    return Nonsense(f"status 401 {said}")


def _other(answer: Answer) -> VisioFailure:
    said = f"status {answer.status} {answer.said()}".rstrip()
    if answer.heals:
        return Unreachable(said)
    if answer.status == 400 and not answer.said():
        # Django's own page, without words: ``SuspiciousOperation``.
        return Nonsense("status 400; several accounts of Visio may share the e-mail address")
    return Nonsense(said)


_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~-]+)+")


def _url(value: object, slug: str) -> str | None:
    """Visio's own link, if people can be shown it: nobody before the host, nothing after the slug."""
    if not isinstance(value, str) or _URL.fullmatch(value) is None or not value.endswith(f"/{slug}"):
        return None
    try:
        urlsplit(value)
    except ValueError:  # brackets that hold no address
        return None
    return value
