"""A homeserver's sender as a process: one connection, one transaction in flight, the next after the 200.

Reads one line of JSON per load from its input, and answers each with one line.
"""

from __future__ import annotations

import http.client
import itertools
import json
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


def send(load: Load) -> Outcome:
    """Send one load."""
    traffic = Traffic(load.ours, load.kind, load.rooms)
    bodies = [traffic.transaction() for _ in range(load.transactions)]
    headers = {"Authorization": f"Bearer {load.token}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(HOST, load.port, timeout=60)
    connection.connect()
    started = time.perf_counter()
    for body in bodies:
        path = f"/_matrix/app/v1/transactions/{next(_transactions)}"
        _ask(connection, "PUT", path, body, headers)
    acknowledged = time.perf_counter()
    if load.handled_path:
        _ask(connection, "GET", load.handled_path, None, headers)
    handled = time.perf_counter()
    connection.close()
    return {"acknowledged_s": acknowledged - started, "handled_s": handled - started}


def _ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None,
    headers: dict[str, str],
) -> None:
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{method} {path} was answered {answer.status}: {said[:200]!r}")


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(send(Load(**json.loads(line)))) + "\n")
        sys.stdout.flush()
