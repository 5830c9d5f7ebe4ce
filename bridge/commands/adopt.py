"""``lier``: follow an existing Visio meeting."""

from __future__ import annotations

from bridge.commands import answers, offers, refusals
from bridge.commands.follow import followed
from bridge.commands.grammar import Adopt
from bridge.commands.request import Request
from bridge.policy import Right


async def adopt(command: Adopt, request: Request) -> None:
    """Follow the meeting behind a link of the configured Visio; no other link is ever looked at."""
    house = request.house
    url = house.links.read(command.url)
    if not house.adopts:
        await request.answer(refusals.cannot_adopt(request.voice))
    elif url is None:
        await request.answer(
            refusals.no_visio_link(request.voice, command.url, request.style.visio_url or "")
        )
    elif request.record is not None:
        await _there_is_one(request, url)
    elif request.right < Right.START:
        await request.answer(refusals.not_allowed_to_follow(request.voice, servers=[house.own_server]))
    else:
        call = followed(
            url,
            room_id=request.event.room_id,
            by=request.sender,
            now=request.work.now,
            thread=request.thread,
            reference=request.reference,
            encrypted=request.facts.is_encrypted,
        )
        await offers.withdraw(request.work, url)
        await house.ledger.open(request.work, call)


async def _there_is_one(request: Request, url: str) -> None:
    assert request.record is not None
    call = request.record.call
    if call.url == url:
        await request.answer(answers.followed_already(request.voice))
    else:
        await request.answer(refusals.another_open(request.voice, call))
