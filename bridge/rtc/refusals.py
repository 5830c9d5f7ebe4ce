"""How the authorization service says no: the statuses and error codes that clients know.

They are lk-jwt-service's where it has one for the case; the others are the client-server API's.
"""

from __future__ import annotations


class Refusal(Exception):
    """A request that is not granted.

    Attributes:
        status: HTTP status.
        errcode: Matrix error code.
        sentence: What the client is told, in English; it quotes nothing that the client sent.
        retry_after_ms: How long to wait before another try, or None if that is not the point.
    """

    def __init__(self, status: int, errcode: str, sentence: str, retry_after_ms: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.errcode = errcode
        self.sentence = sentence
        self.retry_after_ms = retry_after_ms


def not_json() -> Refusal:
    """The body is no JSON, or has fields that nobody defined."""
    return Refusal(400, "M_NOT_JSON", "The request body could not be read as the JSON that is expected here")


def too_large() -> Refusal:
    """The body is larger than any real one."""
    return Refusal(413, "M_TOO_LARGE", "The request body is too large")


def bad_json(what: str) -> Refusal:
    """The body lacks something."""
    return Refusal(400, "M_BAD_JSON", what)


def unauthorized() -> Refusal:
    """The token does not say who the asker is, or says that it is somebody else."""
    return Refusal(401, "M_UNAUTHORIZED", "The request could not be authorised.")


def forbidden(why: str) -> Refusal:
    """The asker is known and may not."""
    return Refusal(403, "M_FORBIDDEN", why)


def not_offered() -> Refusal:
    """Nobody here takes over leave events; to clients that means that they have to look after their own."""
    return Refusal(404, "M_UNRECOGNIZED", "Delegation of delayed events is not offered here")


def no_room() -> Refusal:
    """The SFU does not make the room."""
    return Refusal(500, "M_UNKNOWN", "Unable to create room on SFU")


def try_again(what: str, retry_after_ms: int = 2_000) -> Refusal:
    """A neighbour does not answer at the moment."""
    return Refusal(503, "M_UNKNOWN", what, retry_after_ms)


def too_many(retry_after_ms: int) -> Refusal:
    """More attempts than anybody needs."""
    return Refusal(429, "M_LIMIT_EXCEEDED", "Too many requests", retry_after_ms)
