"""The account of a room: which command was asked, what answered it, and what is wrong with that. No I/O.

Most commands of the chaos tests are asked in a thread of their own, because the bridge answers in the
thread: so each answer says which command it belongs to, and one too many cannot hide one too few.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.demo.matrix_user import Event
from tests.support.cards import CALL, Card, cards_of

PREFIX = "!visio"

IN_THE_OPEN: Mapping[str, str] = {
    f"{PREFIX} ping": "Je suis là.",
    f"{PREFIX} version": "Passerelle ",
    f"{PREFIX} aide": f"{PREFIX} : ouvrir",
}
"""Commands that may be asked in the main timeline, with how their answer begins: it alone identifies it."""

_OVER = ("ended", "failed")


@dataclass(frozen=True, slots=True)
class Command:
    """Something that somebody asked the bridge.

    Attributes:
        event_id: Of the message.
        sender: Who asked.
        text: What they typed.
        thread: The root of the thread they typed it in, or None.
    """

    event_id: str
    sender: str
    text: str
    thread: str | None

    @property
    def opens(self) -> bool:
        """Whether it asks for a meeting."""
        return self.text == PREFIX

    @property
    def ends(self) -> bool:
        """Whether it asks for the end of the meeting: answered by the card, or in words if it cannot be."""
        return self.text.startswith(f"{PREFIX} fin")


class Account:
    """What happened in a room, taken from its events as a member saw them arrive."""

    def __init__(self, events: Iterable[Event], bot_id: str) -> None:
        """Read it.

        Args:
            events: In the homeserver's order.
            bot_id: The bridge's bot.
        """
        messages = [event for event in events if event["type"] == "m.room.message"]
        ours = [event for event in messages if event["sender"] == bot_id]
        self.commands = [
            _command(event)
            for event in messages
            if event["sender"] != bot_id and str(event["content"].get("body", "")).startswith(PREFIX)
        ]
        self.cards: Sequence[Card] = cards_of(messages)
        self.answers = [event for event in ours if CALL not in event["content"] and event["content"]]
        self.blind = sum(not event["content"] for event in ours)
        """How many of the bot's messages were taken away before the member saw them."""
        self._by_thread = Counter(_thread(event) for event in self.answers)

    def problems(self) -> list[str]:
        """Everything that is not as it has to be, one line each; empty when all is well."""
        return [*self._threads(), *self._in_the_open(), *self._calls(), *self._order()]

    def calls_are_right(self) -> bool:
        """Whether the cards are what the commands have asked for so far."""
        return not list(self._calls())

    def answered(self, thread: str) -> bool:
        """Whether the command of a thread has its answer."""
        return self._by_thread[thread] > 0

    def _threads(self) -> Iterable[str]:
        in_card = self._answered_by_card()
        blind = self.blind
        for command in self.commands:
            if command.thread is None:
                continue
            count = self._by_thread[command.thread]
            if count == 1 or (count == 0 and command.event_id in in_card):
                continue
            if count == 0 and command.text == f"{PREFIX} statut" and blind:
                blind -= 1  # it named people and was taken away with the end of the call
                continue
            yield f"{command.text} in thread {command.thread} was answered {count} times"

    def _in_the_open(self) -> Iterable[str]:
        for text, beginning in IN_THE_OPEN.items():
            asked = sum(command.text == text and command.thread is None for command in self.commands)
            said = sum(
                _thread(event) is None and _body(event).startswith(beginning) for event in self.answers
            )
            if asked != said:
                yield f"{text} in the main timeline was asked {asked} times and answered {said} times"

    def _calls(self) -> Iterable[str]:
        opened, ended = self._expected_calls()
        over = [card for card in self.cards if card.state in _OVER]
        if len(self.cards) != opened:
            yield f"{len(self.cards)} cards, but {opened} meetings were asked for"
        if len(over) != ended:
            yield f"{len(over)} cards say that the meeting is over, but {ended} were ended"
        ids = [card.call["id"] for card in self.cards]
        if len(set(ids)) != len(ids):
            yield f"a call has two cards: {ids}"
        if [card.state for card in self.cards[:-1] if card.state not in _OVER]:
            yield f"an older card is not over: {[card.state for card in self.cards]}"

    def _expected_calls(self) -> tuple[int, int]:
        """How many meetings the commands opened, and how many of them they ended."""
        opened = ended = 0
        for command in self.commands:
            if command.opens and opened == ended:
                opened += 1
            elif command.ends and command.thread and not self._by_thread[command.thread] and opened > ended:
                ended += 1
        return opened, ended

    def _answered_by_card(self) -> set[str]:
        """Ends of meetings, and who asked for a meeting that was ended before it had a link."""
        done: set[str] = set()
        asked: list[str] = []
        opened = 0
        for command in self.commands:
            unanswered = command.thread is None or not self._by_thread[command.thread]
            if command.opens:
                opened += not asked
                asked.append(command.event_id)
            elif command.ends and asked and unanswered:
                done.add(command.event_id)
                if opened <= len(self.cards) and self.cards[opened - 1].states()[0] in _OVER:
                    done.update(asked)
                asked = []
        return done

    def _order(self) -> Iterable[str]:
        """What needs no look at the SFU is answered in the order in which it was asked."""
        at_once = {c.thread: c.text for c in self.commands if c.thread and not c.opens}
        asked = [thread for thread in at_once if self._by_thread[thread] == 1]
        told = [thread for thread in map(_thread, self.answers) if thread in at_once]
        if Counter(asked) == Counter(told) and asked != told:
            pairs = [(at_once[a], at_once[t]) for a, t in zip(asked, told, strict=True) if a != t]
            yield f"answers out of order (asked, told): {pairs[:5]}"

    def transcript(self, last: int = 60) -> str:
        """The room's last commands, answers and cards, for whoever has to understand a failure."""
        lines = [
            f"{c.event_id[:8]} {c.sender.partition(':')[0]}: {c.text}  [{c.thread}]" for c in self.commands
        ]
        lines += ["--- answers"]
        lines += [
            f"{e['event_id'][:8]} [{_thread(e)}] {_body(e).splitlines()[0]}" for e in self.answers[-last:]
        ]
        lines += ["--- cards"]
        lines += [f"{c.event_id[:8]} {c.call['id']} {c.states()} {sorted(c.names)}" for c in self.cards]
        return "\n".join(lines[-3 * last :])


def _command(event: Event) -> Command:
    return Command(event["event_id"], event["sender"], _body(event), _thread(event))


def _thread(event: Event) -> str | None:
    relation: Mapping[str, Any] = event["content"].get("m.relates_to", {})
    return str(relation["event_id"]) if relation.get("rel_type") == "m.thread" else None


def _body(event: Event) -> str:
    return str(event["content"].get("body", ""))
