"""The offer to follow a link that somebody posted: one reaction of the bot's on that message, in words.

Whoever may start a call agrees by adding theirs. Once agreed to, or when its time is over, the bot takes
its reaction back.
"""

from __future__ import annotations

from typing import Final

from appservice.operations import RedactSlots, SendEvent
from appservice.unit_of_work import UnitOfWork
from bridge.locale import LANGUAGES, Voice
from bridge.store import offers

PATIENCE_MS: Final = 4 * 3_600_000
"""How long an offer stands."""


def key(voice: Voice) -> str:
    """What the reaction says. It is words, so that everybody knows what adding theirs will do."""
    return voice.text("Follow this meeting").plain


KEYS: Final = frozenset(key(Voice(language)) for language in LANGUAGES)
"""What an agreement says, in any language: a room may have changed its own meanwhile."""


async def make(work: UnitOfWork, voice: Voice, event_id: str, url: str) -> None:
    """Offer to follow a link, at the message that holds it."""
    await offers.offer(work, event_id, url, PATIENCE_MS)
    relation = {"rel_type": "m.annotation", "event_id": event_id, "key": key(voice)}
    content = {"m.relates_to": relation, "m.mentions": {}}
    await work.write(SendEvent("m.reaction", content), slot=_slot(event_id))


async def withdraw(work: UnitOfWork, url: str) -> None:
    """Take back every offer of a link in this room."""
    for event_id in await offers.take_link(work, url):
        await take_back(work, event_id)


async def take_back(work: UnitOfWork, event_id: str) -> None:
    """Take the reaction back from a message whose offer is over."""
    await work.write(RedactSlots(_slot(event_id)))


def _slot(event_id: str) -> str:
    # It ends with what no event id holds: slots are taken back by how they begin.
    return f"offer:{event_id}|"
