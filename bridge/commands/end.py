"""``fin``: end the room's call for everybody, after asking where that would surprise people."""

from __future__ import annotations

from bridge.calls import lifecycle
from bridge.calls.model import Call, EndReason
from bridge.commands import answers, refusals
from bridge.commands.grammar import End
from bridge.commands.request import Request
from bridge.store import questions

_QUESTION = "end"
_MANY = 3
_PATIENCE_MS = 60_000


async def end_call(command: End, request: Request) -> None:
    """The card says that the meeting is over; the SFU is told by the reconciler."""
    if request.record is None:
        await request.answer(refusals.nothing_open(request.voice))
        return
    call = request.record.call
    if not request.organises:
        await request.answer(refusals.not_yours(request.voice, call.started_by_name))
        return
    if cuts_off_others(call, request.sender):
        asked = await questions.take(request.work, _QUESTION, request.sender)
        if not (command.confirmed and asked):
            await questions.ask(request.work, _QUESTION, request.sender, _PATIENCE_MS)
            await request.answer(answers.confirm_end(request.voice, call.count), urgent=True)
            return
    ended = lifecycle.end(call, request.work.now, EndReason.COMMAND).but(closing=not call.adopted)
    await request.house.ledger.save(request.work, request.record, ended)


def cuts_off_others(call: Call, user_id: str) -> bool:
    """Whether ending a call would surprise people: three or more others inside, or an outsider ends it.

    One that the room only follows goes on without it, and so does one whose SFU nobody can ask.
    """
    if call.adopted or call.unseen:
        return False
    inside = any(participant.user_id == user_id for participant in call.visible)
    others = call.count - inside
    return others >= _MANY or (not inside and call.count > 0)
