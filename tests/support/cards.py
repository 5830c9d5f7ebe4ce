"""The cards of a room, as somebody in it sees them, and the room itself with the bot in it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from bridge.demo.matrix_user import Event, MatrixUser

CALL = "fr.passerelle.call"

PATIENCE = 75.0
"""Seconds that a test waits for what has to come: a roster that changes often is told every 30 s."""

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Card:
    """One card with all its versions.

    Attributes:
        event_id: Its first event.
        versions: The contents that a client shows, one after the other; the last one stands.
    """

    event_id: str
    versions: tuple[Mapping[str, Any], ...]

    @property
    def content(self) -> Mapping[str, Any]:
        """What stands there now."""
        return self.versions[-1]

    @property
    def body(self) -> str:
        """Its words, for plain clients."""
        return str(self.content["body"])

    @property
    def call(self) -> dict[str, Any]:
        """The ``fr.passerelle.call`` object."""
        found: dict[str, Any] = self.content[CALL]
        return found

    @property
    def state(self) -> str:
        """``open``, ``active``, ``ended`` or ``failed``."""
        return str(self.call["state"])

    @property
    def url(self) -> str:
        """The link to join; empty when the card has none."""
        return str(self.call["url"] or "")

    @property
    def names(self) -> set[str]:
        """Who is in."""
        return {str(participant["name"]) for participant in self.call["participants"]}

    def states(self) -> list[str]:
        """The states that it went through, in order, each once in a row."""
        seen = [str(version[CALL]["state"]) for version in self.versions]
        return [state for n, state in enumerate(seen) if n == 0 or seen[n - 1] != state]


def inside(*names: str) -> Callable[[Card], bool]:
    """Whether a card shows these people and nobody else."""
    return lambda card: card.names == set(names)


def is_(state: str) -> Callable[[Card], bool]:
    """Whether a card says that the call is in this state."""
    return lambda card: card.state == state


def mentioning(*user_ids: str) -> dict[str, Any]:
    """What a message that mentions these users has beside its text."""
    return {"m.mentions": {"user_ids": list(user_ids)}}


def plain(text: str) -> str:
    """A text with ordinary spaces, so that sentences can be compared."""
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def cards_of(events: list[Event]) -> list[Card]:
    """The cards among a room's events, in the order in which they were posted."""
    versions: dict[str, list[Mapping[str, Any]]] = {}
    for event in events:
        content = event["content"]
        if event["type"] != "m.room.message" or CALL not in content:
            continue
        relation = content.get("m.relates_to", {})
        card = relation["event_id"] if relation.get("rel_type") == "m.replace" else event["event_id"]
        versions.setdefault(card, []).append(content.get("m.new_content", content))
    return [Card(card, tuple(contents)) for card, contents in versions.items()]


class Salon:
    """A room with the bot in it, as one of its members sees it.

    Attributes:
        user: The member.
        room_id: The room.
        bot_id: The bot.
    """

    def __init__(self, user: MatrixUser, room_id: str, bot_id: str) -> None:
        self.user = user
        self.room_id = room_id
        self.bot_id = bot_id

    @classmethod
    async def made_by(cls, user: MatrixUser, bot_id: str, **room: Any) -> Self:
        """A new room with the bot in it, which has greeted; ``room`` as for ``create_room``."""
        invited = [bot_id, *room.pop("invite", ())]
        salon = cls(user, await user.create_room(invite=invited, **room), bot_id)
        await salon.greeting()
        return salon

    @classmethod
    async def direct(cls, user: MatrixUser, bot_id: str) -> Self:
        """A direct chat with the bot."""
        return await cls.made_by(user, bot_id, preset="trusted_private_chat", is_direct=True)

    async def give_power(self, user: MatrixUser, level: int) -> None:
        """Let somebody have this power level."""
        levels = await self.user.state(self.room_id, "m.room.power_levels")
        levels["users"] = {**levels.get("users", {}), user.user_id: level}
        await self.user.set_state(self.room_id, "m.room.power_levels", levels)

    async def greeting(self, number: int = 1) -> Event:
        """The first thing that the bot says beside its cards, or the given one."""
        await self.user.wait_until(lambda: len(self.answers()) >= number, PATIENCE)
        return self.answers()[number - 1]

    # What stands there

    @property
    def timeline(self) -> list[Event]:
        """What the member has seen, redacted or not."""
        return self.user.room(self.room_id).timeline

    @property
    def cards(self) -> list[Card]:
        """All cards, oldest first."""
        return cards_of(self.timeline)

    def ours(self) -> list[Event]:
        """All messages of the bot: cards, edits, answers."""
        return [event for event in self.timeline if self._is_ours(event)]

    def answers(self, after: str = "") -> list[Event]:
        """The bot's messages that are no cards, all or those after an event."""
        ids = [event["event_id"] for event in self.timeline]
        rest = self.timeline[ids.index(after) + 1 :] if after else self.timeline
        return [event for event in rest if self._is_ours(event) and CALL not in event["content"]]

    def said(self) -> list[str]:
        """The words of all the bot's answers, oldest first."""
        return [str(event["content"]["body"]) for event in self.answers()]

    async def card(
        self, condition: Callable[[Card], object] = bool, *, number: int = 1, timeout: float = PATIENCE
    ) -> Card:
        """Wait until the room has this many cards and the newest is as wanted; answer it.

        Raises:
            TimeoutError: It did not become so; the message shows the newest.
        """
        try:
            await self.user.wait_until(
                lambda: len(self.cards) >= number and condition(self.cards[-1]), timeout
            )
        except TimeoutError:
            newest = dict(self.cards[-1].content) if self.cards else "there is none"
            raise TimeoutError(f"The card did not become as awaited. It is: {newest}") from None
        assert len(self.cards) == number, [card.body for card in self.cards]
        return self.cards[-1]

    async def everything(self) -> str:
        """All that the homeserver still tells about the room, as text to look for words in."""
        events = await self.user.history(self.room_id)
        return json.dumps([event["content"] for event in events], ensure_ascii=False)

    # What people do

    async def say(self, text: str, *, by: MatrixUser | None = None, **extra: Any) -> str:
        """Write a message; answers its event id."""
        # Which is a hash of it: the same words of one person in one millisecond would be one event.
        unique = {"org.example.number": next(_numbers)}
        return await (by or self.user).say(self.room_id, text, **unique, **extra)

    async def ask(self, text: str, *, by: MatrixUser | None = None, **extra: Any) -> Event:
        """Write a message and wait for the first answer after it that is no card."""
        return await self.answer_to(await self.say(text, by=by, **extra))

    async def answer_to(self, question: str, *, number: int = 1, timeout: float = PATIENCE) -> Event:
        """Wait for the first answer, or the given one, after an event.

        Raises:
            TimeoutError: There was none; the message lists what came.
        """

        def answered() -> bool:
            known = any(event["event_id"] == question for event in self.timeline)
            return known and len(self.answers(question)) >= number

        try:
            await self.user.wait_until(answered, timeout)
        except TimeoutError:
            raise TimeoutError(f"No answer came. The bot said: {self.said()}") from None
        return self.answers(question)[number - 1]

    async def reply(self, text: str, *, by: MatrixUser | None = None, **extra: Any) -> str:
        """The words of the answer to a message."""
        return str((await self.ask(text, by=by, **extra))["content"]["body"])

    async def admit(self, *users: MatrixUser) -> None:
        """Let people into the room."""
        for user in users:
            await self.user.invite(self.room_id, user.user_id)
            await user.join(self.room_id)

    def _is_ours(self, event: Event) -> bool:
        return bool(event["sender"] == self.bot_id and event["type"] == "m.room.message")
