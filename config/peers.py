"""Sections about the bridge's neighbours: homeserver, SFU, Visio, other homeservers, the database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from config.problems import Wrong
from config.section import Section
from config.values import (
    ContentUri,
    HttpUrl,
    Language,
    Listen,
    ListenAddress,
    Localpart,
    Networks,
    ServerName,
    TimeZone,
    WebSocketUrl,
    http_url,
    one_or_many,
    split_url,
)


class Homeserver(Section):
    """The homeserver that the bridge belongs to."""

    url: HttpUrl = Field(
        description="Address of its client-server API, as the bridge reaches it.",
        examples=["http://127.0.0.1:8008"],
    )
    server_name: ServerName = Field(
        description="Its name: what stands after the colon in user ids.", examples=["example.org"]
    )
    ca_file: Path | None = Field(
        default=None,
        description="File (PEM) with the certificate authority that signed its certificate, if it is one "
        "of your own.",
        examples=["ca.pem"],
    )


def _reached_at(listen: Listen | None) -> str:
    return f"http://{listen or '127.0.0.1:29400'}"


class AppService(Section):
    """The bridge as an application service of that homeserver."""

    id: str = Field(
        default="passerelle",
        pattern=r"^[A-Za-z0-9._-]+$",
        description="Name of the registration; unique among the homeserver's application services.",
    )
    listen: ListenAddress = Field(
        default=Listen("127.0.0.1", 29400),
        description="Where the internal listener waits: homeserver, SFU webhooks, metrics and health. Not "
        "for the Internet.",
    )
    url: HttpUrl = Field(
        default_factory=lambda data: _reached_at(data.get("listen")),
        description="Where the homeserver reaches that listener. Left out: http:// and the listen address.",
        examples=["http://127.0.0.1:29400"],
    )
    registration: Path = Field(
        default=Path("registration.yaml"),
        description="File that “passerelle register” writes; “passerelle run” reads the two tokens from "
        "it. A path that is not absolute starts at this file's folder.",
    )
    bot: Localpart = Field(
        default="visio",
        description="Local part of the bot's user id: visio gives @visio:example.org.",
    )
    ghost_prefix: Localpart = Field(
        default="visio_",
        description="What the local part of every ghost begins with. The bot's own must not begin with it.",
    )
    as_token: SecretStr | None = Field(
        default=None,
        description="Token that the bridge shows to the homeserver. Only if it should not come from the "
        "registration file; then hs_token too.",
        examples=["a-long-random-word-of-your-own"],
    )
    hs_token: SecretStr | None = Field(
        default=None,
        description="Token that the homeserver shows to the bridge.",
        examples=["another-long-random-word"],
    )


class Web(Section):
    """What browsers and Matrix clients reach: the join page."""

    public_url: HttpUrl | None = Field(
        default=None,
        description="Public address of the web listener, as your reverse proxy offers it; links in rooms "
        "begin with it. Must be https (browsers give camera and microphone to nothing else), "
        "except on this machine. Required when calls.provider is livekit.",
        examples=["https://visio.example.org"],
    )
    listen: ListenAddress = Field(
        default=Listen("127.0.0.1", 29401),
        description="Where the web listener waits for the reverse proxy.",
    )


class Bot(Section):
    """What the bot says of itself."""

    language: Language = Field(
        default="fr",
        description="Language in rooms that did not choose one: fr, en or de.",
    )
    timezone: TimeZone = Field(
        default="Europe/Paris",
        description="Time zone of the times on cards, by its IANA name.",
    )
    display_name: str = Field(
        default="Visio",
        min_length=1,
        max_length=100,
        description="The bot's display name.",
    )
    avatar: ContentUri | None = Field(
        default=None,
        description="The bot's picture, a Matrix content URI.",
        examples=["mxc://example.org/AbCdEf"],
    )
    organisation: str | None = Field(
        default=None,
        max_length=100,
        description="Whose service it is; named in the welcome and in refusals.",
        examples=["Example Ministry"],
    )
    support: str | None = Field(
        default=None,
        max_length=200,
        description="Where people get help, an address or a room; stands at the end of the help text.",
        examples=["support@example.org"],
    )


_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
}


def _database_url(value: SecretStr) -> SecretStr:
    """A database that the bridge can use; the URL is never repeated, it may hold a password."""
    url = value.get_secret_value()
    scheme, separator, rest = url.partition("://")
    example = "sqlite+aiosqlite:///passerelle.db or postgresql+asyncpg://user:password@host/passerelle"
    if not separator or scheme.split("+")[0] not in _DRIVERS:
        raise Wrong("is neither an SQLite nor a PostgreSQL URL", example)
    driver = _DRIVERS[scheme.split("+")[0]]
    if scheme != driver:
        raise Wrong(f"begins with {scheme}://", f"{driver}:// and the rest as it is")
    if driver.startswith("sqlite"):
        file = rest.split("?")[0].removeprefix("/")
        if file in ("", ":memory:") or not rest.startswith("/"):
            raise Wrong(
                "does not name a file: what is kept in memory is lost at every restart",
                "sqlite+aiosqlite:///passerelle.db (four slashes before an absolute path)",
            )
    elif (parts := split_url(url)) is None and "host=" not in rest:
        raise Wrong("has no host, or a port that is not a number", example)
    elif parts is not None and not parts.path.strip("/"):
        raise Wrong("does not name a database", "the URL with /passerelle at its end")
    return value


class Database(Section):
    """Where the bridge keeps what must survive a restart."""

    url: Annotated[SecretStr, AfterValidator(_database_url)] = Field(
        default=SecretStr("sqlite+aiosqlite:///passerelle.db"),
        description="SQLite serves one process; PostgreSQL lets several share the work "
        "(postgresql+asyncpg://user:password@host/passerelle). An SQLite path after three "
        "slashes starts at the folder of this file; one after four is absolute.",
    )


class IceServer(Section):
    """One STUN or TURN server, as in WebRTC's ``RTCIceServer``."""

    urls: Annotated[list[str], BeforeValidator(one_or_many)] = Field(
        min_length=1, description="Addresses.", examples=[["turns:turn.example.org:443"]]
    )
    username: str | None = Field(default=None, description="User name for TURN.", examples=["visio"])
    credential: SecretStr | None = Field(default=None, description="Password for TURN.", examples=["…"])


def _api_of(url: str | None) -> str:
    return "http" + (url or "ws://127.0.0.1:7880").removeprefix("ws")


class Sfu(Section):
    """The LiveKit server that carries picture and sound."""

    url: WebSocketUrl = Field(
        description="Its address as browsers reach it.", examples=["wss://sfu.example.org"]
    )
    api_url: HttpUrl = Field(
        default_factory=lambda data: _api_of(data.get("url")),
        description="Its address as the bridge reaches it. Left out: the same host over http or https.",
        examples=["http://127.0.0.1:7880"],
    )
    key: str = Field(
        min_length=1,
        description="API key, from the “keys” of LiveKit's configuration.",
        examples=["passerelle"],
    )
    secret: SecretStr = Field(
        description="Secret of that key; at least 32 characters. It is power over every meeting of that SFU.",
        examples=["replace-this-by-the-secret-of-that-key"],
    )
    webhooks: bool = Field(
        default=True,
        description="Whether the SFU sends its webhooks to the bridge (/livekit/webhook on the internal"
        " listener). false: none are taken, and open meetings are asked about every 5 seconds.",
    )
    ice_servers: list[IceServer] = Field(
        default=[],
        description="STUN and TURN servers that browsers use, instead of those that the SFU names. LiveKit"
        " names public ones of Google and Twilio unless its own configuration says otherwise.",
        examples=[[{"urls": ["stun:stun.example.org:3478"]}]],
    )


def _servers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: http_url(url) if isinstance(url, str) else url for name, url in value.items()}
    return value


class Federation(Section):
    """Look-ups at other homeservers."""

    ca_file: Path | None = Field(
        default=None,
        description="File (PEM) with a further certificate authority to trust.",
        examples=["federation-ca.pem"],
    )
    verify_tls: bool = Field(
        default=True,
        description="Whether certificates are verified. false is for test networks only.",
    )
    networks: Networks = Field(
        default=[],
        description="Private networks in which other homeservers may be looked up; all others are refused.",
        examples=[["10.0.0.0/8"]],
    )
    servers: Annotated[dict[ServerName, str], BeforeValidator(_servers)] = Field(
        default={},
        description="Addresses of homeservers that discovery would not find, by server name.",
        examples=[{"agent.example.org": "https://matrix.agent.example.org"}],
    )
    proxy: HttpUrl | None = Field(
        default=None,
        description="HTTP proxy for these look-ups.",
        examples=["http://proxy.example.org:3128"],
    )
