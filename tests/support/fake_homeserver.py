"""A homeserver's client-server API of a few lines, to make it misbehave in ways that a real one cannot."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

Content = Mapping[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request: what it asks for (``send``, ``join``, ``whoami``, …), about which room, by whom."""

    what: str
    room_id: str | None
    user_id: str | None
    device_id: str | None
    txn_id: str | None
    body: Content


@dataclass(frozen=True)
class Sent:
    """An event that the homeserver has accepted."""

    event_id: str
    room_id: str
    type: str
    sender: str
    content: Content
    txn_id: str | None = None
    state_key: str | None = None
    redacts: str | None = None


Misbehaviour = Callable[["FakeHomeserver", Asked, Callable[[], web.Response]], Awaitable[web.Response]]
"""Answers a request instead of the homeserver; the last argument does and answers what it should have."""


@dataclass
class Rule:
    """A misbehaviour for some requests; ``times`` counts down, None means for ever."""

    behaviour: Misbehaviour
    what: str | None
    room_id: str | None
    times: int | None

    def applies(self, asked: Asked) -> bool:
        return self.times != 0 and self.what in (None, asked.what) and self.room_id in (None, asked.room_id)


def error(status: int, errcode: str = "M_UNKNOWN", **fields: object) -> Misbehaviour:
    """Answer with an error and do nothing."""

    async def answer(_server: FakeHomeserver, _asked: Asked, _do: Callable[[], web.Response]) -> web.Response:
        return web.json_response({"errcode": errcode, "error": errcode, **fields}, status=status)

    return answer


def foreign(status: int, **headers: str) -> Misbehaviour:
    """Answer as a proxy does that has lost sight of the homeserver, and do nothing."""

    async def answer(_server: FakeHomeserver, _asked: Asked, _do: Callable[[], web.Response]) -> web.Response:
        return web.Response(status=status, text=f"{status} page not found", headers=headers)

    return answer


async def cut(server: FakeHomeserver, asked: Asked, do: Callable[[], web.Response]) -> web.Response:
    """Break the connection and do nothing."""
    raise _Cut


async def do_and_cut(server: FakeHomeserver, asked: Asked, do: Callable[[], web.Response]) -> web.Response:
    """Do what is asked, and break the connection instead of saying so."""
    do()
    raise _Cut


@dataclass
class Hold:
    """Do nothing, or everything but the answering (``do``), until ``release`` is set."""

    do: bool = False
    release: asyncio.Event = field(default_factory=asyncio.Event)
    holds: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(
        self, server: FakeHomeserver, asked: Asked, do: Callable[[], web.Response]
    ) -> web.Response:
        done = do() if self.do else None
        self.holds.set()
        await self.release.wait()
        return done or do()


class _Cut(Exception):
    pass


@dataclass(frozen=True)
class _Request(Asked):
    path: Mapping[str, str]
    query: Mapping[str, str]


class FakeHomeserver:
    """Rooms with state and a timeline, and Synapse's memory of transaction ids.

    Attributes:
        asked: Every request, in order.
        sent: Every accepted event, in order.
        state: Content of state events by room, type and state key; a room that is not here is unknown.
        rules: How to misbehave; the first that applies does.
        timelines: What others wrote in rooms, oldest first.
        profiles: What profiles say, by user and field.
    """

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self.sent: list[Sent] = []
        self.state: dict[str, dict[tuple[str, str], Content]] = {}
        self.rules: list[Rule] = []
        self.timelines: dict[str, Sequence[Content]] = {}
        self.profiles: dict[tuple[str, str], object] = {}
        self._answered: dict[tuple[object, ...], Sent] = {}
        self._numbers = itertools.count(1)

    def misbehave(
        self,
        behaviour: Misbehaviour,
        what: str | None = None,
        *,
        room: str | None = None,
        times: int | None = None,
    ) -> Rule:
        """Misbehave for some requests; take the answer out of ``rules`` (or set ``times`` to 0) to stop."""
        rule = Rule(behaviour, what, room, times)
        self.rules.append(rule)
        return rule

    def add_room(self, room_id: str, bot: str, *, membership: str = "join", **state: Content) -> None:
        """Make a room; more state by event type with ``_`` for ``.``."""
        self.state[room_id] = {
            ("m.room.create", ""): {"room_version": "11"},
            ("m.room.member", bot): {"membership": membership},
            ("m.room.power_levels", ""): {"users": {}},
            **{(kind.replace("_", "."), ""): content for kind, content in state.items()},
        }

    def count(self, what: str, room_id: str | None = None) -> int:
        """How many requests asked for something."""
        return sum(a.what == what and room_id in (None, a.room_id) for a in self.asked)

    def texts(self, room_id: str) -> list[str]:
        """Bodies of the messages in a room, in order."""
        return [str(s.content.get("body")) for s in self.sent if s.room_id == room_id and "body" in s.content]

    def doubled(self) -> list[str]:
        """Transaction ids behind more than one event."""
        counts = Counter(s.txn_id for s in self.sent if s.txn_id is not None)
        return [txn_id for txn_id, count in counts.items() if count > 1]

    def restart(self) -> None:
        """Forget what Synapse keeps in memory: the transaction ids of requests without a device."""
        self._answered = {key: sent for key, sent in self._answered.items() if key[1] is not None}

    # Requests

    def routes(self) -> list[web.RouteDef]:
        """Routes below ``/_matrix/client/{version}``."""
        room = "/rooms/{room}"
        done = "{}"
        table: list[tuple[str, str, str, Callable[[_Request], web.Response]]] = [
            ("PUT", f"{room}/send/{{kind}}/{{txn}}", "send", self._send),
            ("PUT", f"{room}/redact/{{event}}/{{txn}}", "redact", self._redact),
            ("PUT", f"{room}/state/{{kind}}/{{key:.*}}", "set_state", self._set_state),
            ("GET", f"{room}/state/{{kind}}/{{key:.*}}", "state", self._get_state),
            ("GET", f"{room}/event/{{event}}", "event", self._get_event),
            ("GET", f"{room}/messages", "messages", self._messages),
            ("POST", "/join/{room}", "join", lambda _: web.Response(text=done)),
            ("POST", f"{room}/leave", "leave", lambda _: web.Response(text=done)),
            ("POST", f"{room}/invite", "invite", lambda _: web.Response(text=done)),
            ("GET", "/account/whoami", "whoami", lambda _: web.Response(text=done)),
            ("POST", "/register", "register", lambda _: web.Response(text=done)),
            ("PUT", "/devices/{device}", "device", lambda _: web.Response(text=done)),
            ("GET", "/profile/{user}/{field}", "profile", self._get_profile),
            ("PUT", "/profile/{user}/{field}", "profile", self._set_profile),
            ("POST", "/appservice/{id}/ping", "ping", lambda _: web.Response(text=done)),
        ]
        return [
            web.route(method, "/_matrix/client/{version}" + path, functools.partial(self._answer, what, do))
            for method, path, what, do in table
        ]

    async def _answer(
        self, what: str, do: Callable[[_Request], web.Response], request: web.Request
    ) -> web.Response:
        body = await request.json() if request.method != "GET" else {}
        user, device = request.query.get("user_id"), request.query.get("device_id")
        asked = _Request(
            what,
            request.match_info.get("room"),
            user,
            device,
            request.match_info.get("txn"),
            body,
            request.match_info,
            request.query,
        )
        self.asked.append(asked)
        rule = next((rule for rule in self.rules if rule.applies(asked)), None)
        if rule is None:
            return do(asked)
        if rule.times is not None:
            rule.times -= 1
        try:
            return await rule.behaviour(self, asked, lambda: do(asked))
        except _Cut:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

    def _send(self, asked: _Request) -> web.Response:
        return self._once(asked, asked.path["kind"])

    def _redact(self, asked: _Request) -> web.Response:
        return self._once(asked, "m.room.redaction", redacts=asked.path["event"])

    def _once(self, asked: _Request, kind: str, **more: str) -> web.Response:
        key = (asked.user_id, asked.device_id, asked.room_id, kind, asked.txn_id)
        if key not in self._answered:
            self._answered[key] = self._accept(asked, kind, txn_id=asked.txn_id, **more)
        return web.json_response({"event_id": self._answered[key].event_id})

    def _accept(self, asked: _Request, kind: str, **more: str | None) -> Sent:
        number = next(self._numbers)
        sent = Sent(f"$sent{number}", asked.room_id or "", kind, asked.user_id or "", asked.body, **more)
        self.sent.append(sent)
        return sent

    def _set_state(self, asked: _Request) -> web.Response:
        kind, key = asked.path["kind"], asked.path["key"]
        sent = self._accept(asked, kind, state_key=key)
        self.state.setdefault(sent.room_id, {})[kind, key] = asked.body
        return web.json_response({"event_id": sent.event_id})

    def _get_profile(self, asked: _Request) -> web.Response:
        field = asked.path["field"]
        found = self.profiles.get((asked.path["user"], field))
        return web.json_response({} if found is None else {field: found})

    def _set_profile(self, asked: _Request) -> web.Response:
        field = asked.path["field"]
        self.profiles[asked.path["user"], field] = asked.body.get(field)
        return web.json_response({})

    def _messages(self, asked: _Request) -> web.Response:
        wanted = json.loads(asked.query["filter"])["types"]
        found = [event for event in self.timelines.get(str(asked.room_id), []) if event["type"] in wanted]
        return web.json_response({"chunk": found[::-1]})

    def _get_state(self, asked: _Request) -> web.Response:
        room, kind, key = str(asked.room_id), asked.path["kind"], asked.path["key"]
        if room not in self.state:
            return web.json_response({"errcode": "M_FORBIDDEN", "error": "not in the room"}, status=403)
        content = self.state[room].get((kind, key))
        if content is None:
            return web.json_response({"errcode": "M_NOT_FOUND", "error": "no such state"}, status=404)
        versions = self._versions(room, kind, key)
        if not versions:
            return web.json_response({"content": content, "sender": "@creator:hs"})
        return web.json_response(self._event(versions[-1]))

    def _get_event(self, asked: _Request) -> web.Response:
        (sent,) = [each for each in self.sent if each.event_id == asked.path["event"]]
        return web.json_response(self._event(sent))

    def _versions(self, room: str, kind: str, key: str | None) -> list[Sent]:
        return [s for s in self.sent if (s.room_id, s.type, s.state_key) == (room, kind, key)]

    def _event(self, sent: Sent) -> Content:
        """A state event as Synapse gives it."""
        versions = self._versions(sent.room_id, sent.type, sent.state_key)
        event = {
            "event_id": sent.event_id,
            "room_id": sent.room_id,
            "sender": sent.sender,
            "content": self._content(sent),
        }
        number = versions.index(sent)
        if not number:
            return event
        before = versions[number - 1]
        unsigned = {"replaces_state": before.event_id, "prev_content": self._content(before)}
        return event | {"unsigned": unsigned}

    def _content(self, sent: Sent) -> Content:
        """What redactions have left."""
        redacted = any(each.redacts == sent.event_id for each in self.sent)
        return {"membership": sent.content.get("membership")} if redacted else sent.content


@asynccontextmanager
async def fake_homeserver() -> AsyncIterator[FakeHomeserver]:
    """A homeserver that answers."""
    fake = FakeHomeserver()
    application = web.Application(client_max_size=64 << 20)
    application.add_routes(fake.routes())
    async with TestServer(application) as server:
        fake.url = str(server.make_url("")).rstrip("/")
        yield fake
