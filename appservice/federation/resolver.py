"""Names to addresses, with the guard between the answer and the connection.

The connector asks here for the addresses that it then connects to, so what was checked is what is reached: a
name whose second look-up would lead elsewhere (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence

from aiohttp.abc import AbstractResolver, ResolveResult

from appservice.federation.errors import AddressRefused
from appservice.federation.guard import AddressGuard

LookUp = Callable[[str], Awaitable[Sequence[str]]]
"""Gives the addresses of a host name; raises ``OSError`` when there are none."""


class SystemNames:
    """The machine's own look-up (``getaddrinfo``: hosts file, DNS, whatever the machine is set up for).

    It cannot be interrupted and a name's owner decides how long it takes. So it has threads of its own: the
    loop's few would be blocked for everybody, and would be waited for at exit.
    """

    def __init__(self, at_once: int = 64, patience_s: float = 4.0) -> None:
        """At most so many look-ups go on at a time; one that has waited so long for its turn is given up."""
        self._slots = asyncio.Semaphore(at_once)
        self._patience_s = patience_s

    async def __call__(self, host: str) -> Sequence[str]:
        """See ``LookUp``; ``TimeoutError``, an ``OSError``, when its turn does not come."""
        async with asyncio.timeout(self._patience_s):
            await self._slots.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[str]] = loop.create_future()

        def finish(addresses: list[str], error: OSError | None) -> None:
            self._slots.release()
            if answer.done():
                return  # Nobody waits any more.
            if error is None:
                answer.set_result(addresses)
            else:
                answer.set_exception(error)

        def work() -> None:
            outcome = _addresses(host)
            try:
                loop.call_soon_threadsafe(finish, *outcome)
            except RuntimeError:
                return  # The loop has been closed meanwhile.

        try:
            threading.Thread(target=work, name="federation-dns", daemon=True).start()
        except RuntimeError as error:
            self._slots.release()
            raise OSError("no thread to be had") from error
        return await answer


def _addresses(host: str) -> tuple[list[str], OSError | None]:
    try:
        # As bytes: a str would go through Python's IDNA codec, which refuses names that DNS knows.
        found = socket.getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_STREAM)
    except OSError as error:
        return [], error
    except ValueError as error:
        return [], socket.gaierror(socket.EAI_NONAME, str(error))
    return list(dict.fromkeys(str(address[0]) for *_, address in found)), None


class GuardedResolver(AbstractResolver):
    """Gives a connector the addresses that it may connect to."""

    def __init__(self, look_up: LookUp, guard: AddressGuard | None) -> None:
        """Without a guard every address will do: for hosts that the admin wrote."""
        self._look_up = look_up
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """See ``AbstractResolver``.

        Raises:
            AddressRefused: the name has addresses, but none that may be reached.
        """
        found = await self._look_up(host)
        allowed = [each for each in found if self._guard is None or self._guard.allows(each)]
        if found and not allowed:
            raise AddressRefused(f"{host} is at {', '.join(found[:3])}")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in allowed
        ]

    async def close(self) -> None:
        """See ``AbstractResolver``; there is nothing to close."""
