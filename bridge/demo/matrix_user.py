"""A person with a Matrix account: just enough of a client for the demo and the tests."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp

Event = dict[str, Any]
"""An event as ``/sync`` gives it."""

_LONG_POLL_MS = 20_000


class MatrixRefused(Exception):
    """The homeserver refused a request.

    Attributes:
        status: The HTTP status.
        errcode: Matrix's code, such as ``M_FORBIDDEN``.
    """

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status = status
        self.errcode = str(body.get("errcode", ""))
        super().__init__(f"{status} {self.errcode}: {body.get('error', '')}")


class Room:
    """What the user has seen of a room since they began to sync.

    Attributes:
        timeline: Events in the homeserver's order.
        state: The current state by type and state key.
    """

    def __init__(self, room_id: str) -> None:
        self.room_id = room_id
        self.timeline: list[Event] = []
        self.state: dict[tuple[str, str], Event] = {}

    def content(self, event_id: str) -> dict[str, Any]:
        """The content of a message as a client shows it: after its last edit.

        Raises:
            KeyError: No such event has been seen.
        """
        original = next((event for event in self.timeline if event["event_id"] == event_id), None)
        if original is None:
            raise KeyError(event_id)
        content: dict[str, Any] = original["content"]
        for event in self.timeline:
            relation = event["content"].get("m.relates_to", {})
            replaces = relation.get("rel_type") == "m.replace" and relation.get("event_id") == event_id
            if replaces and event["sender"] == original["sender"]:
                content = event["content"].get("m.new_content", content)
        return content

    def messages(self, sender: str | None = None) -> list[Event]:
        """The ``m.room.message`` events, all or those of one sender, edits included."""
        return [
            event
            for event in self.timeline
            if event["type"] == "m.room.message" and sender in (None, event["sender"])
        ]

    def members(self, membership: str = "join") -> set[str]:
        """The ids of the users whose membership is as given."""
        return {
            key
            for (kind, key), event in self.state.items()
            if kind == "m.room.member" and event["content"].get("membership") == membership
        }


class MatrixUser:
    """A logged-in user. ``async with user:`` keeps its rooms up to date in the background.

    Attributes:
        url: The homeserver's address.
        user_id: The full Matrix id.
        password: To log in with another client.
        access_token: Of this device.
        rooms: What was seen of each room that the user is or was in.
        invitations: The stripped state of rooms that the user is invited to.
        syncs: How many answers to ``/sync`` have come.
        listeners: Called with room id and event for everything new in a timeline.
    """

    def __init__(self, url: str, user_id: str, password: str, access_token: str) -> None:
        self.url = url
        self.user_id = user_id
        self.password = password
        self.access_token = access_token
        self.rooms: dict[str, Room] = {}
        self.invitations: dict[str, list[Event]] = {}
        self.syncs = 0
        self.listeners: list[Callable[[str, Event], None]] = []
        self._session: aiohttp.ClientSession | None = None
        self._sync: asyncio.Task[None] | None = None
        self._news = asyncio.Condition()
        self._transactions = (f"{secrets.token_hex(4)}-{number}" for number in itertools.count(1))

    @classmethod
    async def register(
        cls, url: str, localpart: str, *, secret: str, password: str | None = None, admin: bool = False
    ) -> Self:
        """Make an account through the homeserver's shared secret.

        Raises:
            MatrixRefused: The name is taken, or the secret is wrong.
        """
        password = password or secrets.token_urlsafe(12)
        path = "/_synapse/admin/v1/register"
        async with aiohttp.ClientSession() as session:
            nonce = (await _request(session, "GET", url + path))["nonce"]
            parts = (nonce, localpart, password, "admin" if admin else "notadmin")
            mac = hmac.new(secret.encode(), "\0".join(parts).encode(), hashlib.sha1).hexdigest()
            body = {"nonce": nonce, "username": localpart, "password": password, "admin": admin, "mac": mac}
            answer = await _request(session, "POST", url + path, body)
        return cls(url, answer["user_id"], password, answer["access_token"])

    @classmethod
    async def login(cls, url: str, localpart: str, password: str) -> Self:
        """Log in to an existing account.

        Raises:
            MatrixRefused: No such account, or not its password.
        """
        body = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": localpart},
            "password": password,
        }
        async with aiohttp.ClientSession() as session:
            answer = await _request(session, "POST", f"{url}/_matrix/client/v3/login", body)
        return cls(url, answer["user_id"], password, answer["access_token"])

    async def __aenter__(self) -> Self:
        headers = {"Authorization": f"Bearer {self.access_token}"}
        self._session = aiohttp.ClientSession(headers=headers)
        since = await self._take_in(None)
        self._sync = asyncio.create_task(self._keep_in_sync(since))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sync is not None:
            self._sync.cancel()
            with suppress(asyncio.CancelledError):
                await self._sync
        if self._session is not None:
            await self._session.close()

    # Requests

    async def request(self, method: str, path: str, body: object = None, **query: str) -> dict[str, Any]:
        """Call the client-server API.

        Args:
            method: ``GET``, ``PUT``, ...
            path: What follows ``/_matrix/client``, quoted where needed.
            body: Sent as JSON.
            query: Query parameters.

        Raises:
            MatrixRefused: The answer is an error.
        """
        assert self._session is not None, "use the user as a context manager"
        return await _request(self._session, method, f"{self.url}/_matrix/client{path}", body, query)

    async def create_room(
        self,
        *,
        name: str | None = None,
        invite: Sequence[str] = (),
        preset: str = "private_chat",
        room_version: str | None = None,
        initial_state: Sequence[Event] = (),
        power_levels: Mapping[str, Any] | None = None,
        is_direct: bool = False,
    ) -> str:
        """Create a room and return its id."""
        body = {
            "name": name,
            "invite": list(invite),
            "preset": preset,
            "room_version": room_version,
            "initial_state": list(initial_state),
            "power_level_content_override": power_levels,
            "is_direct": is_direct,
        }
        given = {key: value for key, value in body.items() if value is not None}
        room_id: str = (await self.request("POST", "/v3/createRoom", given))["room_id"]
        return room_id

    async def invite(self, room_id: str, user_id: str) -> None:
        """Invite somebody."""
        await self.request("POST", f"/v3/rooms/{quote(room_id)}/invite", {"user_id": user_id})

    async def kick(self, room_id: str, user_id: str, reason: str = "") -> None:
        """Remove somebody from a room, or take an invitation back."""
        body = {"user_id": user_id, "reason": reason}
        await self.request("POST", f"/v3/rooms/{quote(room_id)}/kick", body)

    async def ban(self, room_id: str, user_id: str) -> None:
        """Remove somebody from a room for good."""
        await self.request("POST", f"/v3/rooms/{quote(room_id)}/ban", {"user_id": user_id})

    async def join(self, room_id: str, *, via: str | None = None) -> None:
        """Join a room."""
        query = {} if via is None else {"via": via}
        await self.request("POST", f"/v3/join/{quote(room_id, safe='')}", {}, **query)

    async def leave(self, room_id: str) -> None:
        """Leave a room or refuse an invitation."""
        await self.request("POST", f"/v3/rooms/{quote(room_id)}/leave", {})

    async def send(self, room_id: str, kind: str, content: Mapping[str, Any]) -> str:
        """Send an event and return its id."""
        path = f"/v3/rooms/{quote(room_id)}/send/{quote(kind)}/{next(self._transactions)}"
        event_id: str = (await self.request("PUT", path, content))["event_id"]
        return event_id

    async def say(self, room_id: str, text: str, **extra: Any) -> str:
        """Send an ``m.text`` and return its id. ``extra`` goes into the content."""
        return await self.send(room_id, "m.room.message", {"msgtype": "m.text", "body": text, **extra})

    async def edit(self, room_id: str, event_id: str, text: str) -> str:
        """Replace the text of an own message and return the edit's id."""
        new = {"msgtype": "m.text", "body": text}
        relation = {"rel_type": "m.replace", "event_id": event_id}
        content = {"msgtype": "m.text", "body": f"* {text}", "m.new_content": new, "m.relates_to": relation}
        return await self.send(room_id, "m.room.message", content)

    async def redact(self, room_id: str, event_id: str) -> None:
        """Take an event's content away."""
        path = f"/v3/rooms/{quote(room_id)}/redact/{quote(event_id)}/{next(self._transactions)}"
        await self.request("PUT", path, {})

    async def set_state(self, room_id: str, kind: str, content: Mapping[str, Any], key: str = "") -> None:
        """Send a state event."""
        path = f"/v3/rooms/{quote(room_id)}/state/{quote(kind)}/{quote(key, safe='')}"
        await self.request("PUT", path, content)

    async def state(self, room_id: str, kind: str, key: str = "") -> dict[str, Any]:
        """Ask the homeserver for the content of a state event.

        Raises:
            MatrixRefused: There is none (``M_NOT_FOUND``), or not for this user.
        """
        path = f"/v3/rooms/{quote(room_id)}/state/{quote(kind)}/{quote(key, safe='')}"
        return await self.request("GET", path)

    async def history(self, room_id: str, limit: int = 500) -> list[Event]:
        """Ask the homeserver for the room's last events, oldest first, redactions applied."""
        path = f"/v3/rooms/{quote(room_id)}/messages"
        answer = await self.request("GET", path, dir="b", limit=str(limit))
        events: list[Event] = answer["chunk"]
        return events[::-1]

    # What comes in by /sync

    def room(self, room_id: str) -> Room:
        """What has been seen of a room; empty as long as nothing has."""
        return self.rooms.setdefault(room_id, Room(room_id))

    async def wait_for(
        self, room_id: str, predicate: Callable[[Event], object], timeout: float = 20
    ) -> Event:
        """Return the first event of the room's timeline, past or to come, for which ``predicate`` holds.

        Args:
            room_id: The room.
            predicate: Given an event; any true value counts.
            timeout: Seconds.

        Raises:
            TimeoutError: None came; the message lists what did.
        """
        found: list[Event] = []

        def seen() -> bool:
            found[:] = [event for event in self.room(room_id).timeline if predicate(event)][:1]
            return bool(found)

        try:
            await self.wait_until(seen, timeout)
        except TimeoutError:
            lines = [f"{e['sender']} {e['type']} {e['content']}" for e in self.room(room_id).timeline[-10:]]
            raise TimeoutError("The awaited event did not come. The last:\n" + "\n".join(lines)) from None
        return found[0]

    async def wait_until(self, condition: Callable[[], object], timeout: float = 20) -> None:
        """Wait until ``condition`` holds; it is looked at after each answer to ``/sync``.

        Raises:
            TimeoutError: It did not within ``timeout`` seconds.
        """
        async with asyncio.timeout(timeout), self._news:
            await self._news.wait_for(lambda: bool(condition()))

    async def _keep_in_sync(self, since: str) -> None:
        while True:
            try:
                since = await self._take_in(since)
            except (aiohttp.ClientError, TimeoutError, MatrixRefused):
                # The homeserver is away, as it is meant to be in some tests; it will be back.
                await asyncio.sleep(0.1)

    async def _take_in(self, since: str | None) -> str:
        timeout = "0" if since is None else str(_LONG_POLL_MS)
        query = {"timeout": timeout, "filter": _FILTER, f"{_MSC4222}.use_state_after": "true"}
        if since is not None:
            query["since"] = since
        answer = await self.request("GET", "/v3/sync", None, **query)
        async with self._news:
            rooms = answer.get("rooms", {})
            for room_id, joined in (*rooms.get("join", {}).items(), *rooms.get("leave", {}).items()):
                self.invitations.pop(room_id, None)
                self._take_in_room(self.room(room_id), joined)
            for room_id, invited in rooms.get("invite", {}).items():
                self.invitations[room_id] = invited["invite_state"]["events"]
            self.syncs += 1
            self._news.notify_all()
        next_batch: str = answer["next_batch"]
        return next_batch

    def _take_in_room(self, room: Room, update: Mapping[str, Any]) -> None:
        timeline: list[Event] = update.get("timeline", {}).get("events", [])
        # When two people write at the same moment, the state before the next event lacks what one of them
        # wrote, so that it must not be worked out of ``state`` and the timeline (MSC4222).
        for event in update[f"{_MSC4222}.state_after"]["events"]:
            room.state[event["type"], event["state_key"]] = event
        room.timeline.extend(timeline)
        for event in timeline:
            for listener in self.listeners:
                listener(room.room_id, event)


_MSC4222 = "org.matrix.msc4222"
_FILTER = '{"room": {"timeline": {"limit": 1000}}, "presence": {"not_types": ["*"]}}'


async def _request(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    body: object = None,
    query: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    async with session.request(method, url, json=body, params=query) as response:
        answer: dict[str, Any] = await response.json(content_type=None) or {}
        if not response.ok:
            raise MatrixRefused(response.status, answer)
        return answer
