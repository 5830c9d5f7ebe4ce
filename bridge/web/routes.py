"""The join page's HTTP face: the page itself, and the two questions it asks.

``GET /call/{id}`` answers the same bytes for every id; the secret stands in the fragment, which
browsers do not send, and reaches the bridge only in the body of the two requests.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import cast
from urllib.parse import urlsplit

from aiohttp import web

from bridge.web.attempts import WINDOW_S, Attempts, client_address
from bridge.web.desk import Desk, Look, Reason, Refused, Ticket
from bridge.web.static_page import StaticPage

BODY_TIMEOUT_S = 10
MAX_BODY = 4096
"""Longest request body, bytes; a name, a secret and a visitor id need a tenth of it."""

_STATUS = {
    Reason.OVER: 410,
    Reason.FULL: 409,
    Reason.REMOVED: 403,
    Reason.WRONG_LINK: 403,
    Reason.UNAVAILABLE: 503,
    Reason.BAD_REQUEST: 400,
    Reason.BUSY: 429,
}

_NOT_BUILT = "The join page is not built. Run `make page`, then start the bridge again.\n"


def routes(desk: Desk, page: StaticPage, attempts: Attempts | None = None) -> list[web.RouteDef]:
    """The routes of the join page, for the public listener.

    Args:
        desk: Decides who gets in.
        page: The built page; without it every address answers 503 and says how to build it.
        attempts: Counts wrong secrets; a fresh counter by default.
    """
    face = _Face(desk, page, attempts or Attempts())
    return [
        web.get("/call/{id:[A-Za-z0-9_-]+}", face.index),
        web.get("/call/assets/{name}", face.asset),
        web.post("/call/{id:[A-Za-z0-9_-]+}/look", face.look),
        web.post("/call/{id:[A-Za-z0-9_-]+}/token", face.token),
    ]


def content_security_policy(sfu_url: str) -> str:
    """What the page may load and reach: its own origin and the SFU, nothing else.

    The SFU is asked over WebSocket and, when a connection fails, over HTTP for the reason.
    Frames are allowed from the same origin only, for a widget served by this bridge.
    """
    parts = urlsplit(sfu_url)
    suffix = "s" if parts.scheme in ("wss", "https") else ""
    sfu = f"ws{suffix}://{parts.netloc} http{suffix}://{parts.netloc}"
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "media-src 'self' blob:",
            f"connect-src 'self' {sfu}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'self'",
        )
    )


class _Face:
    def __init__(self, desk: Desk, page: StaticPage, attempts: Attempts) -> None:
        self._desk = desk
        self._page = page
        self._attempts = attempts
        self._headers = {
            "Content-Security-Policy": content_security_policy(desk.sfu_url),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self), "
            "speaker-selection=(self), geolocation=()",
            "Cross-Origin-Opener-Policy": "same-origin",
        }

    async def index(self, request: web.Request) -> web.StreamResponse:
        if self._page.index is None:
            return web.Response(status=503, text=_NOT_BUILT, headers=self._headers)
        headers = self._headers | {"Cache-Control": "no-cache"}
        return web.Response(body=self._page.index, content_type="text/html", charset="utf-8", headers=headers)

    async def asset(self, request: web.Request) -> web.StreamResponse:
        found = self._page.asset(request.match_info["name"])
        if found is None:
            return web.Response(status=404, text="Not found\n", headers=self._headers)
        path, media_type = found
        # Names carry a hash of the contents, so what a browser has once is right for ever.
        headers = self._headers | {
            "Cache-Control": "public, max-age=31536000, immutable",
            "Content-Type": media_type,
        }
        return web.FileResponse(path, headers=headers)

    async def look(self, request: web.Request) -> web.Response:
        async def answer(call_id: str, body: dict[str, str]) -> dict[str, object]:
            return _look_json(await self._desk.look(call_id, body["secret"]))

        return await self._answer(request, ("secret",), answer)

    async def token(self, request: web.Request) -> web.Response:
        async def answer(call_id: str, body: dict[str, str]) -> dict[str, object]:
            ticket = await self._desk.admit(
                call_id, body["secret"], name=body["name"], visitor=body["visitor"]
            )
            return _ticket_json(ticket)

        return await self._answer(request, ("secret", "name", "visitor"), answer)

    async def _answer(
        self,
        request: web.Request,
        fields: tuple[str, ...],
        answer: Callable[[str, dict[str, str]], Awaitable[dict[str, object]]],
    ) -> web.Response:
        address = client_address(request.remote, request.headers.get("X-Forwarded-For"))
        try:
            link_id = request.match_info["id"]
            # By link too: a ministry behind one address is not shut out of all by one old tab.
            if not self._attempts.allowed(address, link_id):
                raise Refused(Reason.BUSY)
            body = await _read(request, fields)
            return self._json(200, await answer(link_id, body))
        except Refused as refused:
            if refused.reason is Reason.WRONG_LINK:
                self._attempts.wrong(address, link_id)
            return self._json(_STATUS[refused.reason], {"error": refused.reason.value})

    def _json(self, status: int, body: dict[str, object]) -> web.Response:
        headers = self._headers | {"Cache-Control": "no-store"}
        if status == _STATUS[Reason.BUSY]:
            headers["Retry-After"] = str(int(WINDOW_S))
        return web.json_response(body, status=status, headers=headers)


async def _read(request: web.Request, fields: tuple[str, ...]) -> dict[str, str]:
    """The named strings of a small JSON object.

    Anything but ``application/json`` is refused: it is what a form on another site could send
    without the browser asking us first.

    Raises:
        Refused: ``BAD_REQUEST``.
    """
    if request.content_type != "application/json":
        raise Refused(Reason.BAD_REQUEST)
    raw = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.content.iter_any():
                raw += chunk
                if len(raw) > MAX_BODY:
                    raise Refused(Reason.BAD_REQUEST)
    except (web.RequestPayloadError, ConnectionError, TimeoutError):
        # Not what its Content-Encoding says, or a caller who hung up or fell silent.
        raise Refused(Reason.BAD_REQUEST) from None
    try:
        body = json.loads(bytes(raw))
    except (ValueError, RecursionError):
        raise Refused(Reason.BAD_REQUEST) from None
    if not isinstance(body, dict) or not all(_is_text(body.get(field)) for field in fields):
        raise Refused(Reason.BAD_REQUEST)
    return {field: cast(str, body[field]) for field in fields}


def _is_text(value: object) -> bool:
    """Whether a JSON value is a string that can be written as UTF-8 (no lone surrogates)."""
    return isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value)


def _look_json(look: Look) -> dict[str, object]:
    return {
        "subject": look.subject,
        "state": look.state.value,
        "count": look.count,
        "max": look.max,
        "language": look.language,
    }


def _ticket_json(ticket: Ticket) -> dict[str, object]:
    servers: list[dict[str, object]] = []
    for server in ticket.ice_servers:
        entry: dict[str, object] = {"urls": list(server.urls)}
        if server.username:
            entry["username"] = server.username
        if server.credential:
            entry["credential"] = server.credential
        servers.append(entry)
    return {
        "sfu_url": ticket.sfu_url,
        "token": ticket.token,
        "ice_servers": servers,
        "identity": ticket.identity,
        "name": ticket.name,
    }
