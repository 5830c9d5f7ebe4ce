"""``langue``: what the bridge speaks in this room."""

from __future__ import annotations

import dataclasses

from bridge.commands import answers, refusals
from bridge.commands.grammar import SetLanguage
from bridge.commands.request import Request
from bridge.store import rooms


async def set_language(command: SetLanguage, request: Request) -> None:
    """Answer in the new language, and write the open card anew."""
    if not request.moderates:
        await request.answer(refusals.not_a_moderator(request.voice))
        return
    await rooms.remember(request.work, language=command.code)
    voice = dataclasses.replace(request.voice, language=command.code)
    await request.answer(answers.language_changed(voice))
    if request.record is not None:
        await request.house.ledger.redraw(request.work, request.record)
