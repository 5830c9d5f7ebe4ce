"""What a webhook about a stranger's meeting costs: Visio's SFU tells the bridge about all of them.

Processor time of the whole bridge while it drops webhooks as LiveKit sends them, beyond what aiohttp takes
to answer as many empty POSTs in a process of its own.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import socket
import statistics
import time
import uuid
from collections.abc import Sequence
from typing import Self

import jwt
from google.protobuf.json_format import MessageToJson
from livekit.protocol.models import ParticipantInfo, ParticipantPermission, Room
from livekit.protocol.webhook import WebhookEvent

from bridge.demo.peers.livekit import LiveKit
from bridge.demo.peers.ports import HOST
from bridge.demo.peers.process import Peer
from tests.benchmarks.intake import port_of
from tests.benchmarks.processes import Program
from tests.benchmarks.report import Row, Target, progress
from tests.benchmarks.resident import Resident
from tests.benchmarks.stopwatch import in_turn
from tests.benchmarks.world import World

ROUNDS = 11
REQUESTS = 3_000
"""In a round: the system counts processor time in steps of 10 ms, here some 3 µs a request."""
TARGET = Target("≤", 50, "µs")
_PATH = "/livekit/webhook"
_WARM_UP = 300


async def measure(world: World) -> list[Row]:
    """See the module; the two take turns."""
    livekit = await world.livekit()
    bridge = await world.bridge("SQLite")
    floor = await world.run(Program("empty_post", world.folder / "empty-post"))
    webhooks = [foreign_webhook(livekit, number) for number in range(100)]
    cost: dict[str, list[float]] = {"ours": [], "empty": []}
    progress(f"{ROUNDS} rounds of {REQUESTS:,} webhooks")
    with Sender(port_of(bridge), webhooks) as ours, Sender(floor.port, [("", b"")]) as empty:
        senders: dict[str, tuple[Peer, Sender]] = {"ours": (bridge, ours), "empty": (floor, empty)}
        for _, sender in senders.values():
            await asyncio.to_thread(sender.send, _WARM_UP)
        for number in range(ROUNDS):
            for name in in_turn(senders, number):
                cost[name].append(await _microseconds(*senders[name]))
    await floor.stop()
    beyond = [one - other for one, other in zip(cost["ours"], cost["empty"], strict=True)]
    return [
        Row(
            "dropping a foreign webhook, processor time beyond an empty POST",
            statistics.median(beyond),
            f"{statistics.median(cost['ours']):.0f} µs",
            f"aiohttp, empty POST {statistics.median(cost['empty']):.0f} µs",
            TARGET,
            "µs",
        )
    ]


def foreign_webhook(livekit: LiveKit, number: int) -> tuple[str, bytes]:
    """``Authorization`` header and body, as LiveKit sends them about a meeting of Visio's."""
    now = int(time.time())
    identity = str(uuid.uuid4())
    attributes = {"color": "hsl(135, 61%, 31%)", "room_role": "", "is_authenticated": "false"}
    event = WebhookEvent(
        event="participant_joined",
        room=Room(
            sid=f"RM_{number:012d}",
            name=str(uuid.uuid4()),
            empty_timeout=300,
            departure_timeout=20,
            creation_time=now,
            creation_time_ms=now * 1000,
            num_participants=3,
            metadata='{"configuration": {}, "access_level": "public"}',
        ),
        participant=ParticipantInfo(
            sid=f"PA_{number:012d}",
            identity=identity,
            state=ParticipantInfo.State.ACTIVE,
            joined_at=now,
            joined_at_ms=now * 1000,
            name="Agent de la préfecture",
            version=4,
            permission=ParticipantPermission(can_subscribe=True, can_publish=True, can_publish_data=True),
            region="",
            is_publisher=True,
            attributes=attributes,
        ),
        id=f"EV_{number:012d}",
        created_at=now,
    )
    body = MessageToJson(event, indent=None).encode()
    claims = {
        "iss": livekit.key,
        "nbf": now,
        "exp": now + 300,
        "sha256": base64.b64encode(hashlib.sha256(body).digest()).decode(),
    }
    return jwt.encode(claims, livekit.secret, algorithm="HS256"), body


class Sender:
    """Sends POSTs over one connection, each after the answer to the one before. ``with`` closes it."""

    def __init__(self, port: int, posts: Sequence[tuple[str, bytes]]) -> None:
        """Connect.

        Args:
            port: Of the bridge.
            posts: Values of ``Authorization`` and bodies, sent in turn.
        """
        self._every = itertools.cycle([_request(port, *post) for post in posts])
        self._line = socket.create_connection((HOST, port), timeout=30)
        self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, count: int) -> None:
        """Send so many."""
        for _ in range(count):
            self._line.sendall(next(self._every))
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                answer += self._line.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 200"), answer
            assert b"Content-Length: 0" in answer, answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._line.close()


def _request(port: int, authorization: str, body: bytes) -> bytes:
    lines = [f"POST {_PATH} HTTP/1.1", f"Host: {HOST}:{port}", "User-Agent: Go-http-client/1.1"]
    lines += [f"Content-Length: {len(body)}", "Content-Type: application/webhook+json"]
    if authorization:
        lines += [f"Authorization: {authorization}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _microseconds(peer: Peer, sender: Sender) -> float:
    """Processor time of a process for each of a round's requests."""
    seen = Resident(peer.pid)
    seen.look()
    before = seen.cpu_s
    await asyncio.to_thread(sender.send, REQUESTS)
    seen.look()
    return (seen.cpu_s - before) / REQUESTS * 1e6
