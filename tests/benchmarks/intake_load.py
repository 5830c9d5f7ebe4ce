"""A homeserver's sender as a process: one connection, one transaction in flight, the next after the 200.

Reads one line of JSON per load from its input, and answers each with one line.
"""

from __future__ import annotations

import itertools
import json
import re
import socket
import sys
import time
from dataclasses import dataclass
from typing import TypedDict

from bridge.demo.peers.ports import HOST
from tests.benchmarks.traffic import Kind, Traffic


@dataclass(frozen=True, slots=True)
class Load:
    """What to send.

    Attributes:
        port: Of the application service.
        token: The homeserver's token.
        transactions: How many of 100 events each.
        ours: How many of the 100 concern us.
        kind: See ``Traffic``.
        rooms: See ``Traffic``.
        handled_path: Asked after the last 200, answers when everything was handled; empty: not asked.
    """

    port: int
    token: str
    transactions: int
    ours: int = 5
    kind: Kind = "command"
    rooms: int = 200
    handled_path: str = ""


class Outcome(TypedDict):
    """Seconds from the first byte sent to the last 200, and until everything was handled."""

    acknowledged_s: float
    handled_s: float


_transactions = itertools.count(time.time_ns())


class Connection:
    """Just enough of HTTP/1.1: what the sending costs is not what is to be measured."""

    def __init__(self, port: int, token: str) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=120)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._headers = f"Host: {HOST}:{port}\r\nAuthorization: Bearer {token}\r\n".encode()

    def ask(self, method: str, path: str, body: bytes = b"") -> None:
        """Send a request and read its answer to the end.

        Raises:
            SystemExit: The answer is not 200.
        """
        length = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        self._socket.sendall(f"{method} {path} HTTP/1.1\r\n".encode() + self._headers + length + body)
        answer = b""
        while not _is_whole(answer):
            more = self._socket.recv(65_536)
            if not more:
                raise SystemExit(f"{method} {path}: the connection was closed")
            answer += more
        if not answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"{method} {path} was answered {answer[:500]!r}")

    def close(self) -> None:
        self._socket.close()


def _is_whole(answer: bytes) -> bool:
    head, blank, body = answer.partition(b"\r\n\r\n")
    if not blank:
        return False
    length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    return length is not None and len(body) >= int(length[1])


def send(load: Load) -> Outcome:
    """Send one load."""
    traffic = Traffic(load.ours, load.kind, load.rooms)
    bodies = [traffic.transaction() for _ in range(load.transactions)]
    connection = Connection(load.port, load.token)
    started = time.perf_counter()
    for body in bodies:
        connection.ask("PUT", f"/_matrix/app/v1/transactions/{next(_transactions)}", body)
    acknowledged = time.perf_counter()
    if load.handled_path:
        connection.ask("GET", load.handled_path)
    handled = time.perf_counter()
    connection.close()
    return {"acknowledged_s": acknowledged - started, "handled_s": handled - started}


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(send(Load(**json.loads(line)))) + "\n")
        sys.stdout.flush()
