"""``appeler``: one message that mentions people, so that their devices ring."""

from __future__ import annotations

from bridge.calls.model import CallState
from bridge.commands import answers, mentions
from bridge.commands.grammar import Ring
from bridge.commands.organise import organised
from bridge.commands.request import Request, readable


async def ring(command: Ring, request: Request) -> None:
    """An ``m.text``, because notices ring nowhere (``.m.rule.suppress_notices``)."""
    record = await organised(request)
    if record is None:
        return
    call = record.call
    if call.state is CallState.OPENING:
        await request.answer(answers.being_opened(request.voice))
        return
    called = command.mentions[: answers.MOST_RUNG]
    labels = mentions.labels_of(request.event.content.get("formatted_body"))
    people = [(user_id, labels.get(user_id) or readable(user_id)) for user_id in called]
    caller = call.started_by_name if request.sender == call.started_by else readable(request.sender)
    message = answers.ring(request.voice, people, caller, call)
    await request.answer(message, mentions=called, msgtype="m.text")
    if len(command.mentions) > answers.MOST_RUNG:
        await request.answer(answers.too_many_called(request.voice))
