"""Which links lead to meetings of the configured Visio. Pure: nothing is requested.

A link is compared letter by letter with the addresses that the administrator named, and never parsed as a
URL: two parsers that disagree on where the host ends are how look-alikes get through. Browsers write hosts in
lower case and leave out the usual port, so a copied link always fits; one that is written otherwise is not
followed, even where it means the same host. Only the slug of a link is ever sent anywhere, and only to
``visio.url``.

Visio's page takes slugs of 3, 4 and 3 letters or digits, in any case, with or without hyphens
(``isRoomValid.ts`` in Meet's frontend), and shows them in lower case with hyphens.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

MAX_LINKS = 3
"""Most links that one message can make the bridge follow."""

_LINES = 20
_LETTERS = 4_000
_LONGEST_LINK = 500
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_SLUG = re.compile(r"([A-Za-z0-9]{3})-?([A-Za-z0-9]{4})-?([A-Za-z0-9]{3})")
# A query, as browsers show it after a visit, is dropped. A fragment is not read: it never leaves the
# browser that has it, so it may hold what is not ours to repeat.
_TAIL = re.compile(r"/?(\?[!-\"$-~]*)?#?")
# A link may begin a word, or follow what people and markdown put before one; inside another link it is
# that link's business.
_CANDIDATE = re.compile(r"(?<![^\s(\[{<\"'«“‘*_|:])https?://[^\s<>\"«»“”`|,;)\]}]+", re.IGNORECASE)
_PUNCTUATION = ".!?:'’*_~…"
_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1)(:\d+)?")


def normal_slug(text: str) -> str | None:
    """A meeting's slug as Visio writes it (``abc-defg-hij``), or None if it is none."""
    found = _SLUG.fullmatch(text)
    return "-".join(found.groups()).lower() if found else None


class VisioLinks:
    """Fills `bridge.calls.ports.Links` for one Visio.

    Args:
        url: Its address (``visio.url``).
        hosts: Further hosts whose links count (``visio.hosts``), with a port if it is not the usual one.
    """

    def __init__(self, url: str, hosts: Iterable[str] = ()) -> None:
        hosts = tuple(hosts)
        bases = [url, *(f"https://{host}" for host in hosts)]
        # On this machine there is no TLS; nowhere else is a link without it Visio's.
        bases += [f"http://{host}" for host in hosts if _LOOPBACK.fullmatch(host)]
        self._bases = tuple(dict.fromkeys(map(_as_browsers_write_it, bases)))

    def read(self, text: str) -> str | None:
        """The link in its normal form, if the text is exactly one link to a configured host."""
        parts = self._parts(text.strip())
        return "/".join(parts) if parts else None

    def slug(self, link: str) -> str | None:
        """The slug of a link to a configured host, in its normal form."""
        parts = self._parts(link)
        return parts[1] if parts else None

    def find(self, text: str) -> tuple[str, ...]:
        """Links in the first lines of a message, each once and in its normal form.

        Lines that quote somebody (``>``) are left out, and of many links the first few are taken.
        """
        found = dict.fromkeys(link for word in _words(text) if (link := self.read(word)))
        return tuple(found)[:MAX_LINKS]

    def _parts(self, link: str) -> tuple[str, str] | None:
        if len(link) > _LONGEST_LINK or not link.isascii():
            return None
        if scheme := _SCHEME.match(link):
            # Telephones begin a sentence with a capital letter, links too.
            link = scheme[0].lower() + link[scheme.end() :]
        for base in self._bases:
            if not link.startswith(f"{base}/"):
                continue
            found = _SLUG.match(link, len(base) + 1)
            if found and _TAIL.fullmatch(link, found.end()):
                return base, "-".join(found.groups()).lower()
        return None


def _as_browsers_write_it(url: str) -> str:
    """An administrator's address with scheme and host in lower case, without the usual port."""
    scheme, _, rest = url.rstrip("/").partition("://")
    host, slash, path = rest.partition("/")
    port = {"http": ":80", "https": ":443"}.get(scheme.lower(), "")
    return f"{scheme.lower()}://{host.lower().removesuffix(port)}{slash}{path}"


def _words(text: str) -> Iterator[str]:
    for line in text[:_LETTERS].splitlines()[:_LINES]:
        if not line.lstrip().startswith(">"):
            for found in _CANDIDATE.finditer(line):
                yield found[0].rstrip(_PUNCTUATION)
