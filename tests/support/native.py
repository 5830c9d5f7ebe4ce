"""The authorization service of a bridge, as Element Call uses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aiohttp
import jwt

from bridge.demo.matrix_user import MatrixUser
from bridge.rtc.identities import ROOM_SLOT
from tests.support.bridges import LocalBridge

DEVICE = "PHONE"


@dataclass
class Service:
    """The authorization service of a bridge, as clients see it."""

    bridge: LocalBridge
    session: aiohttp.ClientSession

    async def post(self, path: str, body: Any, method: str = "POST") -> tuple[int, dict[str, Any]]:
        url = f"{self.bridge.public_url}/livekit/{path}"
        async with self.session.request(method, url, json=body) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            return answer.status, await answer.json()

    async def sfu_get(self, user: MatrixUser, room: str, **over: Any) -> tuple[int, dict[str, Any]]:
        body = {"room": room, "openid_token": await openid(user), "device_id": DEVICE} | over
        return await self.post("sfu/get", body)

    async def get_token(
        self, user: MatrixUser, room: str, claimed: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        member = {
            "id": "member",
            "claimed_user_id": claimed or user.user_id,
            "claimed_device_id": DEVICE,
        }
        body = {"room_id": room, "slot_id": ROOM_SLOT, "openid_token": await openid(user), "member": member}
        return await self.post("get_token", body)


async def openid(user: MatrixUser) -> dict[str, Any]:
    return await user.request("POST", f"/v3/user/{user.user_id}/openid/request_token", {})


def claims(answer: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(answer["jwt"], options={"verify_signature": False})
    return found


async def bring(host: MatrixUser, guest: MatrixUser, room: str) -> None:
    await host.invite(room, guest.user_id)
    await guest.join(room)


def door(answer: dict[str, Any]) -> dict[str, str]:
    return {"url": answer["url"], "token": answer["jwt"]}
