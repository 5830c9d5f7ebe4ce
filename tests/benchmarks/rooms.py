"""Rooms of the same kind for everybody who is measured: one person, one bot."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from bridge.demo.matrix_user import Event, MatrixUser
from bridge.projections.card import CALL_KEY

_AT_ONCE = 4


async def rooms_with(user: MatrixUser, bot_id: str, count: int, *, greeted: bool) -> list[str]:
    """Make rooms that a bot is in, and wait until it is there and has said what it says first."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def make() -> str:
        async with slots:
            room_id = await user.create_room(invite=[bot_id])
            await user.wait_until(lambda: bot_id in user.room(room_id).members(), 60)
            if greeted:
                await user.wait_until(lambda: user.room(room_id).messages(bot_id), 60)
            return room_id

    return list(await asyncio.gather(*(make() for _ in range(count))))


async def open_call(user: MatrixUser, room_id: str) -> str:
    """Have the bridge open a call if the room has none, and return the name of its SFU room."""
    if not any(is_card(event) for event in user.room(room_id).timeline):
        await user.say(room_id, "!visio")
    card = await user.wait_for(room_id, is_card, 60)
    # The livekit provider names its rooms after the link, `bridge.providers.livekit.sfu_room_of`.
    return f"passerelle-{urlsplit(card['content']['call_url']).path.rpartition('/')[2]}"


def is_card(event: Event) -> bool:
    """Whether an event is the first version of a card."""
    return CALL_KEY in event["content"] and "m.new_content" not in event["content"]


def names_on(event: Event) -> list[str]:
    """The names that an edit of a card puts on it."""
    call = event["content"].get("m.new_content", {}).get(CALL_KEY, {})
    return [participant["name"] for participant in call.get("participants", ())]
