"""``muet`` and ``expulser``: act on somebody in the meeting, by the name that the card shows."""

from __future__ import annotations

import re
import unicodedata

from bridge.calls.model import Action, ActionKind, Call, Participant
from bridge.commands import answers, refusals
from bridge.commands.grammar import Kick, Mute
from bridge.commands.request import Request
from bridge.projections.names import safe_name
from bridge.store.records import Record

# People copy a name from the card, where « Marie » (sans compte) is what the bridge adds.
_NOTE = re.compile(r"\s*[»”“\"]\s*\([^()]*\)\s*\Z")
_NUMBERED = re.compile(r"(.*\S)\s+([1-9][0-9]?)")


async def mute(command: Mute, request: Request) -> None:
    """Turn somebody's microphone off; they can turn it on again."""
    await _act(ActionKind.MUTE, command, request)


async def kick(command: Kick, request: Request) -> None:
    """Put somebody out of the meeting until it is over."""
    await _act(ActionKind.KICK, command, request)


async def _act(kind: ActionKind, command: Mute | Kick, request: Request) -> None:
    record = await organised(request)
    if record is None:
        return
    call = record.call
    if call.adopted:
        # The SFU's key is power over every meeting; knowing a link must not lend it to anybody.
        await request.answer(refusals.not_our_meeting(request.voice))
        return
    if call.unseen:
        await request.answer(refusals.nobody_seen(request.voice))
        return
    found = called(call, command.name, command.mentions)
    if not found:
        await request.answer(answers.nobody_called(request.voice, command.name))
    elif len(found) > 1:
        question = answers.ambiguous_name(
            request.voice, kind, command.name, found, near=call.first_join_ts or call.started_ts
        )
        await request.answer(question, names_people=True)
    else:
        action = Action(kind, found[0].identity, found[0].name, request.thread or "", request.work.now)
        # The SFU is asked after the commit, by the reconciler, which also answers.
        after = call.but(pending=(*call.pending, action))
        await request.house.ledger.save(request.work, record, after)


async def organised(request: Request) -> Record | None:
    """The room's call, if the one who asks may act on it; else they get the answer why not."""
    if request.record is None:
        await request.answer(refusals.nothing_open(request.voice))
    elif not request.organises:
        starter = request.record.call.started_by_name
        await request.answer(refusals.not_an_organiser(request.voice, starter))
    else:
        return request.record
    return None


def called(call: Call, name: str, mentions: tuple[str, ...]) -> tuple[Participant, ...]:
    """The participants that a name or a mention means, in order of arrival.

    A number after a name picks one of several whom the name alone means (``Ada 2``), even if somebody
    calls themselves so: a name must not lead an organiser to another person than the list did.
    """
    if mentions:
        by_id = tuple(p for p in call.participants if p.user_id in mentions)
        if by_id:
            return by_id
    numbered = _NUMBERED.fullmatch(name)
    several = _named(call, numbered[1]) if numbered else ()
    if numbered and len(several) > 1:
        number = int(numbered[2])
        return several[number - 1 : number]
    return _named(call, name)


def _named(call: Call, name: str) -> tuple[Participant, ...]:
    """Whom a name means: whole names first, then beginnings of words."""
    wanted = _folded(_NOTE.sub("", name))
    # As the card shows them, which is what people read and write.
    shown = {p: _folded(safe_name(p.name)) for p in call.participants}
    whole = tuple(p for p, folded in shown.items() if folded == wanted)
    if whole or not wanted:
        return whole
    return tuple(p for p, folded in shown.items() if f" {wanted}" in f" {folded}")


def _folded(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).split())
