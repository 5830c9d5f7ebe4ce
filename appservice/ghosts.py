"""Bringing ghosts into rooms, and taking them and their names out again.

A ghost has its name in the room alone, in its membership there: a name in its profile would be told to every
room, and stay. What a room's history says of it is redacted by the ghost itself, which needs no power for
that, as long as it is in the room.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from appservice.errors import MatrixError
from appservice.intents import Actors, Intent
from appservice.operations import BringGhost, DismissGhost

log = structlog.get_logger()

DISMISSED = "fr.passerelle.dismissed"
"""Stands in the membership of a ghost that we have sent out, to tell it from one that was put out."""

_MEMBER = "m.room.member"
_MOST_NAMES = 50
"""So many changes of a name are looked for at most."""


async def carry_out(actors: Actors, operation: BringGhost | DismissGhost, room_id: str, txn_id: str) -> None:
    """Bring a ghost into a room, or out of it. Safe to repeat with the same ``txn_id``.

    Raises:
        MatrixError: the room does not let it in, or the homeserver cannot do it at the moment.
        HomeserverUnreachable: nobody answers.
    """
    if isinstance(operation, BringGhost):
        await _bring(actors, operation.user_id, operation.display_name, room_id)
    else:
        await _dismiss(actors, operation, room_id, txn_id)


async def _bring(actors: Actors, user_id: str, display_name: str, room_id: str) -> None:
    ghost = await actors.of(user_id)
    content = {"membership": "join", "displayname": display_name}
    try:
        await ghost.send_state(room_id, _MEMBER, user_id, content)
    except MatrixError as error:
        if error.status != 403 or error.is_foreign:
            raise
        await actors.bot.invite(room_id, user_id)
        await ghost.send_state(room_id, _MEMBER, user_id, content)
    if _name_in(await ghost.state_event(room_id, _MEMBER, user_id) or {}) != display_name:
        # A homeserver without names of a room's own (Synapse: `allow_per_room_profiles: false`).
        await ghost.set_profile("displayname", display_name)


async def _dismiss(actors: Actors, operation: DismissGhost, room_id: str, txn_id: str) -> None:
    user_id, forget_name = operation.user_id, operation.forget_name
    ghost = await actors.of(user_id)
    try:
        event = await ghost.state_event(room_id, _MEMBER, user_id)
    except MatrixError as error:
        if error.can_heal:
            raise
        return  # it has never been there
    membership = _membership_in(event or {})
    if event is not None and forget_name:
        # Who was put out by somebody else is not there any more to redact anything: the bot may be able to.
        await _forget_names(ghost if membership == "join" else actors.bot, user_id, event, txn_id)
    if membership in ("join", "invite"):
        await ghost.send_state(room_id, _MEMBER, user_id, {"membership": "leave", DISMISSED: True})
    if forget_name:
        await _forget_profile(ghost)


async def _forget_names(redactor: Intent, ghost_id: str, event: Mapping[str, Any], txn_id: str) -> None:
    """Redact a ghost's memberships that name it, from a member event back to when it came."""
    room_id = str(event.get("room_id", ""))
    try:
        for number in range(_MOST_NAMES):
            if event.get("sender") == ghost_id and _name_in(event) is not None:
                await redactor.redact(room_id, str(event.get("event_id")), f"{txn_id}-{number}", None)
            before = _unsigned(event).get("replaces_state")
            if not isinstance(before, str) or not _was_in(event):
                return
            event = await redactor.event(room_id, before)
    except MatrixError as error:
        if error.can_heal:
            raise
        log.info("ghost.name_stays", why=str(error))


async def _forget_profile(ghost: Intent) -> None:
    own = ghost.user_id[1:].split(":", 1)[0]
    if await ghost.profile("displayname") not in (None, "", own):
        await ghost.set_profile("displayname", own)


def _was_in(event: Mapping[str, Any]) -> bool:
    before = _unsigned(event).get("prev_content")
    return isinstance(before, dict) and before.get("membership") == "join"


def _unsigned(event: Mapping[str, Any]) -> Mapping[str, Any]:
    found = event.get("unsigned")
    return found if isinstance(found, dict) else {}


def _membership_in(event: Mapping[str, Any]) -> str:
    return str(_content(event).get("membership", ""))


def _name_in(event: Mapping[str, Any]) -> object:
    return _content(event).get("displayname")


def _content(event: Mapping[str, Any]) -> Mapping[str, Any]:
    found = event.get("content")
    return found if isinstance(found, dict) else {}
