"""``!visio``: open the room's call, or answer with the link to the open one."""

from __future__ import annotations

import secrets

from appservice.unit_of_work import UnitOfWork
from bridge.calls.model import Call, CallState
from bridge.commands import answers, refusals
from bridge.commands.adopt import adopt
from bridge.commands.grammar import Adopt, Open, OpenSeparate
from bridge.commands.request import Request, readable
from bridge.keeper.reconciler import new_call_id
from bridge.policy import Right
from bridge.store import natives
from bridge.store.records import Record

_MOST_ASKERS = 20
"""More answers than this say nothing new to a room."""


async def open_call(command: Open | OpenSeparate, request: Request) -> None:
    """One call and one card, however many ask; everybody after the first gets the link.

    The meeting itself is made after the commit, by the reconciler.
    """
    subject = command.subject if isinstance(command, Open) else None
    if subject and request.house.links.read(subject):
        await adopt(Adopt(subject), request)  # a link alone is no subject
        return
    if request.record is not None:
        await _find(request, request.record, subject)
        return
    if request.right < Right.START:
        await request.answer(refusals.not_allowed_to_open(request.voice, servers=[request.house.own_server]))
        return
    if request.facts.is_encrypted and not isinstance(command, OpenSeparate):
        inside = await natives.of_room(request.work.connection, request.event.room_id, request.work.now)
        if inside:
            people = len({each.user_id for each in inside})
            await request.answer(answers.native_call_running(request.voice, people))
            return
    call = new_call(request.work, by=request.sender, provider=request.house.provider).but(
        subject=subject,
        thread_id=request.thread,
        reference=request.reference,
        encrypted_room=request.facts.is_encrypted,
    )
    await request.house.ledger.open(request.work, call)


def new_call(work: UnitOfWork, *, by: str, provider: str) -> Call:
    """A call that somebody wants to have in a room, with its meeting still to be made."""
    return Call(
        id=new_call_id(),
        room_id=work.room_id,
        state=CallState.OPENING,
        provider=provider,
        started_by=by,
        started_by_name=readable(by),
        started_ts=work.now,
        # Decided now, so that opening can be repeated after a crash and makes the same link.
        secret=secrets.token_urlsafe(24),
    )


async def _find(request: Request, record: Record, subject: str | None) -> None:
    call = record.call
    if call.state is CallState.OPENING:
        # The link is a moment away; whoever asked gets it with everybody else.
        if len(call.askers) < _MOST_ASKERS:
            waiting = call.but(askers=(*call.askers, request.thread or ""))
            await request.house.ledger.save(request.work, record, waiting)
        return
    await request.answer(answers.already_open(request.voice, call, wanted=subject))
