"""What stands in front of several replicas: connections go to the first one that takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class Balancer:
    """A TCP proxy on loopback, in turn to whichever of its targets accepts."""

    def __init__(self, port: int, targets: Sequence[str]) -> None:
        """Nothing listens yet.

        Args:
            port: Where to listen.
            targets: Addresses such as ``http://127.0.0.1:1234``.
        """
        self._port = port
        self._targets = [(str(url.hostname), int(url.port or 80)) for url in map(urlsplit, targets)]
        self._turn = 0
        self._open: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            with suppress(OSError, asyncio.CancelledError):
                there, back = await self._reach()
                try:
                    await asyncio.gather(_copy(reader, back), _copy(there, writer))
                finally:
                    back.close()
        finally:
            self._open.discard(task)
            writer.close()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._turn += 1
        for offset in range(len(self._targets)):
            host, port = self._targets[(self._turn + offset) % len(self._targets)]
            with suppress(OSError):
                return await asyncio.open_connection(host, port)
        raise ConnectionRefusedError("no replica is up")


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()
