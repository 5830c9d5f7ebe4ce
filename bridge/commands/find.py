"""``lien`` and ``statut``: the link again, and who is in."""

from __future__ import annotations

from bridge.commands import answers, refusals
from bridge.commands.grammar import Link, Status
from bridge.commands.request import Request


async def repeat_link(_command: Link, request: Request) -> None:
    """The link of the room's call."""
    if request.record is None:
        await request.answer(refusals.nothing_open(request.voice))
    else:
        await request.answer(answers.link_again(request.voice, request.record.call))


async def say_status(_command: Status, request: Request) -> None:
    """State, and who is in by the rules of the card."""
    if request.record is None:
        await request.answer(refusals.nothing_open(request.voice))
    else:
        message = answers.status(request.record.call, request.style)
        await request.answer(message, names_people=True)
