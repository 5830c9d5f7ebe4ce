"""One command, with everything that its handler may look at. Handlers do no network I/O."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from appservice.events import Event
from appservice.operations import SendEvent
from appservice.rooms import RoomFacts
from appservice.unit_of_work import UnitOfWork
from bridge.calls.ports import Links, NoLinks
from bridge.commands.answers import to_content, too_many_commands
from bridge.commands.restraint import Restraint, Verdict
from bridge.keeper.ledger import Ledger, named_slot
from bridge.locale import Message, Voice
from bridge.policy import Policy, Right
from bridge.projections.style import CardStyle
from bridge.store.records import Record

MODERATOR = 50
"""The power level from which somebody acts for the room (``kick``, ``redact`` in Matrix's defaults)."""


@dataclass(frozen=True, slots=True)
class House:
    """What all commands share.

    Attributes:
        ledger: Writes calls down.
        policy: Who may do what.
        provider: Name of the provider of new calls.
        own_server: The bridge's own homeserver.
        support: Where people ask, or empty.
        version: The bridge's version.
        links: Which links lead to meetings that can be followed; nothing does without Visio.
        restraint: How much is answered in one room.
    """

    ledger: Ledger
    policy: Policy
    provider: str
    own_server: str
    support: str
    version: str
    links: Links
    restraint: Restraint = field(default_factory=Restraint)

    @property
    def adopts(self) -> bool:
        """Whether existing meetings can be followed here."""
        return not isinstance(self.links, NoLinks)


@dataclass(frozen=True, slots=True)
class Request:
    """A command being obeyed.

    Attributes:
        event: The message.
        facts: What is cached of its room.
        work: The open unit of work.
        style: How cards look in this room; holds the voice.
        record: The room's call that is not over, if any.
        thread: Root of the thread it was written in, or None.
        reference: What an error shows so that the log can be found.
        house: What all commands share.
    """

    event: Event
    facts: RoomFacts
    work: UnitOfWork
    style: CardStyle
    record: Record | None
    thread: str | None
    reference: str
    house: House

    @property
    def voice(self) -> Voice:
        """How the bridge speaks in this room."""
        return self.style.voice

    @property
    def sender(self) -> str:
        """Who asks."""
        return self.event.sender

    @property
    def right(self) -> Right:
        """What policy lets them do."""
        return self.house.policy.right_of(self.sender)

    @property
    def moderates(self) -> bool:
        """Whether they act for the room."""
        return self.facts.power_of(self.sender) >= MODERATOR or self.right >= Right.MODERATE

    @property
    def organises(self) -> bool:
        """Whether they may end the room's call and act on its participants."""
        started = self.record is not None and self.record.call.started_by == self.sender
        return started or self.moderates

    async def answer(
        self,
        message: Message,
        *,
        mentions: Sequence[str] = (),
        msgtype: Literal["m.notice", "m.text"] = "m.notice",
        names_people: bool = False,
        urgent: bool = False,
    ) -> None:
        """Write one answer: into the thread of the question, or into the main timeline.

        Args:
            message: What to say.
            mentions: Whom to notify.
            msgtype: ``m.text`` only where devices shall ring.
            names_people: It tells who is in the call, and is taken away when the call is over.
            urgent: It is said however much was asked in this room.
        """
        if not urgent and not await self.may_answer():
            return
        content = to_content(message, mentions=mentions, msgtype=msgtype, thread=self.thread)
        slot = None
        if names_people and self.record is not None and self.style.names != "keep":
            slot = named_slot(self.record.call.id, self.reference)
        await self.work.write(SendEvent("m.room.message", content), slot=slot)

    async def may_answer(self) -> bool:
        """Count one more answer in this room; if it is one too many, say so once."""
        verdict = self.house.restraint.weigh(self.event.room_id, self.work.now)
        if verdict is Verdict.ENOUGH:
            await self.answer(too_many_commands(self.voice), urgent=True)
        return verdict is Verdict.SAY


Obey = Callable[[Any, Request], Awaitable[None]]
"""Obeys one command: ``(command, request)``."""


def readable(user_id: str) -> str:
    """What a user is called while nobody has asked the homeserver: the local part."""
    return user_id.removeprefix("@").partition(":")[0]
