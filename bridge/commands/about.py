"""``aide``, ``ping``, ``version``, and what was not understood: answers that need no call."""

from __future__ import annotations

from bridge.commands import answers
from bridge.commands.grammar import Help, NearMiss, Ping, Usage, Version
from bridge.commands.request import Request


async def say_help(_command: Help, request: Request) -> None:
    """Every command in one line each."""
    house = request.house
    await request.answer(answers.help_text(request.voice, support=house.support, adopt=house.adopts))


async def say_pong(_command: Ping, request: Request) -> None:
    """The service is there."""
    await request.answer(answers.pong(request.voice))


async def say_version(_command: Version, request: Request) -> None:
    """Which version runs."""
    await request.answer(answers.version(request.voice, request.house.version))


async def say_usage(command: Usage, request: Request) -> None:
    """How to write a command whose argument was not understood."""
    await request.answer(answers.usage(request.voice, command.verb))


async def ask_near_miss(command: NearMiss, request: Request) -> None:
    """A lone word close to a command is asked about, never opened."""
    await request.answer(answers.near_miss(request.voice, command.word))
