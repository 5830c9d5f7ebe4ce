"""Whose meeting it is: from a Matrix user to the e-mail address that Visio knows. Pure.

Visio lets an application act for a person by e-mail address alone, so a wrong address is somebody else's
meeting. A user id proves no address either. The administrator therefore writes, for each homeserver that
gives out user ids by address, how the two hang together:

* ``*@example.org``: the local part is the name of the mailbox.
* ``*-example.org``: the local part is the address with ``-`` in place of ``@``, as on Tchap. Both halves may
  hold hyphens, so only listed domains are split off, and if two of them fit nobody is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bridge.providers.visio.errors import EmailUnclear

_LONGEST_ADDRESS = 254
# Mailboxes that need no quoting (RFC 5321 "Dot-string"), of the characters that user ids may hold. "=" and
# "/" are left out: in user ids they stand for something else.
_MAILBOX = re.compile(r"[a-z0-9_+-]+(\.[a-z0-9_+-]+)*")


@dataclass(frozen=True, slots=True)
class _Form:
    """One way to read the local parts of some homeservers."""

    servers: re.Pattern[str]
    ending: str
    domain: str

    def address(self, localpart: str, server: str) -> str | None:
        if self.servers.fullmatch(server) is None or not localpart.endswith(self.ending):
            return None
        mailbox = localpart.removesuffix(self.ending)
        address = f"{mailbox}@{self.domain}"
        return address if _MAILBOX.fullmatch(mailbox) and len(address) <= _LONGEST_ADDRESS else None


class Addresses:
    """The administrator's list of forms (``visio.emails``).

    Args:
        forms: For each pattern of homeservers (``*`` any characters, ``?`` one) the forms of its local parts.

    Raises:
        ValueError: something is not a form.
    """

    def __init__(self, forms: Mapping[str, Iterable[str]]) -> None:
        self._forms = tuple(_form(servers, form) for servers, some in forms.items() for form in some)

    def of(self, user_id: str) -> str:
        """The e-mail address of a Matrix user.

        Raises:
            EmailUnclear: no form fits, or two forms give different addresses.
        """
        local, colon, server = user_id.partition(":")
        if not local.startswith("@") or not colon:
            raise EmailUnclear("not a user id")
        found = {form.address(local[1:], server.lower()) for form in self._forms} - {None}
        if len(found) != 1:
            raise EmailUnclear("two forms fit" if found else "no form fits")
        (address,) = found
        assert address is not None
        return address


@dataclass(frozen=True, slots=True)
class Ownership:
    """In whose name meetings are made.

    Attributes:
        addresses: How to tell a person's address; None if all meetings belong to the service account.
        service: Address of the service account; None if meetings are only made for people whom Visio knows.
    """

    addresses: Addresses | None
    service: str | None

    def own(self, user_id: str) -> str:
        """The address that a meeting which this user asks for is made with.

        Raises:
            EmailUnclear: it is to be their own, and cannot be told.
        """
        if self.addresses is not None:
            return self.addresses.of(user_id)
        if self.service is None:
            raise EmailUnclear("no service account")
        return self.service


def _form(servers: str, form: str) -> _Form:
    found = re.fullmatch(r"\*([@-])([a-z0-9-]+(?:\.[a-z0-9-]+)*)", form.lower())
    if found is None:
        raise ValueError(f"“{form}” is neither “*@domain” nor “*-domain”")
    joint, domain = found.groups()
    return _Form(
        servers=re.compile("".join(map(_translated, servers.lower()))),
        ending=f"-{domain}" if joint == "-" else "",
        domain=domain,
    )


def _translated(character: str) -> str:
    return {"*": ".*", "?": "."}.get(character, re.escape(character))
