"""The gateway's own tokens. They open the gateway and nothing else: the SFU does not know their key.

Clients read some claims (Element Call ``sub`` and ``video.room``), with a plain ``atob``; see
`bridge.sfu.tokens.PlainJson`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from bridge.sfu.tokens import PlainJson

_ISSUER = "passerelle"
_CLAIMS = "fr.passerelle.pass"
_LABEL = b"passerelle gateway pass v1"
_LEEWAY_S = 10


class PassRefused(Exception):
    """A token that opens nothing.

    Attributes:
        expired: It was good once.
    """

    def __init__(self, advice: str, *, expired: bool = False) -> None:
        super().__init__(advice)
        self.expired = expired


@dataclass(frozen=True, slots=True)
class Pass:
    """The right to ask for a place in the call of one Matrix room.

    Whether it is granted, and in which SFU room, is decided at each connection.

    Attributes:
        user_id: Whose it is.
        device_id: Which of their devices.
        room_id: Matrix room whose call it is for.
        identity: SFU identity that the authorization service gave them.
        publish: They may send picture and sound; without it they are hidden and only listen.
        sfu_room: Where their present session is, so that it is resumed there and not elsewhere; None
            before the first connection. At first it is a hint for the client alone.
    """

    user_id: str
    device_id: str
    room_id: str
    identity: str
    publish: bool
    sfu_room: str | None = None


class Passes:
    """Signs and verifies passes. All replicas do so with the same key."""

    def __init__(self, secret: str, clock: Callable[[], int]) -> None:
        """Derive the key.

        Args:
            secret: Known to all replicas and nobody else, such as the SFU's; what is signed with it
                elsewhere is no pass, and a pass is nothing elsewhere.
            clock: The time in milliseconds.
        """
        self._key = hmac.new(secret.encode(), _LABEL, hashlib.sha256).digest()
        self._clock = clock

    def sign(self, granted: Pass, *, ttl_ms: int, shown_room: str = "") -> str:
        """Write a pass as a token.

        Args:
            granted: What it says.
            ttl_ms: How long it opens the gateway; who is connected stays so.
            shown_room: What clients are to take for the SFU room's name if there is no session yet.
        """
        now = self._clock()
        claims = {
            "iss": _ISSUER,
            "sub": granted.identity,
            "nbf": now // 1000,
            "exp": -(-(now + ttl_ms) // 1000),
            "video": {
                "roomJoin": True,
                "room": granted.sfu_room or shown_room,
                "canPublish": granted.publish,
                "canSubscribe": True,
                **({} if granted.publish else {"canPublishData": False, "hidden": True}),
            },
            _CLAIMS: {
                "user": granted.user_id,
                "device": granted.device_id,
                "room": granted.room_id,
                "publish": granted.publish,
                "session": granted.sfu_room,
            },
        }
        return jwt.encode(claims, self._key, algorithm="HS256", json_encoder=PlainJson)

    def verify(self, token: str) -> Pass:
        """Read a token.

        Raises:
            PassRefused: it is expired, forged or none of ours.
        """
        try:
            # Its own check of times would ask another clock than ours.
            claims = jwt.decode(
                token,
                self._key,
                algorithms=["HS256"],
                issuer=_ISSUER,
                options={"require": ["exp", "nbf"], "verify_exp": False, "verify_nbf": False},
            )
            granted, begins, ends = _read(claims), int(claims["nbf"]), int(claims["exp"])
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError) as error:
            raise PassRefused("not a token of this gateway") from error
        now = self._clock() // 1000
        if now >= ends + _LEEWAY_S:
            raise PassRefused("the token has expired", expired=True)
        if now < begins - _LEEWAY_S:
            raise PassRefused("the token is not valid yet")
        return granted


def _read(claims: Mapping[str, Any]) -> Pass:
    own = claims[_CLAIMS]
    return Pass(
        user_id=own["user"],
        device_id=own["device"],
        room_id=own["room"],
        identity=claims["sub"],
        publish=own["publish"],
        sfu_room=own["session"],
    )
