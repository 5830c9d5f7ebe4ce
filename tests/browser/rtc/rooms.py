"""Rooms for calls."""

from __future__ import annotations

from typing import Any

from bridge.demo.matrix_user import MatrixUser

MEMBERSHIP = "org.matrix.msc3401.call.member"


async def call_room(
    owner: MatrixUser, *others: MatrixUser, invite: tuple[str, ...] = (), **given: Any
) -> str:
    """A room in which everybody may be in a call, as Element's clients make them.

    Args:
        owner: Makes it.
        others: Join it.
        invite: Are invited too, such as a bot.
        given: As for `MatrixUser.create_room`.
    """
    given.setdefault("name", "Point budget")
    given.setdefault("power_levels", {"events": {MEMBERSHIP: 0}})
    room_id = await owner.create_room(invite=[*(user.user_id for user in others), *invite], **given)
    for user in others:
        await user.join(room_id)
    return room_id


async def stand_in_call(user: MatrixUser, room_id: str, device_id: str, service_url: str) -> None:
    """Write a membership of the room's call that stands for somebody in Visio."""
    content = {
        "application": "m.call",
        "call_id": "",
        "scope": "m.room",
        "device_id": device_id,
        "membershipID": f"{user.user_id}:{device_id}",
        "expires": 14_400_000,
        "focus_active": {"type": "livekit", "focus_selection": "multi_sfu"},
        "foci_preferred": [{"type": "livekit", "livekit_service_url": service_url, "livekit_alias": room_id}],
    }
    await user.set_state(room_id, MEMBERSHIP, content, membership_key(user.user_id, device_id))


def membership_key(user_id: str, device_id: str) -> str:
    """The state key of a membership (MSC3401); the underscore is for rooms without owned state."""
    return f"_{user_id}_{device_id}_m.call"
