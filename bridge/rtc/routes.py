"""The HTTP face of the authorization service, at ``{public_url}/livekit`` on the public listener.

A drop-in for lk-jwt-service: the same paths, CORS headers, error bodies and statuses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import structlog
from aiohttp import web

from appservice.faults import place
from bridge.rtc import requests
from bridge.rtc.authorization import Authorization
from bridge.rtc.refusals import Refusal, not_json, not_offered, too_large, try_again
from bridge.web.attempts import client_address

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

PREFIX = "/livekit"
"""Where the service stands below the public address."""

_BODY_TIMEOUT_S = 10.0
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Accept, Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token",
}
_HEADERS = _CORS | {"Cache-Control": "no-store"}

Answer = Callable[[bytes, str], Awaitable[dict[str, Any]]]


def routes(authorization: Authorization) -> list[web.RouteDef]:
    """The routes of the service.

    Args:
        authorization: Answers them.
    """
    face = _Face(authorization)
    found = [web.get(f"{PREFIX}/healthz", _healthy)]
    for path, answer in (("sfu/get", face.sfu_get), ("get_token", face.get_token)):
        found.append(web.post(f"{PREFIX}/{path}", _answering(answer)))
        found.append(web.options(f"{PREFIX}/{path}", _preflight))
    found.append(web.post(f"{PREFIX}/delegate_delayed_leave", _answering(face.delegate)))
    found.append(web.options(f"{PREFIX}/delegate_delayed_leave", _preflight))
    return found


class _Face:
    def __init__(self, authorization: Authorization) -> None:
        self._authorization = authorization

    async def sfu_get(self, body: bytes, address: str) -> dict[str, Any]:
        return await self._token(requests.sfu_get(body), address)

    async def get_token(self, body: bytes, address: str) -> dict[str, Any]:
        return await self._token(requests.get_token(body), address)

    async def delegate(self, body: bytes, address: str) -> dict[str, Any]:
        # A client that gets anything but 404 relies on it, and stays in the call for an hour if nobody acts.
        if not await self._authorization.delegation_is_offered():
            raise not_offered()
        await self._authorization.delegate(requests.delegate_delayed_leave(body), address)
        return {}

    async def _token(self, ask: requests.Ask, address: str) -> dict[str, Any]:
        granted = await self._authorization.grant(ask, address)
        return {"url": granted.url, "jwt": granted.jwt}


def _answering(answer: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        address = client_address(request.remote, request.headers.get("X-Forwarded-For"))
        try:
            return _json(200, await answer(await _body(request), address))
        except Refusal as refusal:
            return _refused(refusal)
        except Exception as error:
            # The database is away, or a defect of ours; browsers may read the answer only with our headers.
            log.error("rtc.failed", error=place(error))
            return _refused(try_again("The call service cannot answer at the moment"))

    return handle


async def _body(request: web.Request) -> bytes:
    """The body, within a size and a time.

    Raises:
        Refusal: it is larger, slower, or not what its headers say.
    """
    found = bytearray()
    try:
        async with asyncio.timeout(_BODY_TIMEOUT_S):
            async for chunk in request.content.iter_any():
                found += chunk
                if len(found) > requests.MAX_BODY:
                    raise too_large()
    except (web.RequestPayloadError, ConnectionError, TimeoutError):
        raise not_json() from None
    return bytes(found)


async def _healthy(_request: web.Request) -> web.Response:
    return web.Response(text="")


async def _preflight(_request: web.Request) -> web.Response:
    return web.Response(headers=_CORS)


def _refused(refusal: Refusal) -> web.Response:
    body: dict[str, Any] = {"errcode": refusal.errcode, "error": refusal.sentence}
    headers = {}
    if refusal.retry_after_ms is not None:
        headers["Retry-After"] = str(-(-refusal.retry_after_ms // 1000))
        if refusal.status == 429:
            body["retry_after_ms"] = refusal.retry_after_ms
    return _json(refusal.status, body, headers)


def _json(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status,
        body=orjson.dumps(body),
        content_type="application/json",
        headers=_HEADERS | (headers or {}),
    )
