"""How the stand-in misbehaves when it is asked to."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class Harm(enum.StrEnum):
    """What happens to a request."""

    SLOW = "slow"
    """It is answered ``seconds`` later."""
    STATUS = "status"
    """It is not carried out; the answer is ``status`` with a page of a proxy."""
    CUT_BEFORE = "cut before"
    """The connection breaks and nothing was done."""
    CUT_AFTER = "cut after"
    """It is carried out, but the connection breaks before the answer."""
    BROKEN_JSON = "broken JSON"
    """It is carried out; the answer breaks off in the middle of its JSON."""
    WRONG_JSON = "wrong JSON"
    """It is carried out; the answer is ``body``, good JSON of another shape."""
    HTML = "HTML"
    """It is carried out; the answer is a web page, with the same status."""
    REDIRECT = "redirect"
    """It is not carried out; the answer sends the caller to ``to``."""
    ENDLESS = "endless"
    """It is carried out; the answer never stops."""


@dataclass(eq=False)
class Fault:
    """What goes wrong, and where.

    Attributes:
        harm: What goes wrong.
        method: Only with this method; any if empty.
        path: Only where the path has this in it; anywhere if empty.
        times: How often; None for as long as it stands.
        seconds: For ``SLOW``.
        status: For ``STATUS`` and ``REDIRECT``.
        to: For ``REDIRECT``.
        body: For ``WRONG_JSON``.
        hits: How often it has happened.
    """

    harm: Harm
    method: str = ""
    path: str = ""
    times: int | None = None
    seconds: float = 0
    status: int = 500
    to: str = ""
    body: bytes = b"[]"
    hits: int = 0

    def concerns(self, method: str, path: str) -> bool:
        """Whether a request is hit."""
        left = self.times is None or self.hits < self.times
        return left and self.method in ("", method) and self.path in path


class Faults:
    """The faults that are on; the first one that concerns a request hits it."""

    def __init__(self) -> None:
        self._on: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Turn a fault on; it says later how often it has hit."""
        self._on.append(fault)
        return fault

    def clear(self) -> None:
        """Turn all of them off."""
        self._on.clear()

    @contextmanager
    def during(self, fault: Fault) -> Iterator[Fault]:
        """A fault for the time of the block."""
        self.add(fault)
        try:
            yield fault
        finally:
            if fault in self._on:
                self._on.remove(fault)

    def hit(self, method: str, path: str) -> Fault | None:
        """The fault that a request runs into, if any; it has hit once more."""
        fault = next((each for each in self._on if each.concerns(method, path)), None)
        if fault is not None:
            fault.hits += 1
        return fault
