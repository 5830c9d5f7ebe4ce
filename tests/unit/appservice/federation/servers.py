"""Servers for these tests: homeservers with certificates, name servers, a proxy, and hostile ones."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import dns.asyncresolver
import dns.message
import dns.rcode
import dns.rrset
import trustme
from aiohttp import web

LOOPBACK = "127.0.0.1"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Authority:
    """A certificate authority of one test run."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self.file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.file))

    def server_context(self, *names: str) -> ssl.SSLContext:
        """TLS for a server that has these names."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._ca.issue_cert(*names).configure_cert(context)
        return context


class Homeserver:
    """Answers look-ups, and remembers how it was asked.

    Attributes:
        port: Where it listens.
        seen: The requests.
        handler: What it answers with.
        connections: How many connections were made to it.
    """

    def __init__(self, handler: Handler) -> None:
        self.port = 0
        self.seen: list[web.Request] = []
        self.handler = handler
        self.connections = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Take one request."""
        self.seen.append(request)
        return await self.handler(request)

    @property
    def hosts(self) -> list[str]:
        """The ``Host`` headers seen."""
        return [request.headers["Host"] for request in self.seen]


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Homeserver]:
    """Serve every path with a handler on a free port."""
    server = Homeserver(handler)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    assert runner.server is not None
    make_protocol = runner.server

    def connected() -> asyncio.BaseProtocol:
        server.connections += 1
        return make_protocol()

    listener = await asyncio.get_running_loop().create_server(connected, LOOPBACK, 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await runner.cleanup()


@asynccontextmanager
async def talking(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve raw connections, for what no web server would say; gives the port."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(connected, LOOPBACK, 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def vouching_for(user_id: object) -> Handler:
    """A homeserver that says of every token that it is this user's."""

    async def handler(_: web.Request) -> web.Response:
        return web.json_response({"sub": user_id})

    return handler


def delegating_to(server: str, headers: Mapping[str, str] | None = None) -> Handler:
    """A web site whose well-known file names this server."""

    async def handler(_: web.Request) -> web.Response:
        return web.json_response({"m.server": server}, headers=headers)

    return handler


def names(**known: str | Sequence[str]) -> Callable[[str], Awaitable[Sequence[str]]]:
    """A look-up that knows these names (``_`` for a dot), and all others on loopback."""
    addresses = {name.replace("_", "."): value for name, value in known.items()}

    async def look_up(host: str) -> Sequence[str]:
        value = addresses.get(host, LOOPBACK)
        return [value] if isinstance(value, str) else value

    return look_up


class _NameServer(asyncio.DatagramProtocol):
    def __init__(self, zone: Mapping[str, Sequence[str]], asked: list[str]) -> None:
        self._zone = zone
        self._asked = asked

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # Python's own is no subclass

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        name = query.question[0].name.to_text(omit_final_dot=True)
        self._asked.append(name)
        reply = dns.message.make_response(query)
        records = self._zone.get(name)
        if records is None:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif records == ["SERVFAIL"]:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif records == ["silence"]:
            return
        elif records:
            reply.answer.append(dns.rrset.from_text_list(f"{name}.", 300, "IN", "SRV", records))
        self._transport.sendto(reply.to_wire(), addr)


@asynccontextmanager
async def name_server(
    zone: Mapping[str, Sequence[str]], asked: list[str] | None = None
) -> AsyncIterator[dns.asyncresolver.Resolver]:
    """A name server with these SRV records by name; gives a resolver that asks it."""
    loop = asyncio.get_running_loop()
    heard = [] if asked is None else asked
    transport, _ = await loop.create_datagram_endpoint(lambda: _NameServer(zone, heard), (LOOPBACK, 0))
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = [LOOPBACK]
    resolver.port = transport.get_extra_info("sockname")[1]
    try:
        yield resolver
    finally:
        transport.close()


@asynccontextmanager
async def connect_proxy(asked: list[str], port: int, *, status: str = "200 OK") -> AsyncIterator[int]:
    """An HTTP proxy that tunnels everything to one port of loopback; gives its own port."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.split(b"\r\n")[0].decode())
        writer.write(f"HTTP/1.1 {status}\r\n\r\n".encode())
        if not status.startswith("200"):
            await writer.drain()
            return
        far_reader, far_writer = await asyncio.open_connection(LOOPBACK, port)
        try:
            await asyncio.wait(
                [
                    asyncio.create_task(_copy(reader, far_writer)),
                    asyncio.create_task(_copy(far_reader, writer)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            far_writer.transport.abort()

    async with talking(talk) as own_port:
        yield own_port


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
