"""Addresses, names and words that settings hold, each read from what an admin naturally writes.

Every kind is a pydantic type. What it refuses it refuses with `Wrong`, which carries both the fault and
what to write instead.
"""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, PlainValidator

from config.problems import Wrong

LANGUAGES = ("fr", "en", "de")
"""Languages that the bridge's texts exist in; the first is the default."""


@dataclass(frozen=True, slots=True)
class Listen:
    """A TCP address to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def everywhere(self) -> bool:
        """Whether it is a wildcard: an address to listen on, but not one to be reached at."""
        return self.host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


_LISTEN = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:/\s]+)):(?P<port>\d{1,5})")


def parse_listen(value: object) -> Listen:
    """Read ``127.0.0.1:29400`` or ``[::1]:29400``.

    Raises:
        Wrong: it is not host and port, or the port is out of range.
    """
    if isinstance(value, Listen):
        return value
    found = _LISTEN.fullmatch(str(value))
    if found is None or int(found["port"]) > 65535:
        raise Wrong(f"“{value}” is not an address to listen on", "host and port, such as 127.0.0.1:29400")
    return Listen(found["six"] or found["host"], int(found["port"]))


ListenAddress = Annotated[Listen, PlainValidator(parse_listen), PlainSerializer(str)]


def split_url(url: str) -> SplitResult | None:
    """The parts of a URL with a host and, if there is one, a valid port; else None."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    has_host = bool(parts.hostname) and not re.search(r"\s", url)
    return parts if parts.scheme and has_host else None


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine (RFC 6761 for ``localhost``)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _url(value: str, schemes: tuple[str, ...], what: str, *, swap: dict[str, str]) -> str:
    example = f"{schemes[-1]}://… (or {schemes[0]}://…)"
    parts = split_url(value)
    if parts is None or parts.scheme not in (*schemes, *swap):
        if re.fullmatch(r"[A-Za-z0-9.-]+(:\d+)?(/(?!/).*)?", value):
            example = f"{schemes[-1]}://{value}"
        raise Wrong(f"“{_without_password(value)}” is not {what}", example)
    if parts.username is not None or parts.password is not None:
        raise Wrong("holds a user name or password", "the URL without them")
    if parts.query or parts.fragment:
        raise Wrong(f"“{value}” has a query or a fragment", parts._replace(query="", fragment="").geturl())
    trimmed = value.rstrip("/")
    if parts.scheme in swap:
        raise Wrong(f"begins with {parts.scheme}:", swap[parts.scheme] + trimmed[len(parts.scheme) :])
    return trimmed


def _without_password(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//…@", url)


def http_url(value: str) -> str:
    """An ``http`` or ``https`` URL without password, query and fragment; a slash at the end is taken off."""
    return _url(
        value,
        ("http", "https"),
        "an http or https URL",
        swap={"ws": "http", "wss": "https"},
    )


def websocket_url(value: str) -> str:
    """A ``ws`` or ``wss`` URL, trimmed in the same way."""
    swap = {"http": "ws", "https": "wss"}
    return _url(value, ("ws", "wss"), "a ws or wss URL", swap=swap)


HttpUrl = Annotated[str, AfterValidator(http_url)]
WebSocketUrl = Annotated[str, AfterValidator(websocket_url)]

_SERVER_NAME = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]{1,255})(?::\d{1,5})?")


def server_name(value: str) -> str:
    """A Matrix server name (Matrix appendices, "Server Name").

    Raises:
        Wrong: it looks like a URL or a user id, or holds characters that no server name has.
    """
    if _SERVER_NAME.fullmatch(value):
        return value
    parts = split_url(value)
    if parts is not None:
        raise Wrong(
            f"“{value}” is a URL",
            f"{parts.netloc} (what stands after the colon in user ids; it may differ from the URL's host)",
        )
    if value.startswith("@") and ":" in value:
        raise Wrong(f"“{value}” is a user id", value.split(":", 1)[1])
    raise Wrong(f"“{value}” is not a server name", "what stands after the colon in user ids: example.org")


ServerName = Annotated[str, AfterValidator(server_name)]

_LOCALPART = re.compile(r"[a-z0-9._=\-/+]+")


def localpart(value: str) -> str:
    """The part of a user id before the colon (Matrix appendices, "User Identifiers").

    Raises:
        Wrong: it is empty or holds characters that user ids may not have.
    """
    if _LOCALPART.fullmatch(value):
        return value
    if found := re.fullmatch(r"@([a-z0-9._=\-/+]+)(?::.*)?", value):
        raise Wrong(f"“{value}” is more than the local part", found[1])
    raise Wrong(
        f"“{value}” cannot stand in a user id" if value else "is empty",
        "lower-case letters, digits and . _ = - / + only",
    )


Localpart = Annotated[str, AfterValidator(localpart)]


# Words


def command_prefix(value: str) -> str:
    """What a command begins with.

    Raises:
        Wrong: it is empty, begins with ``/`` (clients keep such lines for themselves; Tchap's have a
            ``/visio`` of their own), has a space in it, or is so short that it would catch ordinary text.
    """
    bare = value.strip()
    if not bare:
        raise Wrong("is empty: every message would be a command", '"!visio"')
    if bare.startswith("/"):
        raise Wrong(
            f"“{value}” begins with /: Matrix clients keep such lines for themselves",
            f'"!{bare.lstrip("/") or "visio"}"',
        )
    if re.search(r"\s", bare):
        joined = "-".join(bare.split())
        raise Wrong(f"“{value}” has a space in it", f'"{joined}"')
    if len(bare) < 3 or bare[0].isalnum():
        raise Wrong(
            f"“{value}” would catch ordinary messages", 'a sign and at least two letters, such as "!visio"'
        )
    return bare


CommandPrefix = Annotated[str, AfterValidator(command_prefix)]


def language(value: str) -> str:
    """A language that the bridge speaks.

    Raises:
        Wrong: there are no texts in it.
    """
    if value.lower() in LANGUAGES:
        return value.lower()
    raise Wrong(f"“{value}” is not a language of the bridge", f"one of: {', '.join(LANGUAGES)}")


Language = Annotated[str, AfterValidator(language)]


def time_zone(value: str) -> str:
    """A time zone of the IANA database.

    Raises:
        Wrong: this machine's database does not know it.
    """
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise Wrong(f"“{value}” is not a known time zone", "an IANA name such as Europe/Paris") from None
    return value


TimeZone = Annotated[str, AfterValidator(time_zone)]


def content_uri(value: str) -> str:
    """A Matrix content URI, ``mxc://server/id``.

    Raises:
        Wrong: it is something else.
    """
    if re.fullmatch(r"mxc://[^/\s]+/[0-9A-Za-z_-]+", value):
        return value
    raise Wrong(
        f"“{value}” is not a Matrix content URI", "mxc://…, as a client shows it after uploading the picture"
    )


ContentUri = Annotated[str, AfterValidator(content_uri)]


def one_or_many(value: object) -> object:
    """Let a list be written as ``a, b``, which is how it comes from an environment variable."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise Wrong(f"“{value}” is not a network", "a network such as 10.0.0.0/8 or fd00::/8") from None


def _host(value: str) -> str:
    """A host name, with a port if it is not the usual one."""
    parts = split_url(value)
    if parts is not None and "//" in value:
        raise Wrong(f"“{value}” is a URL", f"its host alone: {parts.netloc.rpartition('@')[2]}")
    if re.fullmatch(r"[0-9A-Za-z.-]+(:\d{1,5})?", value) is None:
        raise Wrong(f"“{value}” is not a host name", "a host name such as visio.example.org")
    return value.lower().rstrip(".")


Networks = Annotated[list[Annotated[str, AfterValidator(_network)]], BeforeValidator(one_or_many)]
Hosts = Annotated[list[Annotated[str, AfterValidator(_host)]], BeforeValidator(one_or_many)]
