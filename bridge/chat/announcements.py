"""What the reconciler says in a room beside the card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cachetools import LRUCache

from appservice.operations import SendEvent
from appservice.unit_of_work import UnitOfWork
from bridge.calls.model import Action, ActionKind, Call, Participant, ParticipantKind
from bridge.chat.styles import RoomStyles
from bridge.commands import answers, refusals
from bridge.keeper.ledger import named_slot
from bridge.keeper.ports import Member
from bridge.locale import Message, Voice
from bridge.rtc.identities import short_id
from bridge.store import rooms

CALLED_AGAIN_MS: Final = 60_000
CALLED_AT_MOST: Final = 3
"""So often is somebody called in one room within that time, whoever asks: twice by mistake, not for fun."""

_REMEMBER_MOST = 10_000


class RoomAnnouncements:
    """Fills `bridge.keeper.ports.Announcements`."""

    def __init__(self, styles: RoomStyles, bot_id: str) -> None:
        self._styles = styles
        self._bot_id = bot_id
        # In memory: what it is for is over in a minute.
        self._called: LRUCache[tuple[str, str], tuple[int, ...]] = LRUCache(_REMEMBER_MOST)

    async def opened(self, work: UnitOfWork, call: Call) -> None:
        """The link for whoever asked meanwhile or in a thread; in a direct chat, once, how rooms get it."""
        voice = (await self._styles.of_room(work)).voice
        if call.thread_id is not None:
            await self._say(work, answers.link_again(voice, call), call.thread_id)
        for thread in call.askers:
            await self._say(work, answers.already_open(voice, call), thread or None)
        facts = await work.facts()
        if facts.is_direct and (await rooms.recall(work)).told_direct_ts is None:
            await self._say(work, answers.direct_chat_hint(voice, self._bot_id), None)
            await rooms.remember(work, told_direct_ts=work.now)

    async def waiting(self, work: UnitOfWork, call: Call) -> None:
        """Opening takes longer than usual; no need to ask again."""
        if _unasked(call):
            return
        voice = (await self._styles.of_room(work)).voice
        message = refusals.peer_not_answering(voice, call.reference or "")
        await self._say(work, message, call.thread_id)

    async def not_allowed(self, work: UnitOfWork, call: Call) -> None:
        """The room is so large that only moderators open meetings in it."""
        if _unasked(call):
            return
        voice = (await self._styles.of_room(work)).voice
        await self._say(work, refusals.not_allowed_to_open(voice), call.thread_id)

    async def acted(self, work: UnitOfWork, call: Call, action: Action, done: bool) -> None:
        """Somebody was muted or put out, or could not be."""
        voice = (await self._styles.of_room(work)).voice
        if not done:
            message = refusals.something_went_wrong(voice, call.reference or "")
        elif action.kind is ActionKind.MUTE:
            message = answers.muted(voice, _whom(call, action))
        else:
            message = answers.kicked(voice, _whom(call, action))
        await self._say(
            work,
            message,
            action.thread or None,
            slot=named_slot(call.id, f"{action.asked_ts}:{short_id(action.identity)}"),
        )

    async def rang(self, work: UnitOfWork, call: Call, called: Mapping[Action, Member], caller: str) -> None:
        """Have devices ring: an ``m.text``, because notices ring nowhere (``.m.rule.suppress_notices``).

        Who is not in the room is mentioned all the same, since the homeserver may be wrong about it; a
        second line says who will not hear it.
        """
        voice = (await self._styles.of_room(work)).voice
        everybody = list(called.items())
        first, more = everybody[: answers.MOST_RUNG], everybody[answers.MOST_RUNG :]
        due = [
            (action, member)
            for action, member in first
            if len(self._recent_calls(work, action)) < CALLED_AT_MOST
        ]
        thread = everybody[0][0].thread or None
        if due:
            people = [(action.identity, member.name or action.name) for action, member in due]
            message = answers.ring(voice, people, caller, call)
            content = answers.to_content(
                message, mentions=[user_id for user_id, _ in people], msgtype="m.text", thread=thread
            )
            await work.write(SendEvent("m.room.message", content))
            for action, member in due:
                if member.joined is not False:
                    calls = (*self._recent_calls(work, action), work.now)
                    self._called[work.room_id, action.identity] = calls
        remarks = _remarks(voice, first, due, bool(more))
        if remarks:
            await self._say(work, remarks, thread)

    def _recent_calls(self, work: UnitOfWork, action: Action) -> tuple[int, ...]:
        before = self._called.get((work.room_id, action.identity), ())
        return tuple(moment for moment in before if work.now < moment + CALLED_AGAIN_MS)

    async def _say(
        self, work: UnitOfWork, message: Message, thread: str | None, slot: str | None = None
    ) -> None:
        await work.write(SendEvent("m.room.message", answers.to_content(message, thread=thread)), slot=slot)


def _unasked(call: Call) -> bool:
    """Whether nobody asked for a call: somebody has just posted a link, which may or may not be followed."""
    return call.adopted and call.reference is None


_Called = tuple[Action, Member]


def _remarks(voice: Voice, first: list[_Called], due: list[_Called], more: bool) -> Message | None:
    """What is to be said about people who were called, or were not."""
    lines = []
    if absent := [member.name or action.name for action, member in due if member.joined is False]:
        lines.append(answers.not_in_room(voice, absent))
    if spared := [member.name or action.name for action, member in first if (action, member) not in due]:
        lines.append(answers.called_just_now(voice, spared))
    if more:
        lines.append(answers.too_many_called(voice))
    if not lines:
        return None
    return Message("\n".join(line.body for line in lines), "".join(line.html for line in lines))


def _whom(call: Call, action: Action) -> Participant:
    for participant in call.participants:
        if participant.identity == action.identity:
            return participant
    return Participant(action.identity, action.name, ParticipantKind.GUEST, False, None, action.asked_ts)
