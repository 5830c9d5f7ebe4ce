"""HTTP to servers that somebody else named: guarded, bounded, and over connections that are kept.

Three ways out, by who named the host (``Reach``). Redirects are never followed here, cookies never kept,
bodies never unpacked.
"""

from __future__ import annotations

import enum
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import aiohttp
from cachetools import TTLCache
from yarl import URL

from appservice.federation import errors
from appservice.federation.guard import AddressGuard
from appservice.federation.limits import Limits
from appservice.federation.names import is_dns_name
from appservice.federation.resolver import GuardedResolver, LookUp, SystemNames
from appservice.federation.settings import Settings

_KEEP_ALIVE_S = 90  # Longer than people take between two calls of a morning, shorter than most servers wait.
_KEEP_NAMES_S = 30
_MOST_NAMES = 1000


class Reach(enum.Enum):
    """Who named the host, and so how it may be reached."""

    STRANGER = "stranger"  # The asker: guard, and the proxy if there is one.
    WRITTEN = "written"  # The admin: no guard; the proxy, except for loopback.
    OWN = "own"  # The own homeserver: neither.


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Sends GET requests. Make it inside a running event loop, and close it."""

    def __init__(self, settings: Settings, limits: Limits, look_up: LookUp | None = None) -> None:
        """Read the certificate authorities; nothing is sent yet.

        Args:
            settings: What the admin decided.
            limits: Connections, and how long connecting may take.
            look_up: Names to addresses; the machine's own way if not given.

        Raises:
            OSError: a file with authorities cannot be read, or holds none (``ssl.SSLError``).
            ValueError: one of the networks is none.
        """
        self._guard = AddressGuard(settings.networks)
        self._proxy = URL(settings.proxy) if settings.proxy else None
        self._look_up = look_up or SystemNames()
        self._passed: TTLCache[str, bool] = TTLCache(_MOST_NAMES, _KEEP_NAMES_S)
        self._tls = tls_context(settings.ca_file, verify=settings.verify_tls)
        # The way to the own homeserver is verified always, and by its own authority, as in the client API.
        self._own_tls = tls_context(settings.own.ca_file, verify=True) if settings.own else self._tls
        self._guarded = _session(GuardedResolver(self._look_up, self._guard), limits)
        # Also for what goes through the proxy: its own address is the only one that is resolved then. Looks
        # names up apart from the strangers', who may choose names that take long.
        self._unguarded = _session(GuardedResolver(look_up or SystemNames(), None), limits)

    async def close(self) -> None:
        """Close every connection."""
        await self._guarded.close()
        await self._unguarded.close()

    async def get(
        self,
        url: URL,
        reach: Reach,
        *,
        most_bytes: int,
        host_header: str | None = None,
        tls_name: str | None = None,
    ) -> Answer:
        """Send one request. Time is the caller's to bound.

        Args:
            url: Where; its host is resolved and checked when the connection is made.
            reach: Who named the host.
            most_bytes: The longest body to take.
            host_header: What the ``Host`` header says; the URL's host and port if not given.
            tls_name: Whom the certificate must name; the URL's host if not given.

        Raises:
            LookupFailed: one of its kinds; see there.
        """
        host = url.raw_host or ""
        proxy = self._proxy
        if reach is Reach.OWN or (reach is Reach.WRITTEN and _is_loopback(host)):
            proxy = None
        with _translated(f"{host}:{url.port}"):
            if reach is Reach.STRANGER:
                await self._check(host, through_proxy=proxy is not None)
            guarded = reach is Reach.STRANGER and proxy is None
            session = self._guarded if guarded else self._unguarded
            async with session.get(
                url,
                headers={"Host": host_header} if host_header else None,
                server_hostname=tls_name,
                ssl=self._own_tls if reach is Reach.OWN else self._tls,
                proxy=proxy,
                allow_redirects=False,
            ) as response:
                body = await _read(response, most_bytes)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, headers, body)

    async def _check(self, host: str, *, through_proxy: bool) -> None:
        """Check what the connector does not: literal addresses, and names that the proxy will resolve.

        Raises:
            AddressRefused: it may not be reached.
            NonsenseAnswer: it is neither.
        """
        if _literal(host):
            if not self._guard.allows(host):
                raise errors.AddressRefused(f"{host} was asked for")
        elif not is_dns_name(host):
            # Such as 0x7f000001, which one resolver takes for a name and the next for an address.
            raise errors.NonsenseAnswer("neither a host name nor an address")
        elif through_proxy and host not in self._passed:
            try:
                found = await self._look_up(host)
            except OSError:
                found = ()  # Behind a proxy the machine often has no DNS for the outside.
            if not all(self._guard.allows(address) for address in found):
                raise errors.AddressRefused(f"{host} is at {', '.join(found[:3])}")
            self._passed[host] = True


def tls_context(*ca_files: Path | None, verify: bool) -> ssl.SSLContext:
    """What certificates must look like: public authorities, and those in the files.

    Raises:
        OSError: a file cannot be read, or holds no certificate.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for file in ca_files:
        if file is not None:
            context.load_verify_locations(cafile=str(file))
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _session(resolver: GuardedResolver, limits: Limits) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            resolver=resolver,
            ttl_dns_cache=_KEEP_NAMES_S,  # What is kept has passed the guard.
            limit=limits.strangers + limits.per_server,
            limit_per_host=limits.per_server,
            keepalive_timeout=_KEEP_ALIVE_S,
        ),
        # The whole is bounded by the caller; this is one attempt of several.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=limits.connect_ms / 1000),
        headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "Passerelle"},
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,  # A small body may unpack to a huge one.
    )


async def _read(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    if (response.content_length or 0) > most_bytes:
        response.close()
        raise errors.NonsenseAnswer(f"an answer of {response.content_length} bytes")
    parts: list[bytes] = []
    size = 0
    while part := await response.content.readany():
        size += len(part)
        if size > most_bytes:
            response.close()
            raise errors.NonsenseAnswer(f"an answer of more than {most_bytes} bytes")
        parts.append(part)
    return b"".join(parts)


def _literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    if _literal(host):
        return ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")


@contextmanager
def _translated(where: str) -> Iterator[None]:
    """Turn what the HTTP client raises into a cause; unchained, as its messages may hold URL and token."""
    try:
        yield
    except errors.LookupFailed:
        raise
    except (aiohttp.ClientHttpProxyError, aiohttp.ClientProxyConnectionError) as error:
        status = getattr(error, "status", "no connection")
        raise errors.ProxyFailed(f"on the way to {where}: {status}") from None
    except aiohttp.ClientConnectorCertificateError as error:
        raise errors.CertificateRefused(f"{where}: {_verdict(error.certificate_error)}") from None
    except aiohttp.ClientConnectorDNSError:
        raise errors.NameUnknown(where) from None
    except aiohttp.ClientSSLError:
        raise errors.TlsFailed(where) from None
    except TimeoutError:
        raise errors.ServerTooSlow(where) from None
    except (aiohttp.ClientResponseError, aiohttp.InvalidURL) as error:
        raise errors.NonsenseAnswer(f"{where}: {type(error).__name__}") from None
    except (aiohttp.ClientError, OSError) as error:
        raise errors.ServerUnreachable(f"{where}: {type(error).__name__}") from None


def _verdict(error: Exception) -> str:
    return error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else type(error).__name__
