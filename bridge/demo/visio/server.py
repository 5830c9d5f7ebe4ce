"""The HTTP server around the stand-in's answers, and the faults that happen on the way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from aiohttp import web

from bridge.demo.peers.ports import HOST
from bridge.demo.visio.answers import HTML, JSON, Answer, Asked
from bridge.demo.visio.faults import Fault, Faults, Harm

T = TypeVar("T")

_PATIENCE_S = 10
_PROXY_PAGE = (
    b"<html>\r\n<head><title>A proxy</title></head>\r\n<body><h1>Something else</h1></body>\r\n</html>\r\n"
)

Note = Callable[[Asked, int | None], None]
"""Is told each request and the status that it was answered with; None when the connection was cut."""


class Server:
    """Serves from a thread of its own."""

    def __init__(self, port: int, answer: Callable[[Asked], Answer], faults: Faults, note: Note) -> None:
        self._port = port
        self._answer = answer
        self._faults = faults
        self._note = note
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="visio", daemon=True)
        self._runner: web.AppRunner | None = None

    def start(self) -> None:
        """Begin to serve.

        Raises:
            OSError: The port is taken.
        """
        self._thread.start()
        self.open_door()

    def stop(self) -> None:
        """End for good."""
        self.close_door()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_S)
        self._loop.close()

    def open_door(self) -> None:
        """Accept connections."""
        self._run(self._open())

    def close_door(self) -> None:
        """Break all connections and accept none."""
        self._run(self._close())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)

    async def _open(self) -> None:
        if self._runner is not None:
            return
        application = web.Application(client_max_size=1 << 20)
        application.router.add_route("*", "/{path:.*}", self._serve)
        # What is under way is not worth waiting for.
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, HOST, self._port).start()
        self._runner = runner

    async def _close(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        asked = await _asked(request)
        fault = self._faults.hit(asked.method, asked.path)
        if fault is None:
            return self._sent(asked, self._answer(asked))
        if fault.harm is Harm.SLOW:
            await asyncio.sleep(fault.seconds)
        if fault.harm is Harm.CUT_BEFORE:
            return self._cut(request, asked)
        if fault.harm in (Harm.STATUS, Harm.REDIRECT):
            return self._sent(asked, _instead(fault))
        answer = self._answer(asked)
        if fault.harm is Harm.CUT_AFTER:
            return self._cut(request, asked)
        if fault.harm is Harm.ENDLESS:
            return await self._drown(request, asked, answer)
        return self._sent(asked, _spoilt(fault, answer))

    def _sent(self, asked: Asked, answer: Answer) -> web.Response:
        self._note(asked, answer.status)
        headers = {**answer.headers, "Content-Type": answer.content_type}
        response = web.Response(status=answer.status, body=answer.body, headers=headers)
        for name, value in answer.cookies.items():
            response.set_cookie(name, value, httponly=True, samesite="Lax")
        return response

    def _cut(self, request: web.Request, asked: Asked) -> web.Response:
        self._note(asked, None)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def _drown(self, request: web.Request, asked: Asked, answer: Answer) -> web.StreamResponse:
        self._note(asked, answer.status)
        response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
        await response.prepare(request)
        while True:
            # Ends when the other side has had enough and closes the connection.
            await response.write(b" " * 65_536)


async def _asked(request: web.Request) -> Asked:
    return Asked(
        method=request.method,
        path=request.path,
        query=dict(request.query),
        headers={name.lower(): value for name, value in request.headers.items()},
        cookies=dict(request.cookies),
        body=await request.read(),
        origin=f"{request.scheme}://{request.host}",
        raw_query=request.rel_url.raw_query_string,
    )


def _instead(fault: Fault) -> Answer:
    if fault.harm is Harm.REDIRECT:
        status = fault.status if 300 <= fault.status < 400 else 302
        return Answer(status, b"", HTML, {"Location": fault.to})
    return Answer(fault.status, _PROXY_PAGE, HTML)


def _spoilt(fault: Fault, answer: Answer) -> Answer:
    if fault.harm is Harm.BROKEN_JSON:
        return Answer(answer.status, answer.body[: len(answer.body) // 2], JSON)
    if fault.harm is Harm.WRONG_JSON:
        return Answer(answer.status, fault.body, JSON)
    if fault.harm is Harm.HTML:
        return Answer(answer.status, _PROXY_PAGE, HTML)
    return answer
