"""``POST /livekit/webhook`` on the internal listener."""

from __future__ import annotations

import asyncio

from aiohttp import web

from bridge.sfu.receiver import Outcome, WebhookReceiver

MAX_BODY = 1 << 20
"""A webhook carries one room and one participant; with the largest attributes some 100 kB."""
BODY_TIMEOUT_S = 10

_STATUS = {
    Outcome.TAKEN: 200,
    Outcome.FOREIGN: 200,
    Outcome.REPEATED: 200,
    Outcome.REFUSED: 401,
    Outcome.MALFORMED: 400,
}


def webhook_routes(receiver: WebhookReceiver) -> list[web.RouteDef]:
    """The route that LiveKit's ``webhook.urls`` names.

    It answers 200 as soon as the hint is noted, 401 without proof, 400 for a body that is no
    webhook, 413 for one above `MAX_BODY` bytes, 408 for one that does not arrive. LiveKit repeats
    after a 5xx only, and no answer here is one.
    """

    async def post(request: web.Request) -> web.Response:
        body = _read_at_once(request)
        if body is None:
            try:
                async with asyncio.timeout(BODY_TIMEOUT_S):
                    body = await _read(request)
            except TimeoutError:
                raise web.HTTPRequestTimeout from None
            except (web.RequestPayloadError, ConnectionError):
                raise web.HTTPBadRequest from None
        outcome = receiver.take(body, request.headers.get("Authorization", ""))
        return web.Response(status=_STATUS[outcome])

    return [web.post("/livekit/webhook", post)]


def _read_at_once(request: web.Request) -> bytes | None:
    """A body that is all there already, as nearly all are; None if it has to be waited for.

    Most webhooks of a shared SFU are about meetings of others, and a timer and a loop cost more than
    finding that out.
    """
    content = request.content
    if not content.is_eof() or content.exception() is not None:
        return None
    body = content.read_nowait()
    if len(body) > MAX_BODY:
        raise web.HTTPRequestEntityTooLarge(MAX_BODY, len(body))
    return body


async def _read(request: web.Request) -> bytes:
    # The listener's own limit is that of the homeserver's transactions, far above what fits here.
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY:
            raise web.HTTPRequestEntityTooLarge(MAX_BODY, len(body))
    return bytes(body)
