"""Durations and sizes, as admins write them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, PlainValidator

from config.problems import Wrong

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")


def parse_duration(value: object) -> timedelta:
    """Read ``30s``, ``500ms``, ``5m``, ``2h``, ``1d``, ``1h30m``, or a bare number of seconds.

    Raises:
        Wrong: it is none of these, or not positive.
    """
    if isinstance(value, timedelta):
        duration = value
    elif isinstance(value, int | float | str) and not isinstance(value, bool):
        text = str(value).strip().lower()
        parts = _DURATION.findall(text)
        unit_left_out = any(not unit for _, unit in parts) and len(parts) > 1
        if not parts or unit_left_out or _DURATION.sub("", text).strip():
            raise Wrong(f"“{value}” is not a duration", "a number and a unit, such as 30s, 5m, 2h or 1d")
        try:
            duration = timedelta(
                milliseconds=sum(float(number) * _UNITS_MS[unit or "s"] for number, unit in parts)
            )
        except OverflowError:
            raise Wrong(f"“{value}” is too long", "a duration such as 30s, 5m, 2h or 1d") from None
    else:
        raise Wrong("is not a duration", "a number and a unit, such as 30s, 5m, 2h or 1d")
    if duration <= timedelta():
        raise Wrong(f"“{value}” is not longer than nothing", "a duration such as 30s, 5m, 2h or 1d")
    return duration


def format_duration(duration: timedelta) -> str:
    """Write a duration in its largest whole unit: ``5m`` rather than ``300s``."""
    milliseconds = round(duration / timedelta(milliseconds=1))
    for unit, length in reversed(_UNITS_MS.items()):
        if milliseconds % length == 0:
            return f"{milliseconds // length}{unit}"
    return f"{milliseconds}ms"


Duration = Annotated[timedelta, PlainValidator(parse_duration), PlainSerializer(format_duration)]


_SIZES = {"": 1, "B": 1, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_SIZE = re.compile(r"(\d+)\s*([A-Za-z]*)")


def parse_size(value: object) -> int:
    """Read ``64MiB``, ``500kB`` or a bare number of bytes.

    Raises:
        Wrong: it is none of these.
    """
    found = None if isinstance(value, bool) else _SIZE.fullmatch(str(value).strip())
    if found is None or found[2].upper() not in _SIZES:
        raise Wrong(f"“{value}” is not a size", "a number and a unit, such as 64MiB")
    return int(found[1]) * _SIZES[found[2].upper()]


def format_size(size: int) -> str:
    """Write a number of bytes in its largest whole binary unit."""
    for unit, length in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size and size % length == 0:
            return f"{size // length}{unit}"
    return str(size)


Size = Annotated[int, BeforeValidator(parse_size), PlainSerializer(format_size)]
