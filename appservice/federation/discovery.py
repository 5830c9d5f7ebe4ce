"""From a server name to where that server is (Matrix server-server API §2.1, "Resolving server names").

Each step names its number there. Addresses themselves are looked up, and checked, when a connection is made.
Many look-ups at one server share one discovery, and its outcome is kept as long as its sources allow.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from cachetools import LRUCache
from yarl import URL

from appservice.clock import Clock, wall_clock
from appservice.federation.errors import ServerUnreachable
from appservice.federation.names import ServerName
from appservice.federation.settings import Settings
from appservice.federation.srv import LookUpSrv, SrvAnswer
from appservice.federation.transport import Reach
from appservice.federation.well_known import Delegation, ReadWellKnown

_DEFAULT_PORT = 8448
_MOST_KEPT = 1024
_KEEP_AT_LEAST_MS = 60 * 1000  # SRV records may ask not to be kept at all
_DOUBT_AFTER_MS = 60 * 1000
_KEEP_LONGEST_MS = 48 * 60 * 60 * 1000
_KEEP_FAILURE_LONGEST_MS = 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Route:
    """Where a server is, and how to speak to it.

    Attributes:
        bases: URLs to put paths behind, in the order in which to try them; their hosts are not resolved yet.
        reach: Who named these hosts.
        host_header: What the ``Host`` header says; None for the URL's own host.
        tls_name: Whom the certificate must name; None for the URL's own host.
        how: How it was found, for error messages.
    """

    bases: tuple[str, ...]
    reach: Reach
    host_header: str | None
    tls_name: str | None
    how: str


@dataclass(frozen=True, slots=True)
class _Found:
    route: Route
    keep_ms: int
    settled: bool = True


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is remembered of a server.

    Attributes:
        route: Where it is.
        since_ms: When it was last discovered.
        until_ms: When it is discovered again.
        said_ms: When its own sources last said so; 0 if they never answered.
        failures: How often in a row they have not answered.
    """

    route: Route
    since_ms: int
    until_ms: int
    said_ms: int
    failures: int


@dataclass(slots=True)
class _UnderWay:
    task: asyncio.Task[Route]
    askers: int = 0


class Discovery:
    """Finds servers, and remembers where they were."""

    def __init__(
        self,
        settings: Settings,
        well_known: ReadWellKnown,
        srv: LookUpSrv,
        *,
        clock: Clock = wall_clock,
    ) -> None:
        self._settings = settings
        self._well_known = well_known
        self._srv = srv
        self._clock = clock
        self._kept: LRUCache[str, _Kept] = LRUCache(_MOST_KEPT)
        self._under_way: dict[str, _UnderWay] = {}

    def written(self, server_name: str) -> Route | None:
        """Where the admin's settings say that a server is; None if they do not."""
        own = self._settings.own
        if url := self._settings.servers.get(server_name):
            return Route((url.rstrip("/"),), Reach.WRITTEN, None, None, "federation.servers")
        if own is not None and own.name == server_name:
            return Route((own.url.rstrip("/"),), Reach.OWN, None, None, "homeserver.url")
        return None

    async def find(self, name: ServerName) -> Route:
        """Where a server is, by what the server itself publishes.

        Raises:
            ServerUnreachable: the domain says that it offers no federation.
        """
        if name.address is not None or name.port is not None:
            return (await self._locate(name, "")).route  # No network: nothing to keep.
        kept = self._kept.get(name.text)
        if kept is not None and self._clock() < kept.until_ms:
            return kept.route
        return await self._learn_together(name)

    def answered(self, name: ServerName, base: str) -> None:
        """Take note which of several servers answered: it is tried first from now on."""
        kept = self._kept.get(name.text)
        if kept is not None and kept.route.bases[0] != base and base in kept.route.bases:
            others = tuple(each for each in kept.route.bases if each != base)
            self._kept[name.text] = replace(kept, route=replace(kept.route, bases=(base, *others)))

    def doubt(self, name: ServerName) -> None:
        """Take note that a server was not where it should be: what is not quite new is looked up again."""
        kept = self._kept.get(name.text)
        if kept is not None and self._clock() - kept.since_ms > _DOUBT_AFTER_MS:
            self._kept[name.text] = replace(kept, until_ms=0)

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = [each.task for each in self._under_way.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _learn_together(self, name: ServerName) -> Route:
        """Share one discovery with whoever asks for the same server meanwhile."""
        under_way = self._under_way.get(name.text)
        if under_way is None:
            task = asyncio.create_task(self._learn(name), name="federation-discovery")
            under_way = self._under_way[name.text] = _UnderWay(task)
        under_way.askers += 1
        try:
            # One asker that goes away does not take the answer from the others.
            return await asyncio.shield(under_way.task)
        finally:
            under_way.askers -= 1
            if not under_way.askers:
                # Taken off first: whoever asks next must not join what is being cancelled.
                del self._under_way[name.text]
                under_way.task.cancel()

    async def _learn(self, name: ServerName) -> Route:
        """Discover and remember."""
        delegation = await self._well_known(name.host)
        found = await self._locate_by(name, delegation)
        kept = _remember(found, self._kept.get(name.text), self._clock())
        self._kept[name.text] = kept
        return kept.route

    async def _locate_by(self, name: ServerName, delegation: Delegation) -> _Found:
        """Steps 3.1 to 3.5 for a delegation, 4 to 6 without one: the same for another name."""
        how = f".well-known: {delegation.how}"
        found = await self._locate(delegation.server or name, how)
        settled = found.settled and delegation.settled
        return replace(found, keep_ms=min(found.keep_ms, delegation.keep_ms), settled=settled)

    async def _locate(self, name: ServerName, how: str) -> _Found:
        """Where a name is that is not delegated further.

        Raises:
            ServerUnreachable: the domain says that it offers no federation.
        """
        if name.address is not None:
            # Steps 1 and 3.1: an address, with the port that stands there or 8448.
            return _at(name, name.port or _DEFAULT_PORT, how)
        if name.port is not None:
            # Steps 2 and 3.2: a name with a port; no SRV record is asked for.
            return _at(name, name.port, how)
        # Steps 3.3 and 4, and as it was called before v1.8 of the specification 3.4 and 5. Asked for at once.
        new, old = await asyncio.gather(
            self._srv(f"_matrix-fed._tcp.{name.host}"), self._srv(f"_matrix._tcp.{name.host}")
        )
        chosen = new if new.records or new.denied else old
        if chosen.denied:
            raise ServerUnreachable(f"{name.host} says by its SRV record that it offers no federation")
        if chosen.records:
            return _at_srv(name, chosen, how)
        # Steps 3.5 and 6: the name itself, at the port of Matrix.
        keep_ms = min(new.keep_ms, old.keep_ms)
        return replace(_at(name, _DEFAULT_PORT, how), keep_ms=keep_ms, settled=new.settled and old.settled)


def _remember(found: _Found, before: _Kept | None, now_ms: int) -> _Kept:
    """What to remember after a discovery.

    A web site or name server that says where a homeserver is may be down while the homeserver is not: an
    outage does not undo what it said within the last two days, and is looked at again ever more rarely.
    """
    if found.settled:
        keep_ms = max(found.keep_ms, _KEEP_AT_LEAST_MS)
        return _Kept(found.route, now_ms, now_ms + keep_ms, said_ms=now_ms, failures=0)
    failures = before.failures if before is not None else 0
    keep_ms = min(max(found.keep_ms, _KEEP_AT_LEAST_MS) * 2 ** min(failures, 10), _KEEP_FAILURE_LONGEST_MS)
    stands = before is not None and now_ms - before.said_ms < _KEEP_LONGEST_MS
    return _Kept(
        before.route if before is not None and stands else found.route,
        now_ms,
        now_ms + keep_ms,
        said_ms=before.said_ms if before is not None and stands else 0,
        failures=failures + 1,
    )


def _at(name: ServerName, port: int, how: str) -> _Found:
    # The Host header repeats the name as it was written, with a port only if one was.
    route = Route((_base(name.host, port),), Reach.STRANGER, name.text, name.host, how)
    return _Found(route, _KEEP_LONGEST_MS)


def _at_srv(name: ServerName, answer: SrvAnswer, how: str) -> _Found:
    # The record says where to connect; the Host header and the certificate stay those of the name (3.3, 4).
    bases = tuple(dict.fromkeys(_base(record.host, record.port) for record in answer.records))
    route = Route(bases, Reach.STRANGER, name.text, name.host, f"{how}; SRV record".lstrip("; "))
    return _Found(route, answer.keep_ms)


def _base(host: str, port: int) -> str:
    return str(URL.build(scheme="https", host=host, port=port))
