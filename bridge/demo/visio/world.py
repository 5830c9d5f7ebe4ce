"""What Visio knows: users, applications, meetings. Plain data in memory."""

from __future__ import annotations

import enum
import re
import secrets
import string
import unicodedata
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

SCOPES = ("rooms:create", "rooms:list", "rooms:retrieve", "rooms:update", "rooms:delete")

_PIN_DIGITS = 10


class Access(enum.StrEnum):
    """Who gets into a meeting without being let in."""

    PUBLIC = "public"
    TRUSTED = "trusted"
    RESTRICTED = "restricted"


class Role(enum.StrEnum):
    """What somebody is in a meeting."""

    OWNER = "owner"
    ADMINISTRATOR = "administrator"
    MEMBER = "member"


@dataclass(eq=False)
class User:
    """Somebody with an account.

    Attributes:
        id: Meet's own key; stands in the application's tokens.
        email: May be missing.
        sub: The subject that the log-in gave, and the SFU identity. None for a provisional user, whose
            identity is then the text ``None``.
        full_name: As the log-in gave it.
        is_active: Whether the account may do anything.
    """

    email: str | None
    sub: str | None
    full_name: str | None = None
    is_active: bool = True
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(eq=False)
class Application:
    """A program that may act for users.

    Attributes:
        client_id: Public half of its credentials.
        client_secret: The other half.
        scopes: What its tokens allow.
        domains: E-mail domains of the users it may act for; none means all.
        is_active: Whether it may do anything.
    """

    client_id: str = field(default_factory=lambda: _letters(40))
    client_secret: str = field(default_factory=lambda: _letters(128))
    scopes: tuple[str, ...] = SCOPES[:3]
    domains: tuple[str, ...] = ()
    is_active: bool = True

    def may_act_for(self, email: str) -> bool:
        """Whether the e-mail address is in one of its domains."""
        domain = email.rpartition("@")[2].lower()
        return not self.domains or domain in {each.lower() for each in self.domains}


@dataclass(eq=False)
class Room:
    """A registered meeting.

    Attributes:
        id: The UUID, which is the SFU room's name too.
        name: The name; the slug is made from it.
        access_level: Who gets in.
        configuration: What people may do.
        pin_code: To dial in; None where that is not possible.
        roles: By user id.
    """

    name: str
    access_level: Access
    configuration: dict[str, Any] | None = field(default_factory=dict)
    pin_code: str | None = None
    roles: dict[str, Role] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def slug(self) -> str:
        """What stands in the link."""
        return slugify(self.name)

    def role_of(self, user: User | None) -> Role | None:
        """What the user is here; None for others and for anonymous people."""
        return None if user is None else self.roles.get(user.id)


class World:
    """Everything that Visio knows."""

    def __init__(self) -> None:
        self.users: list[User] = []
        self.applications: list[Application] = []
        self.rooms: list[Room] = []

    def add_user(self, email: str, full_name: str | None = None, *, provisional: bool = False) -> User:
        """Somebody logs in for the first time; a provisional user has not done that yet."""
        user = User(email, None if provisional else str(uuid.uuid4()), full_name)
        self.users.append(user)
        return user

    def add_application(
        self, *, scopes: Iterable[str] = SCOPES[:3], domains: Iterable[str] = ()
    ) -> Application:
        """The admin registers a program."""
        application = Application(scopes=tuple(scopes), domains=tuple(domains))
        self.applications.append(application)
        return application

    def add_room(
        self,
        slug: str | None = None,
        *,
        owner: User | None = None,
        access_level: str = Access.PUBLIC,
        configuration: dict[str, Any] | None = None,
        telephony: bool = False,
    ) -> Room:
        """Somebody makes a meeting; without a slug it gets a random one."""
        room = Room(
            slug or new_slug(),
            Access(access_level),
            {} if configuration is None else configuration,
            pin_code="".join(secrets.choice(string.digits) for _ in range(_PIN_DIGITS))
            if telephony
            else None,
        )
        if owner is not None:
            room.roles[owner.id] = Role.OWNER
        self.rooms.append(room)
        return room

    def user_by_email(self, email: str) -> User | None:
        """The user of an e-mail address, whatever its case."""
        return next((u for u in self.users if u.email and u.email.lower() == email.lower()), None)

    def user(self, user_id: str) -> User | None:
        """The user with this id."""
        return next((user for user in self.users if user.id == user_id), None)

    def application(self, client_id: object) -> Application | None:
        """The application with this client id."""
        return next((each for each in self.applications if each.client_id == client_id), None)

    def room(self, key: str) -> Room | None:
        """The meeting with this UUID."""
        return next((room for room in self.rooms if room.id == key), None)

    def room_by_slug(self, slug: str) -> Room | None:
        """The meeting with this slug."""
        return next((room for room in self.rooms if room.slug == slug), None)


def new_slug() -> str:
    """Random letters as in ``abc-defg-hij``."""
    return "-".join("".join(secrets.choice(string.ascii_lowercase) for _ in range(n)) for n in (3, 4, 3))


def slugify(text: str) -> str:
    """A name as it stands in a link (Django's ``slugify``)."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain.lower())).strip("-_")


def _letters(count: int) -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(count))
