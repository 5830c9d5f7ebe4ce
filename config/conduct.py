"""Sections about what the bridge does: calls, commands, native calls, limits, logging."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from config.problems import Wrong
from config.quantities import Duration, Size
from config.section import Section
from config.values import CommandPrefix

Word = Literal["none", "subscribe", "publish", "start", "moderate", "admin"]
"""What policy can grant, each including what stands before it."""


class Calls(Section):
    """Meetings and the cards that show them."""

    provider: Literal["livekit", "visio"] = Field(
        default="livekit",
        description="Where new meetings come from: livekit (rooms of the bridge's own, with its join page)"
        " or visio (La Suite's Visio; needs the visio section).",
    )
    grace: Duration = Field(
        default=timedelta(minutes=5),
        description="How long a meeting that everybody has left stays open.",
    )
    open_timeout: Duration = Field(
        default=timedelta(hours=2),
        description="How long a meeting that nobody has entered stays open.",
    )
    resume_window: Duration = Field(
        default=timedelta(hours=12),
        description="How long after its end people who gather behind the same link get a new card.",
    )
    clock: Duration = Field(
        default=timedelta(seconds=30),
        description="How often the SFU is asked who is in, even if it sent no webhook. At least 1s.",
    )
    max_participants: int = Field(
        default=150,
        ge=2,
        le=10_000,
        description="How many people one meeting holds.",
    )
    names: Literal["during", "keep", "never"] = Field(
        default="during",
        description="Names on the card: during (taken off when the meeting ends), keep (they stay) or "
        "never (numbers only).",
    )


class Commands(Section):
    """What people type."""

    prefix: CommandPrefix = Field(
        default="!visio",
        description="What a command begins with, in any case.",
    )
    max_age: Duration = Field(
        default=timedelta(minutes=15),
        description="Commands older than this, missed while the bridge was down, are not carried out.",
    )


def _gateway(value: Any) -> Any:
    # An environment variable can only hold words.
    return False if isinstance(value, str) and value.lower() in ("false", "no", "off") else value


class Rtc(Section):
    """Native calls (MatrixRTC, Element Call) in the same meeting."""

    enabled: bool = Field(
        default=False,
        description="Whether the bridge is the homeserver's authorization service for calls.",
    )
    gateway: Annotated[Literal["rooms_with_bot", "always", False], BeforeValidator(_gateway)] = Field(
        default="rooms_with_bot",
        description="Whose signalling passes through the bridge: rooms_with_bot, always or false.",
    )
    open: Literal["on_command", "always"] = Field(
        default="on_command",
        description="What opens a meeting: on_command, or always (the first person in the native call too).",
    )
    ring: Literal["none", "notification", "ring"] = Field(
        default="none",
        description="Whether people's devices show a notification, or ring, when somebody in Visio is the"
        " first in the room's native call.",
    )


class Limits(Section):
    """Bounds that keep the bridge, the homeserver and the rooms at ease."""

    max_body: Size = Field(
        default=64 * 2**20,
        ge=2**20,
        description="Largest transaction taken from the homeserver, in bytes. A larger one is acknowledged"
        " and set aside unread, so keep it above 32MiB.",
    )
    sends_at_once: int = Field(
        default=8,
        ge=1,
        le=256,
        description="How many rooms are written to at the same time.",
    )
    answers_per_minute: int = Field(
        default=60,
        ge=0,
        description="How many questions are answered in one room within a minute. Opening and ending meetings"
        " always work. 0: no such limit.",
    )
    large_room: int = Field(
        default=0,
        ge=0,
        description="In rooms with more members than this only moderators (power level 50) start meetings."
        " 0: no such limit.",
    )


class Encryption(Section):
    """The bot in encrypted rooms."""

    in_use: ClassVar[bool] = False


class Presence(Section):
    """Matrix presence of people in meetings."""

    in_use: ClassVar[bool] = False


class Privacy(Section):
    """What is kept about people, beyond calls.names."""

    in_use: ClassVar[bool] = False


def _level(value: Any) -> Any:
    return {"warn": "warning"}.get(value.lower(), value.lower()) if isinstance(value, str) else value


class Logging(Section):
    """The log, on standard error. It never holds messages, names or secrets."""

    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_level)] = Field(
        default="info",
        description="How much: debug, info, warning or error.",
    )
    format: Literal["text", "json"] = Field(
        default="text",
        description="How: text (for reading) or json (one object a line, for machines).",
    )


def _pattern(value: str) -> str:
    """A pattern of homeservers or users, as `bridge.policy` compares them.

    Raises:
        Wrong: it is neither.
    """
    if not value or "/" in value or any(map(str.isspace, value)):
        raise Wrong(f"“{value}” is not a pattern", 'a server, "*.example.org", or a user, "@marie:*"')
    if value.startswith("@") and ":" not in value:
        raise Wrong(f"“{value}” is a user without a server", f'"{value}:example.org" or "{value}:*"')
    return value


Policy = dict[Annotated[str, AfterValidator(_pattern)], Word]
