"""What a client wants, read from the address that it connects to.

Two forms: ``/rtc`` has plain query parameters; ``/rtc/v1`` has ``join_request``, the base64 of a
``WrappedJoinRequest``, whose contents may be compressed and are therefore unpacked within a limit.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from google.protobuf.message import DecodeError
from livekit.protocol.models import ClientInfo
from livekit.protocol.rtc import JoinRequest, WrappedJoinRequest

MOST_UNPACKED = 1024 * 1024
"""Bytes that a join request may be; LiveKit takes no more either (``http.DefaultMaxHeaderBytes``)."""

_OWN_PARAMETERS = frozenset({"access_token", "publish", "attributes"})
"""Taken out on the way: the pass is nobody else's business, and the other two would change who joins
(``publish`` adds to the identity, ``attributes`` to what the SFU shows of somebody)."""

_GZIP = 16 + zlib.MAX_WBITS
_YES = ("1", "true")


class BadJoinRequest(Exception):
    """A connection's parameters that cannot be read, or become too large when unpacked."""


@dataclass(frozen=True, slots=True)
class JoinAttempt:
    """What a client wants.

    Attributes:
        query: The query string to pass on; says nothing of who they are.
        resume: They go on with a session whose signalling broke, rather than begin one.
        livekit_client: They use LiveKit's SDK for browsers, of that name, as Element Call does.
    """

    query: str
    resume: bool
    livekit_client: bool = False


def read(parameters: Iterable[tuple[str, str]], *, needs_join_request: bool) -> JoinAttempt:
    """Read the query parameters of a connection.

    Args:
        parameters: In their order, unquoted.
        needs_join_request: The path is one of ``/rtc/v1``.

    Raises:
        BadJoinRequest: see there.
    """
    kept = [(name, value) for name, value in parameters if name not in _OWN_PARAMETERS]
    wrapped = next((value for name, value in kept if name == "join_request" and value), None)
    if wrapped is not None:
        wish = _unwrap(wrapped)
        resume = wish.reconnect
        livekit_client = wish.client_info.sdk == ClientInfo.SDK.JS
        if wish.metadata or wish.participant_attributes:
            wish.ClearField("metadata")
            wish.ClearField("participant_attributes")
            kept = [(name, _wrap(wish) if name == "join_request" else value) for name, value in kept]
    elif needs_join_request:
        raise BadJoinRequest("join_request is required")
    else:
        resume = any(name == "reconnect" and value in _YES for name, value in kept)
        livekit_client = ("sdk", "js") in kept
    return JoinAttempt(urlencode(kept), resume, livekit_client)


def _unwrap(text: str) -> JoinRequest:
    try:
        wrapped = WrappedJoinRequest.FromString(base64.urlsafe_b64decode(text))
        packed = wrapped.join_request
        if wrapped.compression == WrappedJoinRequest.Compression.GZIP:
            packed = _unpack(packed)
        elif wrapped.compression != WrappedJoinRequest.Compression.NONE:
            raise BadJoinRequest("the compression of join_request is not known")
        return JoinRequest.FromString(packed)
    except (binascii.Error, ValueError, DecodeError, zlib.error) as error:
        raise BadJoinRequest("join_request cannot be read") from error


def _wrap(wish: JoinRequest) -> str:
    wrapped = WrappedJoinRequest(join_request=wish.SerializeToString())
    return base64.urlsafe_b64encode(wrapped.SerializeToString()).decode()


def _unpack(packed: bytes) -> bytes:
    unpacking = zlib.decompressobj(_GZIP)
    unpacked = unpacking.decompress(packed, MOST_UNPACKED)
    if not unpacking.eof:
        raise BadJoinRequest("join_request is too large, or cut off")
    return unpacked
