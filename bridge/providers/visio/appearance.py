"""How people from Matrix appear on Visio's page: the attributes of the tokens that the bridge signs. Pure.

Visio reads three attributes (``generate_token`` in ``core/utils.py``): ``color``, ``is_authenticated`` and
``room_role``. ``room_role`` is only a label there, but an administrator's would show buttons that fail, so
nobody gets it.

A fourth is our own. The identity of an anonymous guest of Visio is whatever their lobby cookie says
(``LobbyService._get_or_create_participant_id``), so ``@marie:example.org:DEVICE`` proves nothing by itself.
A signature over room and identity tells the people whom the bridge let in from those who only say so.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

COLOR = "color"
AUTHENTICATED = "is_authenticated"
ROLE = "room_role"
VOUCHER = "fr.passerelle.voucher"


def color(identity: str) -> str:
    """A colour that stays with an identity, within what Visio's page takes (``getParticipantColor.ts``)."""
    digest = hashlib.sha256(identity.encode()).digest()
    hue = int.from_bytes(digest[:2]) % 360
    saturation = 50 + digest[2] % 26
    lightness = 25 + digest[3] % 36
    return f"hsl({hue}, {saturation}%, {lightness}%)"


def attributes(secret: str, room: str, identity: str, *, known: bool) -> Mapping[str, str]:
    """What a token for a person from Matrix carries.

    Args:
        secret: Of the SFU's key, which also signs the token.
        room: Name of the SFU room.
        identity: Their SFU identity.
        known: They belong to the own homeserver: Visio shows them as a colleague, all others as strangers.
    """
    shown = {
        COLOR: color(identity),
        AUTHENTICATED: "true" if known else "false",
        VOUCHER: voucher(secret, room, identity),
    }
    return shown | {ROLE: "member"} if known else shown


def voucher(secret: str, room: str, identity: str) -> str:
    """The proof that the bridge gave an identity to somebody in a room."""
    message = "\0".join((VOUCHER, room, identity))
    digest = hmac.digest(secret.encode(), message.encode(), hashlib.sha256)
    return base64.b32encode(digest[:15]).decode().lower()


def vouched(secret: str, room: str, identity: str, carried: Mapping[str, str]) -> bool:
    """Whether attributes hold that proof."""
    given = carried.get(VOUCHER, "")
    return hmac.compare_digest(given.encode(), voucher(secret, room, identity).encode())
