"""What Visio's own page asks (``/api/v1.0/``): a meeting by its link, the way through the lobby, settings.

Anonymous people may ask all of it; a log-in is a cookie. Meet's ``core/api``.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bridge.demo.visio.answers import Answer, Asked, Refused, data_of, dictionary, json, not_allowed, refused
from bridge.demo.visio.switches import Switches
from bridge.demo.visio.tokens import colour, sfu_pass
from bridge.demo.visio.world import Access, Role, Room, User, World, slugify

SESSION_COOKIE = "meet_sessionid"
LOBBY_COOKIE = "lobbyParticipantId"

_ROOM = re.compile(r"rooms/(?P<key>[^/]+)/")
_ENTRY = re.compile(r"rooms/(?P<key>[^/]+)/request-entry/")


@dataclass(frozen=True, slots=True)
class SfuAddress:
    """The SFU behind Visio.

    Attributes:
        url: As browsers reach it.
        api_url: As Visio reaches it.
        key: API key.
        secret: Its secret.
    """

    url: str
    api_url: str
    key: str
    secret: str = field(repr=False)


@dataclass
class Waiting:
    """Somebody in the lobby of a meeting.

    Attributes:
        id: In the lobby, and in the SFU once they are in.
        username: As typed.
        status: ``waiting``, ``accepted`` or ``denied``.
    """

    id: str
    username: str
    status: str = "waiting"


class PublicApi:
    """Answers requests below ``/api/v1.0/``.

    Attributes:
        sessions: Who is logged in, by the value of the session cookie.
        lobby: Who has asked to be let in, by meeting and id.
    """

    def __init__(self, world: World, switches: Switches, sfu: SfuAddress, clock: Callable[[], float]) -> None:
        """Nobody is logged in, nobody waits.

        Args:
            world: What Visio knows.
            switches: How it is set up.
            sfu: Where meetings are.
            clock: Visio's clock, in seconds since the epoch.
        """
        self.sessions: dict[str, User] = {}
        self.lobby: dict[tuple[str, str], Waiting] = {}
        self._world = world
        self._switches = switches
        self._sfu = sfu
        self._clock = clock

    def answer(self, asked: Asked, path: str) -> Answer | None:
        """The answer; None where there is no such address.

        Args:
            asked: The request.
            path: What stands after ``/api/v1.0/``.

        Raises:
            Refused: With the answer.
        """
        if path == "config/":
            return json(200, self._configuration())
        if found := _ROOM.fullmatch(path):
            if asked.method not in ("GET", "HEAD"):
                raise refused(401, "Authentication credentials were not provided.")
            return self._room(asked, found["key"])
        if found := _ENTRY.fullmatch(path):
            if asked.method != "POST":
                raise not_allowed(asked.method)
            return self._request_entry(asked, found["key"])
        return None

    def _room(self, asked: Asked, key: str) -> Answer:
        user = self._user(asked)
        name = asked.query.get("username")
        room = self._find(key)
        if room is None:
            if not self._switches.allow_unregistered_rooms:
                raise refused(404, "No Room matches the given query.")
            slug = slugify(key)
            unregistered = {
                "id": None,
                "slug": slug,
                "is_administrable": False,
                "access_level": Access.PUBLIC,
                "livekit": self._way_in(slug, user, name),
            }
            return json(200, unregistered)
        shown: dict[str, Any] = {
            "id": room.id,
            "name": room.name,
            "slug": room.slug,
            "configuration": room.configuration,
            "access_level": room.access_level,
        }
        role = room.role_of(user)
        if role in (Role.OWNER, Role.ADMINISTRATOR):
            shown["accesses"] = self._accesses(room)
        if _enters(room, user):
            shown["pin_code"] = room.pin_code
            shown["livekit"] = self._way_in(room.id, user, name, room=room)
        return json(200, shown)

    def _request_entry(self, asked: Asked, key: str) -> Answer:
        name = dictionary(data_of(asked)).get("username")
        if not isinstance(name, str) or not name:
            raise Refused(json(400, {"username": ["This field is required."]}))
        room = self._find(key)
        if room is None:
            raise refused(404, "No Room matches the given query.")
        user = self._user(asked)
        known = asked.cookies.get(LOBBY_COOKIE, str(uuid.uuid4()))
        if _enters(room, user):
            person = Waiting(known, name, "accepted")
        else:
            person = self.lobby.setdefault((room.id, known), Waiting(known, name))
        way_in = self._way_in(room.id, user, name, room=room, identity=person.id)
        body = {
            "status": person.status,
            "username": person.username,
            "id": person.id,
            "color": colour(person.id),
            "livekit": way_in if person.status == "accepted" else None,
        }
        answer = json(200, body)
        return Answer(answer.status, answer.body, cookies={LOBBY_COOKIE: person.id})

    def _find(self, key: str) -> Room | None:
        try:
            return self._world.room(str(uuid.UUID(key)))
        except ValueError:
            return self._world.room_by_slug(slugify(key))

    def _user(self, asked: Asked) -> User | None:
        return self.sessions.get(asked.cookies.get(SESSION_COOKIE, ""))

    def _way_in(
        self,
        sfu_room: str,
        user: User | None,
        name: str | None,
        *,
        room: Room | None = None,
        identity: str | None = None,
    ) -> dict[str, str]:
        configuration = (room.configuration if room else None) or {}
        sources = configuration.get("can_publish_sources")
        if user is None:
            identity, default = identity or str(uuid.uuid4()), "Anonymous"
        else:
            # Django turns a subject that is not there into the text "None".
            identity, default = str(user.sub), user.full_name or user.email or user.id
        token = sfu_pass(
            self._sfu.key,
            self._sfu.secret,
            room=sfu_room,
            identity=identity,
            name=name or default,
            known=user is not None,
            role=room.role_of(user) if room else None,
            sources=None if sources is None else tuple(sources),
            now=self._clock(),
        )
        return {"url": self._sfu.url, "room": sfu_room, "token": token}

    def _accesses(self, room: Room) -> list[dict[str, Any]]:
        found = [(self._world.user(user_id), role) for user_id, role in room.roles.items()]
        return [
            {
                "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{room.id}/{user.id}")),
                "user": {"id": user.id, "email": user.email, "full_name": user.full_name},
                "resource": room.id,
                "role": role,
            }
            for user, role in found
            if user is not None
        ]

    def _configuration(self) -> dict[str, Any]:
        switches = self._switches
        telephony: dict[str, Any] = {"enabled": switches.room_telephony_enabled}
        if switches.room_telephony_enabled:
            telephony["default_country"] = switches.room_telephony_default_country
            telephony["international_phone_number"] = switches.room_telephony_phone_number
        return {"LANGUAGE_CODE": "en-us", "telephony": telephony, "livekit": {"url": self._sfu.url}}


def _enters(room: Room, user: User | None) -> bool:
    trusted = room.access_level is Access.TRUSTED and user is not None
    return trusted or room.role_of(user) is not None or room.access_level is Access.PUBLIC
