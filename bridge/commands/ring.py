"""``appeler``: one message that mentions people, so that their devices ring."""

from __future__ import annotations

from bridge.calls.model import Action, ActionKind, CallState
from bridge.commands import answers, mentions
from bridge.commands.grammar import Ring
from bridge.commands.organise import organised
from bridge.commands.request import Request, readable


async def ring(command: Ring, request: Request) -> None:
    """Have people called after the commit: only the homeserver knows who is in the room, and their names."""
    record = await organised(request)
    if record is None:
        return
    call = record.call
    if call.state is CallState.OPENING:
        await request.answer(answers.being_opened(request.voice, call))
        return
    if not await request.may_answer():
        return
    labels = mentions.labels_of(request.event.content.get("formatted_body"))
    rings = tuple(
        Action(
            ActionKind.RING,
            user_id,
            labels.get(user_id) or readable(user_id),
            request.thread or "",
            request.work.now,
            by=request.sender,
        )
        # One more than is called tells that there were more.
        for user_id in command.mentions[: answers.MOST_RUNG + 1]
    )
    after = call.but(pending=(*call.pending, *rings))
    await request.house.ledger.save(request.work, record, after)
