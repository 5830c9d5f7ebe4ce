"""Following a meeting that is not ours: from a link to a call."""

from __future__ import annotations

from typing import Final

from bridge.calls.model import Call, CallState
from bridge.commands.request import readable
from bridge.keeper.reconciler import new_call_id

FOLLOWED_BY: Final = "visio"
"""Name of the provider that finds meetings behind links."""


def followed(
    url: str, *, room_id: str, by: str, now: int, thread: str | None, reference: str | None, encrypted: bool
) -> Call:
    """A call that follows a link.

    Args:
        url: The link, in its normal form.
        room_id: Where its card will stand.
        by: Who asked for it, agreed to it, or posted the link.
        now: Milliseconds since the epoch.
        thread: Root of the thread in which it was asked for, if any.
        reference: What an error shows; None if nobody asked, and then nothing is said if it fails.
        encrypted: Whether the room is end-to-end encrypted.
    """
    return Call(
        id=new_call_id(),
        room_id=room_id,
        state=CallState.OPENING,
        provider=FOLLOWED_BY,
        started_by=by,
        started_by_name=readable(by),
        started_ts=now,
        adopted=True,
        url=url,
        thread_id=thread,
        reference=reference,
        encrypted_room=encrypted,
    )
