"""One request to Visio: bounded in time and size, and honest about what may have happened.

A request that got no answer is either `NotSent`, which may be repeated freely, or `NoAnswer`: Visio may have
carried it out. What Visio says is only told on after `said` has taken e-mail addresses and tokens out of it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import aiohttp
import orjson

from bridge.providers.visio.errors import Nonsense, Unreachable
from bridge.sfu.retry import Patience, describe

HEALING = frozenset({408, 425, 429})
"""Statuses below 500 after which the same request may work."""

LONGEST_ANSWER = 256 * 1024
"""Bytes; a page of rooms has some ten thousand."""

_REDIRECTIONS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Accept-Language": "en",
    "User-Agent": "Passerelle",
}
# Shorter than what usual servers keep an idle connection for, so that none breaks under a request.
_KEEP_ALIVE_S = 1.5
_CONNECTIONS = 16
_LONGEST_HOST = 253
_ADDRESS = re.compile(r"\S*@\S*")
_TOKEN = re.compile(r"[A-Za-z0-9_=.-]{24,}")


class NoAnswer(Exception):
    """The request may have reached Visio, but no whole answer came back."""


class NotSent(NoAnswer):
    """There was no connection: Visio has not seen the request."""


class Redirected(Nonsense):
    """The address redirects; the request has not been carried out."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask.

    Attributes:
        method: HTTP method.
        path: Below ``visio.url``, with a slash at both ends.
        json: The body as JSON; None for none.
        form: The body as form fields, in place of ``json``.
        bearer: The token to show.
    """

    method: str
    path: str
    json: Mapping[str, object] | None = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    bearer: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What Visio answered.

    Attributes:
        status: HTTP status.
        kind: Media type.
        body: The whole body.
        wait_ms: How long to wait before asking again (``Retry-After``), milliseconds; 0 if it does not say.
    """

    status: int
    kind: str
    body: bytes = field(repr=False)
    wait_ms: int = 0

    @property
    def heals(self) -> bool:
        """Whether the same request may work a little later."""
        return self.status >= 500 or self.status in HEALING

    def document(self) -> Mapping[str, object]:
        """The body as a JSON object.

        Raises:
            Nonsense: it is something else.
        """
        try:
            document = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            document = None
        if not isinstance(document, dict):
            raise Nonsense(f"status {self.status} with {self.kind or 'no type'} that is no JSON object")
        return document

    def said(self) -> str:
        """What an error says (Visio writes ``detail`` or ``error``), fit for the log; maybe empty."""
        try:
            document = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return ""
        text = document.get("detail") or document.get("error") if isinstance(document, dict) else None
        if not isinstance(text, str):
            return ""
        line = " ".join("".join(c if c.isprintable() else " " for c in text[:400]).split())
        return _TOKEN.sub("…", _ADDRESS.sub("…", line))[:200]


class VisioHttp:
    """Requests to one Visio.

    Args:
        url: Its address, without a slash at the end.
        patience: How long one request may take, with its repetitions.
    """

    def __init__(self, url: str, patience: Patience) -> None:
        self._url = url.rstrip("/")
        self._patience = patience
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def close(self) -> None:
        """Let go of the connections, for good."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def ask(self, request: Request) -> Answer:
        """Ask something that may be asked twice: repeated while that can heal.

        Raises:
            Unreachable: Visio did not answer in time, or kept answering "later".
            Nonsense: the answer cannot be Visio's.
        """
        return await self._insist(request, unsafe=False)

    async def order(self, request: Request) -> Answer:
        """Ask for something that must not be done twice: repeated only while there is no connection.

        Raises:
            NotSent: there was no connection; nothing has been done.
            NoAnswer: it may have been done.
            Redirected: Visio is elsewhere; nothing has been done.
            Nonsense: the answer cannot be Visio's; it may have been done.
        """
        return await self._insist(request, unsafe=True)

    async def _insist(self, request: Request, *, unsafe: bool) -> Answer:
        until = asyncio.get_running_loop().time() + self._patience.total_ms / 1000
        for number, pause_ms in enumerate(self._patience.pauses(), start=1):
            wait_ms = pause_ms
            try:
                answer = await self._attempt(request)
                wait_ms = max(pause_ms, answer.wait_ms)
                if unsafe or not answer.heals:
                    return answer
                failure: NoAnswer = NoAnswer(f"status {answer.status} {answer.said()}".rstrip())
            except NoAnswer as error:
                failure = error
            late = asyncio.get_running_loop().time() + wait_ms / 1000 >= until
            if late or number == self._patience.attempts or (unsafe and not isinstance(failure, NotSent)):
                break
            await asyncio.sleep(wait_ms / 1000)
        if unsafe:
            raise failure
        raise Unreachable(str(failure)) from failure

    async def _attempt(self, request: Request) -> Answer:
        url = self._url + request.path
        answer, location = await self._exchange(request, url)
        if answer.status in _REDIRECTIONS and request.method == "GET" and _adds_a_slash(url, location):
            answer, location = await self._exchange(request, urljoin(url, location))
        if answer.status in _REDIRECTIONS:
            # Never followed: the token and the slug are for the host that the administrator named.
            raise Redirected(f"it redirects to {_host_of(url, location) or 'nowhere'}")
        return answer

    async def _exchange(self, request: Request, url: str) -> tuple[Answer, str]:
        headers = {"Authorization": f"Bearer {request.bearer}"} if request.bearer else {}
        try:
            async with self._open_session().request(
                request.method,
                url,
                json=request.json,
                data=request.form,
                headers=headers,
                timeout=aiohttp.ClientTimeout(
                    total=self._patience.attempt_ms / 1000, connect=self._patience.attempt_ms / 2000
                ),
                allow_redirects=False,
            ) as response:
                body = await _limited(response)
                wait_ms = _seconds(response.headers.get("Retry-After", "")) * 1000
                answer = Answer(response.status, response.content_type, body, wait_ms)
                return answer, response.headers.get("Location", "")
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSent(describe(error)) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NoAnswer(describe(error)) from error

    def _open_session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise NotSent("the bridge is stopping")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_KEEP_ALIVE_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=_HEADERS,
                auto_decompress=False,
                json_serialize=lambda document: orjson.dumps(document).decode(),
            )
        return self._session


async def _limited(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > LONGEST_ANSWER:
            response.close()
            raise Nonsense(f"status {response.status} with more than {LONGEST_ANSWER} bytes")
    return bytes(body)


def _seconds(retry_after: str) -> int:
    """What ``Retry-After`` asks for. A date counts for nothing: Django's throttles write seconds."""
    return int(retry_after) if re.fullmatch("[0-9]{1,6}", retry_after) else 0


def _adds_a_slash(url: str, location: str) -> bool:
    """Whether a redirection leads to the very same place, written with a slash more or less."""
    try:
        target = urljoin(url, location)
    except ValueError:
        return False
    return target != url and target.rstrip("/") == url.rstrip("/")


def _host_of(url: str, location: str) -> str:
    """Where a redirection leads, fit for the log: without user-info; empty if it is no address."""
    try:
        return urlsplit(urljoin(url, location)).netloc.rpartition("@")[2][:_LONGEST_HOST]
    except ValueError:
        return ""
