"""What the reconciler says in a room beside the card."""

from __future__ import annotations

from appservice.operations import SendEvent
from appservice.unit_of_work import UnitOfWork
from bridge.calls.model import Action, ActionKind, Call, Participant, ParticipantKind
from bridge.chat.styles import RoomStyles
from bridge.commands import answers, refusals
from bridge.keeper.ledger import named_slot
from bridge.locale import Message
from bridge.store import rooms


class RoomAnnouncements:
    """Fills `bridge.keeper.reconciler.Announcements`."""

    def __init__(self, styles: RoomStyles, bot_id: str) -> None:
        self._styles = styles
        self._bot_id = bot_id

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
        voice = (await self._styles.of_room(work)).voice
        message = refusals.peer_not_answering(voice, call.reference or "")
        await self._say(work, message, call.thread_id)

    async def not_allowed(self, work: UnitOfWork, call: Call) -> None:
        """The room is so large that only moderators open meetings in it."""
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
            slot=named_slot(call.id, f"{action.asked_ts}:{action.identity}"),
        )

    async def _say(
        self, work: UnitOfWork, message: Message, thread: str | None, slot: str | None = None
    ) -> None:
        await work.write(SendEvent("m.room.message", answers.to_content(message, thread=thread)), slot=slot)


def _whom(call: Call, action: Action) -> Participant:
    for participant in call.participants:
        if participant.identity == action.identity:
            return participant
    return Participant(action.identity, action.name, ParticipantKind.GUEST, False, None, action.asked_ts)
