"""One request to LiveKit's server API: protobuf over HTTP POST, after the Twirp protocol.

The messages are ``livekit-protocol``'s. The transport is our own rather than ``livekit-api``'s,
for one reason: an empty protobuf body reads as "nobody is there", so an answer counts only when
it really is LiveKit's. ``livekit-api`` takes any 200, and a proxy's empty page would empty a room.

See https://twitchtv.github.io/twirp/docs/spec_v7.html for paths and errors.
"""

from __future__ import annotations

from typing import TypeVar

import aiohttp
import orjson
from google.protobuf.message import DecodeError, Message

from bridge.calls.ports import SfuUnreachable
from bridge.sfu.retry import Passing, describe

Answer = TypeVar("Answer", bound=Message)

PROTOBUF = "application/protobuf"
HEALING = frozenset({408, 429})


class SfuRefused(SfuUnreachable):
    """The SFU answered, but not to us: wrong key, wrong address, or a request it does not accept.

    Asking again does not help; an administrator has to look.
    """


class NotFound(Exception):
    """LiveKit knows no such room or participant (Twirp error ``not_found``)."""


def http_url(url: str) -> str:
    """The address of the server API for an address given as ``ws(s)://`` or ``http(s)://``."""
    if url.startswith("ws"):
        url = "http" + url.removeprefix("ws")
    return url.rstrip("/")


async def call(
    session: aiohttp.ClientSession,
    url: str,
    request: Message,
    answer: type[Answer],
    *,
    token: str,
    timeout_ms: int,
) -> Answer:
    """Make one attempt.

    Args:
        session: Where connections are kept.
        url: The method's full address.
        request: What to ask.
        answer: The message class of the answer.
        token: Signed with the grants that the method needs.
        timeout_ms: What the attempt may take.

    Raises:
        Passing: it failed in a way that can heal by itself.
        NotFound: there is no such room or participant.
        SfuRefused: it will not work until somebody changes something.
    """
    try:
        async with session.post(
            url,
            data=request.SerializeToString(),
            headers={"Content-Type": PROTOBUF, "Authorization": f"Bearer {token}"},
            timeout=aiohttp.ClientTimeout(total=timeout_ms / 1000),
            allow_redirects=False,
        ) as response:
            status, kind, body = response.status, response.content_type, await response.read()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Passing(f"{url}: {describe(error)}") from error
    if status == 200 and kind == PROTOBUF:
        try:
            return answer.FromString(body)
        except DecodeError as error:
            raise SfuRefused(f"{url} answered with something that is not LiveKit's protocol") from error
    raise _failure(url, status, kind, body)


def _failure(url: str, status: int, kind: str, body: bytes) -> Exception:
    code, message = _twirp_error(body)
    if status == 404 and code == "not_found":
        return NotFound(message)
    said = f"{url} answered {status} {code or kind} {message}".rstrip()
    if status >= 500 or status in HEALING:
        return Passing(said)
    if status in (401, 403):
        return SfuRefused(f"{said}; check sfu.key and sfu.secret against the keys of LiveKit")
    return SfuRefused(f"{said}; check that sfu.api_url leads to LiveKit itself")


def _twirp_error(body: bytes) -> tuple[str, str]:
    try:
        error = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "", ""
    if not isinstance(error, dict):
        return "", ""
    # LiveKit's own middleware answers {"error": …} or plain text where Twirp has {"code", "msg"}.
    return str(error.get("code", "")), str(error.get("msg", ""))[:200]
