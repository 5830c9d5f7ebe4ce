"""The registration: the file by which a homeserver and an application service know each other.

Format: Matrix application service API, "Registration". The file holds two secrets, so it is written for its
owner's eyes only, and in one piece.
"""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

_HEAD = """\
# How the homeserver and the application service “{id}” know each other. Holds two secrets.
# Written by the application service; the homeserver must read it too, and be restarted when it changes.
"""


class RegistrationError(Exception):
    """A registration cannot be read, or not be written.

    Attributes:
        advice: What the admin can do about it.
    """

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


@dataclass(frozen=True, slots=True)
class Registration:
    """Who an application service is to its homeserver.

    Attributes:
        id: Name of the registration, unique on the homeserver.
        url: Where the homeserver sends transactions.
        as_token: What the application service shows to the homeserver.
        hs_token: What the homeserver shows to the application service.
        bot: Local part of the user that the application service itself is.
        ghost_prefix: What the local part of every ghost begins with.
        server_name: The homeserver's name.
    """

    id: str
    url: str
    as_token: str = field(repr=False)
    hs_token: str = field(repr=False)
    bot: str
    ghost_prefix: str
    server_name: str

    @property
    def bot_id(self) -> str:
        """The bot's user id."""
        return f"@{self.bot}:{self.server_name}"

    @property
    def ghost_regex(self) -> str:
        """The ghosts' user ids. Homeservers match from the beginning only, hence the ``$``."""
        return f"@{re.escape(self.ghost_prefix)}.*:{re.escape(self.server_name)}$"

    def is_ours(self, user_id: str) -> bool:
        """Whether a user id is the bot's or may be a ghost's."""
        return user_id == self.bot_id or re.match(self.ghost_regex, user_id) is not None


def generate(
    *,
    id: str,
    url: str,
    bot: str,
    ghost_prefix: str,
    server_name: str,
) -> Registration:
    """A registration with two new tokens."""
    return Registration(
        id=id,
        url=url,
        as_token=_token(),
        hs_token=_token(),
        bot=bot,
        ghost_prefix=ghost_prefix,
        server_name=server_name,
    )


def _token() -> str:
    return secrets.token_hex(32)


def to_yaml(registration: Registration) -> str:
    """The registration as a homeserver reads it.

    - The bot is outside the ghosts' namespace: it is the ``sender_localpart``, which is ours without one.
    - ``rate_limited: false`` because many people's names reach many rooms through one sender.
    - ``receive_ephemeral: false``: typing, receipts and presence are nobody's business here.
    - MSC4190 lets the bot have a device of its own without logging in.
    """
    content = {
        "id": registration.id,
        "url": registration.url,
        "as_token": registration.as_token,
        "hs_token": registration.hs_token,
        "sender_localpart": registration.bot,
        "rate_limited": False,
        "namespaces": {
            "users": [{"exclusive": True, "regex": registration.ghost_regex}],
            "aliases": [],
            "rooms": [],
        },
        "receive_ephemeral": False,
        "io.element.msc4190": True,
    }
    return _HEAD.format(id=registration.id) + yaml.safe_dump(content, sort_keys=False, width=1000)


def from_yaml(text: str) -> Registration:
    """Read what `to_yaml` wrote.

    Raises:
        RegistrationError: it is not YAML, something is missing, or the namespace is not one of ours.
    """
    advice = "Have it written again: passerelle register -o with another file name."
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RegistrationError("the file is not a registration (it is not YAML)", advice) from error
    if not isinstance(content, dict):
        raise RegistrationError("the file is not a registration", advice)
    missing = [
        key
        for key in ("id", "url", "as_token", "hs_token", "sender_localpart")
        if not isinstance(content.get(key), str) or not content[key]
    ]
    if missing:
        raise RegistrationError(f"the registration lacks {', '.join(missing)}", advice)
    prefix, server_name = _namespace(content)
    return Registration(
        id=content["id"],
        url=content["url"],
        as_token=content["as_token"],
        hs_token=content["hs_token"],
        bot=content["sender_localpart"],
        ghost_prefix=prefix,
        server_name=server_name,
    )


def _namespace(content: dict[str, object]) -> tuple[str, str]:
    """Prefix and server name, out of the ghosts' regex."""
    try:
        regex = content["namespaces"]["users"][0]["regex"]  # type: ignore[index]
        found = re.fullmatch(r"@(.+)\.\*:(.+?)\$?", regex)
    except (KeyError, IndexError, TypeError):
        found = None
    if found is None:
        raise RegistrationError(
            "the registration has no namespace of ghosts",
            "Have it written again: passerelle register keeps the tokens only of files that it wrote.",
        )
    return _unescaped(found[1]), _unescaped(found[2])


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def read(path: Path) -> Registration:
    """Read a registration file.

    Raises:
        RegistrationError: it cannot be read or is not one of ours.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RegistrationError(
            f"there is no registration at {path}", f"Write it: passerelle register -o {path}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise RegistrationError(
            f"the registration {path} cannot be read: {reason}",
            "Let the user that runs the bridge read it (mode 0600, its own file).",
        ) from None
    return from_yaml(text)


def write(path: Path, registration: Registration) -> None:
    """Write a registration file, mode 0600, whole or not at all.

    Raises:
        RegistrationError: the folder is missing or may not be written to.
    """
    try:
        # mkstemp makes the file with mode 0600, so that the tokens are never readable by others.
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise RegistrationError(
            f"{path} cannot be written: {error.strerror}", "Choose a folder that you may write to."
        ) from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(to_yaml(registration))
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def renewed(wanted: Registration, existing: Registration | None, *, rotate: bool) -> Registration:
    """The registration to write: as wanted now, with the tokens that the homeserver already knows.

    Args:
        wanted: With new tokens.
        existing: What the file holds so far.
        rotate: Take the new tokens all the same.

    Raises:
        RegistrationError: the file is another application service's.
    """
    if existing is None:
        return wanted
    if existing.id != wanted.id:
        raise RegistrationError(
            f"the file is the registration of “{existing.id}”, not of “{wanted.id}”",
            "Choose another file, or remove this one.",
        )
    if rotate:
        return wanted
    return replace(wanted, as_token=existing.as_token, hs_token=existing.hs_token)


def differences(wanted: Registration, existing: Registration) -> tuple[str, ...]:
    """In which attributes a registration is not as wanted.

    The URL does not count (only the homeserver uses it, and it may have been changed there by hand), nor do
    the tokens.
    """
    names = ("id", "bot", "ghost_prefix", "server_name")
    return tuple(name for name in names if getattr(wanted, name) != getattr(existing, name))
