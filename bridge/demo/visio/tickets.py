"""The ways into a meeting's SFU room: by the page, logged in or not, by phone, or as a machine."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import jwt

from bridge.demo.visio.public import SESSION_COOKIE, SfuAddress
from bridge.demo.visio.tokens import signed


class KeptOut(Exception):
    """The meeting is not open to this person."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What opens an SFU room to somebody.

    Attributes:
        name: As the others see them.
        sfu_url: Where to connect.
        token: What to show there.
    """

    name: str
    sfu_url: str
    token: str = field(repr=False)

    @property
    def claims(self) -> dict[str, Any]:
        """What the token says."""
        claims: dict[str, Any] = jwt.decode(self.token, options={"verify_signature": False})
        return claims

    @property
    def identity(self) -> str:
        """Who they are in the SFU."""
        return str(self.claims["sub"])

    @property
    def sfu_room(self) -> str:
        """Where they go."""
        return str(self.claims["video"]["room"])


async def by_link(link: str, name: str, *, session: str = "") -> Ticket:
    """What Visio's page does with a meeting's link.

    Args:
        link: The meeting's.
        name: What the person typed; empty for the name of their account.
        session: The cookie of somebody who is logged in.

    Raises:
        KeptOut: Visio gave no token: a lobby, or no such meeting.
    """
    base, _, slug = link.rstrip("/").rpartition("/")
    cookies = {SESSION_COOKIE: session} if session else {}
    query = {"username": name} if name else {}
    async with (
        aiohttp.ClientSession(cookies=cookies, cookie_jar=aiohttp.CookieJar(unsafe=True)) as client,
        client.get(f"{base}/api/v1.0/rooms/{slug}/", params=query) as response,
    ):
        answer = await response.json()
    way_in = answer.get("livekit")
    if way_in is None:
        raise KeptOut(f"{response.status} {answer}")
    ticket = Ticket(name, way_in["url"], way_in["token"])
    return Ticket(ticket.claims["name"], ticket.sfu_url, ticket.token)


def let_in(sfu: SfuAddress, sfu_room: str, name: str) -> Ticket:
    """Somebody without an account whom an organiser let in from the lobby."""
    attributes = {"color": "hsl(135, 61%, 31%)", "room_role": None, "is_authenticated": "false"}
    return _signed(sfu, sfu_room, str(uuid.uuid4()), name, {"attributes": attributes})


def phone(sfu: SfuAddress, sfu_room: str, number: str = "+33612345678") -> Ticket:
    """Somebody who dialled in (``livekit-sip``)."""
    attributes = {
        "sip.phoneNumber": number,
        "sip.callID": f"SCL_{secrets.token_hex(6)}",
        "sip.callStatus": "active",
    }
    kind = {"kind": "sip", "attributes": attributes}
    return _signed(sfu, sfu_room, f"sip_{number}", f"Phone {number}", kind)


def recorder(sfu: SfuAddress, sfu_room: str) -> Ticket:
    """The machine that records a meeting (``livekit-egress``)."""
    grants = {"hidden": True, "recorder": True, "canPublish": False}
    return _signed(sfu, sfu_room, f"EG_{secrets.token_hex(6)}", "", {"kind": "egress"}, grants)


def agent(sfu: SfuAddress, sfu_room: str, job: str = "multi-user-transcriber") -> Ticket:
    """A machine that listens: subtitles, or notes about who spoke when."""
    grants = {"hidden": True, "agent": True, "canPublish": False}
    return _signed(sfu, sfu_room, f"{job}-{sfu_room}", "", {"kind": "agent"}, grants)


def _signed(
    sfu: SfuAddress,
    sfu_room: str,
    identity: str,
    name: str,
    claims: dict[str, Any],
    grants: Mapping[str, Any] | None = None,
) -> Ticket:
    video = {"roomJoin": True, "room": sfu_room, **(grants or {})}
    token = signed(sfu.key, sfu.secret, identity, {"name": name, "video": video, **claims}, time.time())
    return Ticket(name, sfu.url, token)
