"""Tokens that open the SFU itself: for clients that connect past the gateway, and for the gateway.

They are for the standard SFU rooms of native calls alone; those of meetings are their provider's.
"""

from __future__ import annotations

from collections.abc import Callable

from cachetools import TTLCache

from bridge.calls.ports import SfuUnreachable
from bridge.rtc.refusals import no_room
from bridge.sfu.client import Sfu, now_ms
from bridge.sfu.tokens import ApiKey, JoinPass, join_token

TTL_MS = 60_000
"""How long a token opens the SFU; LiveKit renews it for those who are connected, and cannot revoke it."""

EMPTY_TIMEOUT_MS = 300_000
DEPARTURE_TIMEOUT_MS = 20_000
"""Both as lk-jwt-service has them."""

_MADE_S = 15.0
"""How long a room that was made needs not be made again: less than it outlives its last participant."""


class PlainTokens:
    """Signs tokens for standard SFU rooms, and makes those rooms for people who may publish."""

    def __init__(self, sfu: Sfu, key: ApiKey, clock: Callable[[], int] = now_ms) -> None:
        self._sfu = sfu
        self._key = key
        self._clock = clock
        self._made: TTLCache[str, None] = TTLCache(10_000, _MADE_S)

    async def sign(self, sfu_room: str, identity: str, *, publish: bool) -> str:
        """Make the room if they may publish, and sign the right to join it.

        Args:
            sfu_room: A standard SFU room: it is made anew, which would overwrite settings of others' rooms.
            identity: Who they are there.
            publish: They may send picture and sound; else they are hidden.

        Raises:
            Refusal: the SFU does not answer.
        """
        if publish and sfu_room not in self._made:
            try:
                await self._sfu.create_room(
                    sfu_room,
                    empty_timeout_ms=EMPTY_TIMEOUT_MS,
                    departure_timeout_ms=DEPARTURE_TIMEOUT_MS,
                    max_participants=0,
                )
            except SfuUnreachable as error:
                raise no_room() from error
            self._made[sfu_room] = None
        join = JoinPass(
            room=sfu_room,
            identity=identity,
            name="",
            ttl_ms=TTL_MS,
            can_publish=publish,
            can_publish_data=publish,
            hidden=not publish,
        )
        return join_token(self._key, join, self._clock())
