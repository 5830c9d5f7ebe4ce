"""The homeserver's client-server API, as the application service uses it.

Paths come from mautrix's builder. Sending is ours: mautrix's ``HTTPAPI`` logs request bodies, drops
``retry_after_ms`` and has a time-out of five minutes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson
from mautrix.api import PathBuilder
from yarl import URL

from appservice.errors import HomeserverUnreachable, MatrixError

Json = dict[str, Any]

V3 = PathBuilder("_matrix/client/v3")
V1 = PathBuilder("_matrix/client/v1")

LONGEST_RETRY_AFTER_MS = 3_600_000
"""A room waits as it is told to, but an hour at most: a wrong number must not silence it for good."""

_ANONYMOUS = {"Content-Type": "application/json"}


def _error(response: aiohttp.ClientResponse, answer: object) -> MatrixError:
    body = answer if isinstance(answer, dict) else {}
    # A 200 that is not Matrix JSON comes from something in front of the homeserver.
    status = response.status if response.status >= 300 else 502
    return MatrixError(
        status,
        str(body.get("errcode", "")),
        str(body.get("error", "")),
        _retry_after(body, response.headers.get("Retry-After")) if status == 429 else None,
    )


def _retry_after(body: Mapping[str, Any], header: str | None) -> int:
    """How long to wait, milliseconds: the older field is finer than the newer header, so it goes first."""
    value = body.get("retry_after_ms")
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return int(min(value, LONGEST_RETRY_AFTER_MS))
    if header is not None and re.fullmatch(r"\s*[0-9]{1,9}\s*", header):
        return min(int(header) * 1000, LONGEST_RETRY_AFTER_MS)
    return 5000


class Client:
    """Requests to one homeserver on behalf of the bot and its ghosts."""

    def __init__(self, base_url: str, as_token: str, session: aiohttp.ClientSession) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {as_token}", "Content-Type": "application/json"}
        self._session = session

    async def request(
        self,
        method: str,
        path: PathBuilder,
        body: Mapping[str, Any] | None = None,
        *,
        user_id: str | None = None,
        device_id: str | None = None,
        query: Mapping[str, str] | None = None,
        anonymous: bool = False,
    ) -> Json:
        """Send one request, once.

        Args:
            method: HTTP method.
            path: Path below the homeserver's base URL.
            body: JSON body.
            user_id: Whom to act as (application-service masquerading); None for the sender itself.
            device_id: The device to act with (MSC4326); makes transaction ids durable in Synapse.
            query: Further query parameters.
            anonymous: Without our token, as anybody could ask.

        Raises:
            MatrixError: the homeserver answered with an error.
            HomeserverUnreachable: it did not answer.
        """
        params = dict(query or {})
        if user_id is not None:
            params["user_id"] = user_id
        if device_id is not None:
            params["device_id"] = device_id
        # The path is already quoted: yarl must not do it again.
        url = URL(f"{self._base_url}/{path}", encoded=True).update_query(params)
        data = orjson.dumps(body or {}) if method != "GET" else None
        try:
            headers = _ANONYMOUS if anonymous else self._headers
            # Not after a redirection: a PUT would become a GET, and our token would go where nobody named.
            async with self._session.request(
                method, url, data=data, headers=headers, allow_redirects=False
            ) as response:
                raw = await response.read()
                try:
                    answer = orjson.loads(raw)
                except orjson.JSONDecodeError:
                    answer = None
                if 200 <= response.status < 300 and isinstance(answer, dict):
                    return answer
                raise _error(response, answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise HomeserverUnreachable(f"{type(error).__name__}: {error}"[:200]) from error
