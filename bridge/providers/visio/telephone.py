"""The number to call for meetings that somebody else made: Visio's public ``/api/v1.0/config/``.

A followed link's anonymous answer holds the PIN where anybody may enter, but the number stands elsewhere,
once for all meetings (``build_telephony_config`` in ``core/utils.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bridge.calls.model import DialIn
from bridge.providers.visio import answers
from bridge.providers.visio.errors import VisioFailure
from bridge.providers.visio.http import Request, VisioHttp
from bridge.providers.visio.sharing import Sharing

_KEPT_MS = 10 * 60_000
_AGAIN_MS = 20_000
"""After a question without an answer; what was known before holds until then."""


class Telephone:
    """Knows the number; asked now and then, and only for meetings that have a PIN.

    Args:
        http: Requests to Visio.
        clock: A monotonic clock, in milliseconds.
    """

    def __init__(self, http: VisioHttp, clock: Callable[[], int]) -> None:
        self._http = http
        self._clock = clock
        self._asking: Sharing[None] = Sharing()
        self._number: str | None = None
        self._good_until: int | None = None

    async def dial_in(self, room: Mapping[str, object]) -> DialIn | None:
        """How to join by telephone a room of the anonymous address; None if one cannot, or cannot tell."""
        pin = room.get("pin_code")
        if not isinstance(pin, str) or not pin:
            return None
        if self._good_until is None or self._clock() >= self._good_until:
            await self._asking.ask("", self._renew)
        return answers.telephone(self._number, pin)

    async def close(self) -> None:
        """Stop asking."""
        await self._asking.close()

    async def _renew(self) -> None:
        try:
            self._number = await self._ask()
        except VisioFailure:
            # A card without a telephone number is better than none.
            self._good_until = self._clock() + _AGAIN_MS
        else:
            self._good_until = self._clock() + _KEPT_MS

    async def _ask(self) -> str | None:
        answer = await self._http.ask(Request("GET", "/api/v1.0/config/"))
        if answer.status >= 400:
            raise answers.refused_room(answer)
        telephony = answer.document().get("telephony")
        if not isinstance(telephony, dict) or telephony.get("enabled") is not True:
            return None
        number = telephony.get("international_phone_number")
        return number if isinstance(number, str) else None
