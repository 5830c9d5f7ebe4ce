"""Just enough of protobuf's wire format to tell which kind of message a frame is, without decoding it.

See https://protobuf.dev/programming-guides/encoding/. Most frames are copied after this look, so it
walks the outermost fields only.
"""

from __future__ import annotations

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_VARINT_BYTES = 10
_MOST_FIELDS = 64
"""A message of the signalling protocol has one outermost field; a hostile one may have millions."""


class Malformed(ValueError):
    """A frame that is not a protobuf message, or has more outermost fields than any real one."""


def outer_fields(frame: bytes) -> frozenset[int]:
    """The numbers of the outermost fields of a message.

    Raises:
        Malformed: see there.
    """
    numbers: set[int] = set()
    position, end = 0, len(frame)
    for _ in range(_MOST_FIELDS):
        if position == end:
            return frozenset(numbers)
        tag, position = _varint(frame, position)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise Malformed("field number 0")
        numbers.add(number)
        position = _after(frame, position, kind)
        if position > end:
            raise Malformed("truncated")
    raise Malformed("too many fields")


def _after(frame: bytes, position: int, kind: int) -> int:
    """Where the next field begins."""
    if kind == _BYTES:
        length, position = _varint(frame, position)
        return position + length
    if kind == _VARINT:
        return _varint(frame, position)[1]
    if kind == _FIXED64:
        return position + 8
    if kind == _FIXED32:
        return position + 4
    raise Malformed(f"wire type {kind}")


def _varint(frame: bytes, position: int) -> tuple[int, int]:
    value = 0
    for count in range(_MOST_VARINT_BYTES):
        if position + count >= len(frame):
            raise Malformed("truncated")
        byte = frame[position + count]
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, position + count + 1
    raise Malformed("varint too long")
