"""``lier``: follow an existing Visio meeting."""

from __future__ import annotations

from bridge.commands import refusals
from bridge.commands.grammar import Adopt
from bridge.commands.request import Request


async def adopt(_command: Adopt, request: Request) -> None:
    """Needs a provider whose meetings exist without us; rooms of the bridge's own are not among them."""
    await request.answer(refusals.cannot_adopt(request.voice))
