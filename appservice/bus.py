"""Hints between replicas: "look here". Losing one costs time, never correctness.

In one process a hint is a function call. On PostgreSQL it goes through ``NOTIFY``; behind a connection
pooler that does not pass notifications on, the slow clocks find the same work a little later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import asyncpg
import orjson
import sqlalchemy as sa
import structlog

from appservice.database import Database

log = structlog.get_logger()

_CHANNEL = "passerelle"
_RETRY_S = 2.0
_LARGEST = 7_000  # PostgreSQL refuses payloads of 8,000 bytes and more.

Listener = Callable[[Mapping[str, Any]], None]


class Bus:
    """Publishes hints to the other replicas, and hands theirs to whoever subscribed."""

    def __init__(self, database: Database, replica: str) -> None:
        self._database = database
        self._replica = replica
        self._listeners: dict[str, list[Listener]] = {}
        self._waiting: list[str] = []
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def subscribe(self, topic: str, listener: Listener) -> None:
        """Hand the other replicas' hints on a topic to a listener."""
        self._listeners.setdefault(topic, []).append(listener)

    def publish(self, topic: str, hint: Mapping[str, Any]) -> None:
        """Tell the other replicas; returns at once."""
        if not self._database.is_postgres:
            return
        payload = orjson.dumps({"from": self._replica, "topic": topic, "hint": dict(hint)}).decode()
        if len(payload) < _LARGEST:
            self._waiting.append(payload)
            self._wake.set()

    async def start(self) -> None:
        """Listen and publish, on PostgreSQL."""
        if self._database.is_postgres:
            self._tasks = [
                asyncio.create_task(self._publishing(), name="bus-out"),
                asyncio.create_task(self._listening(), name="bus-in"),
            ]

    async def stop(self) -> None:
        """Stop both."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _publishing(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            payloads, self._waiting = self._waiting, []
            try:
                # One commit for all that gathered: NOTIFY takes a lock of the whole database.
                async with self._database.begin() as connection:
                    for payload in payloads:
                        await connection.execute(
                            sa.text("SELECT pg_notify(:channel, :payload)"),
                            {"channel": _CHANNEL, "payload": payload},
                        )
            except Exception as error:
                log.warning("bus.publish_failed", error=type(error).__name__, lost=len(payloads))

    async def _listening(self) -> None:
        url = self._database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        while True:
            try:
                await self._listen_once(url)
            except Exception as error:
                log.warning("bus.listen_failed", error=type(error).__name__)
            await asyncio.sleep(_RETRY_S)

    async def _listen_once(self, url: str) -> None:
        connection = await asyncpg.connect(url, timeout=5)
        closed = asyncio.Event()
        connection.add_termination_listener(lambda _connection: closed.set())
        try:
            await connection.add_listener(_CHANNEL, self._heard)
            await closed.wait()
        finally:
            if not connection.is_closed():
                connection.terminate()

    def _heard(self, _connection: Any, _pid: int, _channel: str, payload: Any) -> None:
        message = orjson.loads(payload)
        if message.get("from") == self._replica:
            return
        for listener in self._listeners.get(str(message.get("topic")), ()):
            listener(message.get("hint", {}))
