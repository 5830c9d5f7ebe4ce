"""A synthetic person in a room's native call: does what Element Call does when the call button is pressed.

It finds the authorization service as clients do, shows itself in the room by a membership (MSC3401), and
connects where the service sends it.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import aiohttp

from bridge.demo.guest import Guest
from bridge.demo.matrix_user import MatrixUser
from bridge.demo.visio.tickets import KeptOut
from bridge.rtc.membership import MEMBER_TYPE

TRANSPORTS = "/unstable/org.matrix.msc4143/rtc/transports"
"""Where a homeserver says where calls take place (MSC4143)."""

_EXPIRES_MS = 4 * 3_600_000


class NativeCaller:
    """Somebody in a room's native call; ``async with`` joins and hangs up, and raises what `join` does.

    Attributes:
        guest: Their camera, microphone, ears and eyes.
        identity: Theirs in the SFU.
    """

    guest: Guest
    identity: str

    def __init__(self, user: MatrixUser, name: str, room_id: str) -> None:
        """Nothing happens yet.

        Args:
            user: Who calls.
            name: How the others see them.
            room_id: Whose call it is.
        """
        self.name = name
        self._user = user
        self._room_id = room_id
        self._key = ""

    async def __aenter__(self) -> Self:
        await self.join()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.hang_up()

    async def join(self) -> None:
        """Enter the call.

        Raises:
            KeptOut: There is no service for calls, or it does not want them.
            MatrixRefused: The homeserver refused.
        """
        device_id = (await self._user.request("GET", "/v3/account/whoami"))["device_id"]
        self.identity = f"{self._user.user_id}:{device_id}"
        service = await self._service()
        url, token = await self._way_in(service, device_id)
        # The underscore is for room versions without owned state.
        self._key = f"_{self._user.user_id}_{device_id}_m.call"
        await self._user.set_state(
            self._room_id, MEMBER_TYPE, self._membership(service, device_id), self._key
        )
        self.guest = Guest(self.name, url, token)
        try:
            await self.guest.__aenter__()
        except BaseException:
            await self._withdraw()
            raise

    async def hang_up(self) -> None:
        """Leave the call. Nothing happens when that has been done."""
        await self._withdraw()
        await self.guest.leave()

    async def _withdraw(self) -> None:
        key, self._key = self._key, ""
        if key:
            await self._user.set_state(self._room_id, MEMBER_TYPE, {}, key)

    async def _service(self) -> str:
        transports = (await self._user.request("GET", TRANSPORTS))["rtc_transports"]
        for transport in transports:
            if transport["type"] == "livekit":
                return str(transport["livekit_service_url"])
        raise KeptOut(f"{self._user.url} names no place for calls: {transports}")

    async def _way_in(self, service: str, device_id: str) -> tuple[str, str]:
        path = f"/v3/user/{self._user.user_id}/openid/request_token"
        openid = await self._user.request("POST", path, {})
        body = {"room": self._room_id, "openid_token": openid, "device_id": device_id}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{service}/sfu/get", json=body) as response,
        ):
            answer = await response.json()
        if response.status != 200:
            raise KeptOut(f"{service}/sfu/get answered {response.status} {answer}")
        return answer["url"], answer["jwt"]

    def _membership(self, service: str, device_id: str) -> dict[str, Any]:
        transport = {
            "type": "livekit",
            "livekit_service_url": service,
            "livekit_alias": self._room_id,
        }
        return {
            "application": "m.call",
            "call_id": "",
            "scope": "m.room",
            "device_id": device_id,
            "membershipID": self.identity,
            "expires": _EXPIRES_MS,
            "m.call.intent": "video",
            "focus_active": {"type": "livekit", "focus_selection": "multi_sfu"},
            "foci_preferred": [transport],
        }
