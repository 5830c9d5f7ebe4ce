"""Acting on the homeserver as the bot or as a ghost, through one small interface."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import structlog

from appservice.client import V1, V3, Client
from appservice.errors import MatrixError
from appservice.events import STATE_TYPES
from appservice.namespace import Namespace
from appservice.rooms import RoomFacts

log = structlog.get_logger()

DEVICE_ID = "PASSERELLE"
"""The bot's own device (MSC4190). Requests made with it have transaction ids that Synapse keeps in its
database for a day; without it, in memory for half an hour."""


class Intent:
    """Requests as one user of ours. Every method raises what `Client.request` raises."""

    def __init__(self, client: Client, user_id: str, device_id: str | None = None) -> None:
        self._client = client
        self.user_id = user_id
        self.device_id = device_id

    async def _request(
        self,
        method: str,
        path: Any,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        return await self._client.request(
            method, path, body, user_id=self.user_id, device_id=self.device_id, query=query
        )

    async def register(self) -> None:
        """Make sure that the user exists on the homeserver."""
        localpart = self.user_id[1:].split(":", 1)[0]
        body = {"type": "m.login.application_service", "username": localpart, "inhibit_login": True}
        try:
            await self._client.request("POST", V3.register, body)
        except MatrixError as error:
            if error.errcode != "M_USER_IN_USE":
                raise

    async def create_device(self, name: str) -> None:
        """Make sure that the user has `DEVICE_ID` (MSC4190), and use it from now on.

        A homeserver without MSC4190 leaves the user without a device: everything works, but transaction
        ids do not survive the homeserver's restart.
        """
        try:
            await self._client.request(
                "PUT", V3.devices[DEVICE_ID], {"display_name": name}, user_id=self.user_id
            )
        except MatrixError as error:
            if error.can_heal:
                raise
            log.warning("intent.no_device", status=error.status, errcode=error.errcode)
        else:
            self.device_id = DEVICE_ID

    async def whoami(self) -> str:
        """The user id that the homeserver knows us by; the cheapest request that proves the token."""
        return str((await self._client.request("GET", V3.account.whoami)).get("user_id", ""))

    async def profile(self, field: str) -> str | None:
        """``displayname`` or ``avatar_url`` of the profile; None where there is none."""
        try:
            found = (await self._request("GET", V3.profile[self.user_id][field])).get(field)
        except MatrixError as error:
            if error.can_heal:
                raise
            return None
        return found if isinstance(found, str) else None

    async def set_profile(self, field: str, value: str) -> None:
        """Set ``displayname`` or ``avatar_url``, if it is another one: each change is told to every room.

        A homeserver that allows no change of profiles leaves it as it is.
        """
        if await self.profile(field) == value:
            return
        try:
            await self._request("PUT", V3.profile[self.user_id][field], {field: value})
        except MatrixError as error:
            if error.can_heal or error.status == 401:
                raise
            log.warning("intent.profile_refused", field=field, why=str(error))

    async def send_event(self, room_id: str, event_type: str, content: Mapping[str, Any], txn_id: str) -> str:
        """Send a message event; answers its event id."""
        return _event_id(await self._request("PUT", V3.rooms[room_id].send[event_type][txn_id], content))

    async def send_state(
        self, room_id: str, event_type: str, state_key: str, content: Mapping[str, Any]
    ) -> str:
        """Send a state event; answers its event id."""
        return _event_id(await self._request("PUT", V3.rooms[room_id].state[event_type][state_key], content))

    async def redact(self, room_id: str, event_id: str, txn_id: str, reason: str | None) -> str:
        """Redact an event; answers the redaction's event id."""
        body = {"reason": reason} if reason else {}
        return _event_id(await self._request("PUT", V3.rooms[room_id].redact[event_id][txn_id], body))

    async def join(self, room_id: str, via: tuple[str, ...]) -> None:
        """Join a room that the user is invited to, or that is public."""
        # `server_name` is the older name of `via` (MSC4156); one helper server is enough after an invitation.
        query = {"server_name": via[0], "via": via[0]} if via else {}
        await self._request("POST", V3.join[room_id], query=query)

    async def invite(self, room_id: str, user_id: str) -> None:
        """Invite somebody to a room."""
        await self._request("POST", V3.rooms[room_id].invite, {"user_id": user_id})

    async def leave(self, room_id: str, reason: str | None) -> None:
        """Leave a room or refuse its invitation."""
        await self._request("POST", V3.rooms[room_id].leave, {"reason": reason} if reason else {})

    async def state_event(self, room_id: str, event_type: str, state_key: str = "") -> dict[str, Any] | None:
        """One state event, whole; None when the room has none."""
        try:
            path = V3.rooms[room_id].state[event_type][state_key]
            return await self._request("GET", path, query={"format": "event"})
        except MatrixError as error:
            if error.status == 404 and not error.is_foreign:
                return None
            raise

    async def event(self, room_id: str, event_id: str) -> dict[str, Any]:
        """One event of a room."""
        return await self._request("GET", V3.rooms[room_id].event[event_id])

    async def joined_members(self, room_id: str) -> dict[str, Any]:
        """The joined members, with display names."""
        answer = await self._request("GET", V3.rooms[room_id].joined_members)
        joined = answer.get("joined")
        return joined if isinstance(joined, dict) else {}

    async def last_events(self, room_id: str, types: Sequence[str], limit: int) -> list[dict[str, Any]]:
        """The last events of these types that others have sent in a room, newest first."""
        wanted = {"types": list(types), "not_senders": [self.user_id]}
        query = {"dir": "b", "limit": str(limit), "filter": orjson.dumps(wanted).decode()}
        answer = await self._request("GET", V3.rooms[room_id].messages, query=query)
        chunk = answer.get("chunk")
        return [event for event in chunk if isinstance(event, dict)] if isinstance(chunk, list) else []


def _event_id(answer: Mapping[str, Any]) -> str:
    event_id = answer.get("event_id")
    if not isinstance(event_id, str):
        # Not the homeserver's own answer: something in front of it says 200 to everything.
        raise MatrixError(502, "", "an answer without event_id")
    return event_id


class Actors:
    """The bot and its ghosts."""

    def __init__(self, client: Client, namespace: Namespace) -> None:
        self._client = client
        self._registered: set[str] = set()
        self.namespace = namespace
        self.bot = Intent(client, namespace.bot_id)

    async def prepare_bot(self, display_name: str, avatar: str | None = None) -> None:
        """Register the bot, give it its device, its name and its picture. Safe to repeat."""
        await self.bot.register()
        await self.bot.create_device(display_name)
        await self.bot.set_profile("displayname", display_name)
        if avatar is not None:
            await self.bot.set_profile("avatar_url", avatar)

    async def of(self, user_id: str | None) -> Intent:
        """The bot, or a ghost that is registered by now."""
        if user_id is None or user_id == self.bot.user_id:
            return self.bot
        ghost = Intent(self._client, user_id)
        if user_id not in self._registered:
            await ghost.register()
            self._registered.add(user_id)
        return ghost

    async def ask_to_send_again(self, appservice_id: str) -> None:
        """Ping through the homeserver (MSC2659), which ends its back-off (Synapse ≥ 1.132)."""
        await self._client.request("POST", V1.appservice[appservice_id].ping)

    async def fetch_facts(self, facts: RoomFacts, now: int) -> RoomFacts:
        """Read a room's cached state anew, and whether the bot is in it.

        A room that refuses is one that the bot is not in: its facts stay empty but for that.
        """
        try:
            answers = await asyncio.gather(
                *(self.bot.state_event(facts.room_id, kind) for kind in sorted(STATE_TYPES)),
                self.bot.state_event(facts.room_id, "m.room.member", self.bot.user_id),
            )
        except MatrixError as error:
            if error.can_heal or error.status == 401:
                raise
            return RoomFacts(facts.room_id, "leave", None, {}, now)
        *state, member = answers
        cached = {
            kind: {"content": event.get("content", {}), "sender": event.get("sender", "")}
            for kind, event in zip(sorted(STATE_TYPES), state, strict=True)
            if event is not None
        }
        membership = str((member or {}).get("content", {}).get("membership", "leave"))
        return RoomFacts(facts.room_id, membership, facts.partner, cached, now)
