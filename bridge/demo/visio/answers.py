"""Requests and answers without any HTTP library, and the answers that Django gives of its own accord."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import orjson

JSON = "application/json"
HTML = "text/html; charset=utf-8"

NOT_FOUND_PAGE = """
<!doctype html>
<html lang="en">
<head>
  <title>Not Found</title>
</head>
<body>
  <h1>Not Found</h1><p>The requested resource was not found on this server.</p>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request.

    Attributes:
        method: In capitals.
        path: Decoded, without the query.
        query: What stands after the question mark.
        headers: By name in lower case.
        cookies: By name.
        body: As it came.
        origin: Scheme and host as the caller wrote them.
        raw_query: The query as it came.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    origin: str = ""
    raw_query: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Attributes:
        status: The HTTP status.
        body: As it goes out.
        content_type: Of the body.
        headers: Further headers.
        cookies: To be set in the browser.
    """

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """The request ends here, with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status} {answer.body.decode()}")
        self.answer = answer


def json(status: int, body: object, **headers: str) -> Answer:
    """An answer in JSON."""
    return Answer(status, orjson.dumps(body), headers=headers)


def refused(status: int, detail: str, **headers: str) -> Refused:
    """A refusal as Django REST framework words it."""
    return Refused(json(status, {"detail": detail}, **headers))


def not_allowed(method: str) -> Refused:
    """The address exists, but not for this method."""
    return refused(405, f'Method "{method}" not allowed.')


def page_not_found() -> Answer:
    """Django's own page for an address that it does not know."""
    return Answer(404, NOT_FOUND_PAGE.encode(), HTML)


def with_slash(asked: Asked) -> Answer:
    """Django's answer when only the slash at the end is missing, whatever the method."""
    location = f"{asked.path}/" + (f"?{asked.raw_query}" if asked.raw_query else "")
    return Answer(301, b"", HTML, {"Location": location})


def data_of(asked: Asked, *, forms: bool = False) -> object:
    """The body, parsed as Django REST framework does.

    Args:
        asked: The request.
        forms: Whether a form will do, too.

    Raises:
        Refused: 400 for broken JSON, 415 for anything else.
    """
    kind = asked.headers.get("content-type", "")
    name = kind.partition(";")[0].strip().lower()
    if not asked.body:
        return {}
    if name == JSON:
        try:
            return orjson.loads(asked.body)
        except orjson.JSONDecodeError as error:
            raise refused(400, f"JSON parse error - {error}") from None
    if name == "application/x-www-form-urlencoded" and forms:
        return dict(_form(asked.body))
    raise refused(415, f'Unsupported media type "{kind}" in request.')


def dictionary(data: object) -> dict[str, object]:
    """The data if it is an object.

    Raises:
        Refused: 400.
    """
    if isinstance(data, dict):
        return data
    text = f"Invalid data. Expected a dictionary, but got {type(data).__name__}."
    raise Refused(json(400, {"non_field_errors": [text]}))


def _form(body: bytes) -> list[tuple[str, str]]:
    return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
