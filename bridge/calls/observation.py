"""What a look at the SFU does to a call's roster.

Pure: the same call and the same look give the same roster, whatever webhooks were lost, doubled or
late on the way. The state of the call is `bridge.calls.lifecycle`'s business.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from bridge.calls.model import Call, CallState, Participant
from bridge.calls.ports import Seen, Sight

MISSES = 2
"""So many looks in a row without somebody mean that they left; one may fall into a reconnection."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The look that failed: the SFU did not say who is there."""


UNREACHABLE = Unreachable()

Look: TypeAlias = Sight | Unreachable


def merge(
    call: Call,
    look: Look,
    now: int,
    *,
    gone: Container[str] = frozenset(),
    came_before: Container[str] = frozenset(),
) -> Call:
    """The call after a look.

    Whom the SFU lists is in, whatever a webhook said. Whom it does not list is gone at the second
    such look in a row, or at once if ``gone`` names them. A look that failed keeps everybody.
    Somebody who is still on the roster keeps the time of their arrival through reconnections.

    Args:
        call: The call before; one that is not open or active comes back unchanged.
        look: What the SFU says, or `UNREACHABLE`.
        now: Milliseconds since the epoch.
        gone: SFU identities that left for sure: a webhook said so, or the bridge removed them.
        came_before: `person_key` of everybody who was in this call before, so that who comes back
            is not counted twice in ``came``. The caller keeps that set, see `newcomers`.
    """
    if call.state not in (CallState.OPEN, CallState.ACTIVE):
        return call
    if isinstance(look, Unreachable):
        stale_since = now if call.stale_since_ts is None else call.stale_since_ts
        return call.but(stale_since_ts=stale_since)
    after = call.but(
        participants=_roster(call.participants, look.participants, now, gone),
        stale_since_ts=None,
        recording=look.recording,
        transcription=look.transcription,
        access=look.access or call.access,
    )
    came = call.came + sum(key not in came_before for key in newcomers(call, after))
    certain = max(call.peak - call.doubt, sum(p.missed == 0 for p in after.visible))
    peak = max(certain, after.count)
    return after.but(came=came, peak=peak, doubt=peak - certain)


def newcomers(before: Call, after: Call) -> frozenset[str]:
    """Keys of the people who can be seen in ``after`` and could not in ``before``.

    The caller adds them to the set that it hands to `merge` as ``came_before``, in the same
    transaction that stores the call, and drops the set when the call is over.
    """
    already = {p.identity for p in before.visible}
    return frozenset(person_key(after.id, p.identity) for p in after.visible if p.identity not in already)


def person_key(call_id: str, identity: str) -> str:
    """What is kept of a person who came: enough to know them again in this call, no more.

    A hash, so that the stored set names nobody, and with the call's id in it, so that it cannot be
    compared between calls.
    """
    digest = hashlib.sha256(f"{call_id}\0{identity}".encode()).digest()
    return base64.b32encode(digest[:10]).decode().lower()


def _roster(
    before: Iterable[Participant], look: tuple[Seen, ...], now: int, gone: Container[str]
) -> tuple[Participant, ...]:
    known = {p.identity: p for p in before}
    listed = {seen.identity: _participant(seen, known.get(seen.identity), now) for seen in look}
    missing = (
        dataclasses.replace(p, missed=p.missed + 1)
        for p in known.values()
        if p.identity not in listed and p.identity not in gone and p.missed + 1 < MISSES
    )
    return tuple(sorted((*listed.values(), *missing), key=lambda p: (p.joined_ts, p.identity)))


def _participant(seen: Seen, known: Participant | None, now: int) -> Participant:
    # The SFU's clock may be ahead of ours, and nobody arrived in the future.
    joined_ts = min(seen.joined_ts, now) if seen.joined_ts > 0 else now
    if known is not None:
        joined_ts = min(known.joined_ts, joined_ts)
    return Participant(
        identity=seen.identity,
        name=seen.name,
        kind=seen.kind,
        verified=seen.verified,
        user_id=seen.user_id,
        joined_ts=joined_ts,
        hidden=seen.hidden,
        hand=seen.hand,
        role=seen.role,
    )
