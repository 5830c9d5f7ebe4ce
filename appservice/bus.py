"""Hints between replicas: "look here". Losing one costs time, never correctness.

In one process a hint is a function call. On PostgreSQL it goes through ``NOTIFY``; behind a connection
pooler that does not pass notifications on, the slow clocks find the same work a little later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import sqlalchemy as sa
import structlog

from appservice.database import Database
from appservice.faults import place

log = structlog.get_logger()

_CHANNEL = "passerelle"
_LARGEST = 7_000  # PostgreSQL refuses payloads of 8,000 bytes and more.

# One statement for all that gathered, and no wait for the disk: the commit of a NOTIFY holds a lock of the
# whole database server, and a hint that is lost with the server's memory is one that nobody waits for.
_NOTIFY = sa.text(
    """
    SELECT set_config('synchronous_commit', 'off', true), pg_notify(:channel, payload)
    FROM unnest(CAST(:payloads AS text[])) AS hints (payload)
    """
)

Listener = Callable[[Mapping[str, Any]], None]


class Bus:
    """Publishes hints to the other replicas, and hands theirs to whoever subscribed."""

    def __init__(self, database: Database, replica: str, *, retry_s: float = 2.0) -> None:
        self._database = database
        self._replica = replica
        self._retry_s = retry_s
        self._listeners: dict[str, list[Listener]] = {}
        self._waiting: list[str] = []
        self._wake = asyncio.Event()
        self._listens = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def subscribe(self, topic: str, listener: Listener) -> None:
        """Hand the other replicas' hints on a topic to a listener."""
        self._listeners.setdefault(topic, []).append(listener)

    def publish(self, topic: str, hint: Mapping[str, Any]) -> None:
        """Tell the other replicas; returns at once."""
        if not self._database.is_postgres:
            return
        payload = orjson.dumps({"from": self._replica, "topic": topic, "hint": dict(hint)})
        if len(payload) < _LARGEST:
            self._waiting.append(payload.decode())
            self._wake.set()

    async def listening(self) -> None:
        """Return once hints of the other replicas arrive; at once while they do."""
        await self._listens.wait()

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
                async with self._database.begin() as connection:
                    await connection.execute(_NOTIFY, {"channel": _CHANNEL, "payloads": payloads})
            except Exception as error:
                log.warning("bus.publish_failed", error=type(error).__name__, lost=len(payloads))

    async def _listening(self) -> None:
        while True:
            try:
                await self._listen_once()
            except Exception as error:
                log.warning("bus.listen_failed", error=type(error).__name__)
            await asyncio.sleep(self._retry_s)

    async def _listen_once(self) -> None:
        # One of the pool's connections, so that it is made as the others are (TLS, password).
        async with self._database.engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            closed = asyncio.Event()
            driver.add_termination_listener(lambda _connection: closed.set())
            try:
                await driver.add_listener(_CHANNEL, self._heard)
                self._listens.set()
                await closed.wait()
            finally:
                self._listens.clear()
                # It listens for good: never hand it to anybody else.
                await connection.invalidate()

    def _heard(self, _connection: Any, _pid: int, _channel: str, payload: Any) -> None:
        try:
            message = orjson.loads(payload)
            if message["from"] == self._replica:
                return
            for listener in self._listeners.get(message["topic"], ()):
                listener(message["hint"])
        except Exception as error:
            # Anybody with a connection may notify, and another version may say it otherwise.
            log.warning("bus.hint_not_understood", error=place(error))
