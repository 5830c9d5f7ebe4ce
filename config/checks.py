"""How settings fit together: what no single one of them can tell.

The checks work on `Facts`, the settings that are right by themselves, so that they also run when others are
wrong. A fact that is not there is not judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from config.problems import Problem
from config.values import Listen, is_loopback, split_url

Facts = Mapping[str, Any]
"""Settings by key, with dots. An optional section that is left out stands under its name as None."""

SFU_SECRET_LENGTH = 32
"""LiveKit's own least length of a secret, in characters."""


def check(facts: Facts) -> Iterator[Problem]:
    """Every problem between settings."""
    for one in CHECKS:
        yield from one(facts)


def _the_bot_is_no_ghost(facts: Facts) -> Iterator[Problem]:
    bot, prefix = facts.get("appservice.bot"), facts.get("appservice.ghost_prefix")
    if bot is not None and prefix is not None and bot.startswith(prefix):
        yield Problem(
            "appservice.ghost_prefix",
            f"“{prefix}” is how the bot's own name begins (“{bot}”), so the bot would be taken for a ghost",
            f"{bot}_",
        )


def _tokens_come_in_pairs(facts: Facts) -> Iterator[Problem]:
    for one, other in (("as_token", "hs_token"), ("hs_token", "as_token")):
        if facts.get(f"appservice.{one}") is not None and facts.get(f"appservice.{other}", 0) is None:
            yield Problem(
                f"appservice.{other}",
                f"is missing beside {one}",
                "both tokens, or neither (then they are read from appservice.registration)",
            )
    if (token := facts.get("appservice.as_token")) is not None and token == facts.get("appservice.hs_token"):
        yield Problem(
            "appservice.hs_token",
            "is the same as as_token",
            "another token; “passerelle register” makes both",
        )


def _the_homeserver_reaches_us(facts: Facts) -> Iterator[Problem]:
    listen: Listen | None = facts.get("appservice.listen")
    if listen is not None and listen.everywhere and facts.get("appservice.url") == f"http://{listen}":
        yield Problem(
            "appservice.url",
            f"is left out, and {listen} is no address that a homeserver can reach",
            f"the bridge's address as the homeserver sees it, such as http://passerelle:{listen.port}",
        )


def _listeners_do_not_collide(facts: Facts) -> Iterator[Problem]:
    internal: Listen | None = facts.get("appservice.listen")
    web: Listen | None = facts.get("web.listen")
    if internal is None or web is None or internal.port != web.port or not web.port:
        return
    if internal.host == web.host or internal.everywhere or web.everywhere:
        yield Problem("web.listen", f"{web} is taken by appservice.listen", "another port")


def _browsers_get_https(facts: Facts) -> Iterator[Problem]:
    for key, plain, safe, why in (
        ("web.public_url", "http", "https", "browsers give camera and microphone to https pages only"),
        ("sfu.url", "ws", "wss", "browsers refuse it from an https page"),
    ):
        url: str = facts.get(key) or ""
        parts = split_url(url)
        if parts is not None and parts.scheme == plain and not is_loopback(parts.hostname or ""):
            yield Problem(key, f"begins with {plain}: {why}", safe + url[len(plain) :])


def _sfu_secret_is_long(facts: Facts) -> Iterator[Problem]:
    secret: SecretStr | None = facts.get("sfu.secret")
    if secret is not None and len(secret.get_secret_value()) < SFU_SECRET_LENGTH:
        yield Problem(
            "sfu.secret",
            f"has {len(secret.get_secret_value())} characters; less than {SFU_SECRET_LENGTH} can be guessed",
            f"at least {SFU_SECRET_LENGTH} characters, here and in LiveKit's “keys” (openssl rand -hex 32)",
        )


def _the_provider_has_what_it_needs(facts: Facts) -> Iterator[Problem]:
    provider = facts.get("calls.provider")
    if provider == "visio" and facts.get("visio", 0) is None:
        yield Problem(
            "visio",
            "is missing, and calls.provider is visio",
            "that section, or calls.provider: livekit",
        )
    if provider == "livekit" and facts.get("sfu", 0) is None:
        yield Problem(
            "sfu",
            "is missing, and calls.provider is livekit",
            "the section sfu with url, key and secret of your LiveKit server",
        )
    if provider == "livekit" and facts.get("web.public_url", 0) is None:
        yield Problem(
            "web.public_url",
            "is missing: people could not open the join page",
            "the public address of the web listener, such as https://visio.example.org",
        )


def _native_calls_have_what_they_need(facts: Facts) -> Iterator[Problem]:
    if facts.get("rtc.enabled") is not True:
        return
    if facts.get("sfu", 0) is None:
        yield Problem(
            "sfu",
            "is missing, and rtc.enabled is true: native calls take place there",
            "the section sfu with url, key and secret of your LiveKit server, or rtc.enabled: false",
        )
    if facts.get("web.public_url", 0) is None:
        yield Problem(
            "web.public_url",
            "is missing, and rtc.enabled is true: Element Call would not find the bridge",
            "the public address of the web listener, such as https://visio.example.org",
        )


def _times_fit(facts: Facts) -> Iterator[Problem]:
    clock = facts.get("calls.clock")
    if clock is None:
        return
    if clock.total_seconds() < 1:
        yield Problem("calls.clock", "would ask the SFU many times a second", "30s")
    for key in ("calls.grace", "calls.open_timeout"):
        if (time := facts.get(key)) is not None and time < clock:
            yield Problem(key, "is shorter than calls.clock, so it could not be kept", "a longer time")


def _files_are_there(facts: Facts) -> Iterator[Problem]:
    for key in ("homeserver.ca_file", "federation.ca_file"):
        path: Path | None = facts.get(key)
        if path is not None and not path.is_file():
            yield Problem(key, f"there is no file “{path}”", "the path of a PEM file")
    url: SecretStr | None = facts.get("database.url")
    if url is not None and url.get_secret_value().startswith("sqlite"):
        file = Path(url.get_secret_value().split("?")[0].split("://", 1)[1][1:])
        if not file.parent.is_dir():
            yield Problem(
                "database.url", f"there is no folder “{file.parent}”", "a path in a folder that exists"
            )


CHECKS: tuple[Callable[[Facts], Iterator[Problem]], ...] = (
    _the_bot_is_no_ghost,
    _tokens_come_in_pairs,
    _the_homeserver_reaches_us,
    _listeners_do_not_collide,
    _browsers_get_https,
    _sfu_secret_is_long,
    _the_provider_has_what_it_needs,
    _native_calls_have_what_they_need,
    _times_fit,
    _files_are_there,
)
