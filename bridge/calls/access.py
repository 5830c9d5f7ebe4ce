"""Who of Matrix gets a token for a meeting, by its access level and by policy. Pure.

The bridge could mint a token for any meeting of the SFU, and Visio asks nothing more at the door. So the
bridge keeps Visio's lobby itself (Meet's ``Room.access_level``): its tokens are never a way around it.
"""

from __future__ import annotations

import enum

from bridge.policy import Right


class Entry(enum.Enum):
    """What somebody may do in a meeting once the bridge has let them in."""

    PUBLISH = "publish"
    """Speak, show, share the screen."""
    SUBSCRIBE = "subscribe"
    """See and hear, and be shown as listening."""
    NONE = "none"
    """Stay out, or go through Visio's own door."""


def may_enter(access: str | None, *, right: Right, own_server: bool, is_owner: bool) -> Entry:
    """What a Matrix user may do in a meeting.

    Policy sets the most that anybody may do; the access level can only take away. A level that is not
    known, or that a later Visio invents, counts as the strictest.

    Args:
        access: ``public`` (whoever has the link), ``trusted`` (people whom Visio knows) or ``restricted``
            (people who were let in), or None.
        right: What policy lets the user do.
        own_server: They belong to the bridge's own homeserver, whose people Visio knows.
        is_owner: The meeting is theirs, or its owner has let them in.
    """
    if access == "public" or (access == "trusted" and own_server) or is_owner:
        return _by_policy(right)
    if access == "trusted" and right >= Right.PUBLISH:
        # The administrator has named them. Leave to listen alone is given to whole servers, and is no
        # reason to pass by a lobby.
        return Entry.PUBLISH
    return Entry.NONE


def _by_policy(right: Right) -> Entry:
    if right >= Right.PUBLISH:
        return Entry.PUBLISH
    return Entry.SUBSCRIBE if right >= Right.SUBSCRIBE else Entry.NONE
