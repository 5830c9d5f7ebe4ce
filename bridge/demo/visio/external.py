"""The external API (``/external-api/v1.0/``): a token for a user's e-mail address, and that user's meetings.

Meet's ``core/external_api`` and what Django REST framework adds to it.
"""

from __future__ import annotations

import re
import uuid
from typing import Any, Literal
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, ValidationError

from bridge.demo.visio.answers import Answer, Asked, Refused, data_of, dictionary, json, not_allowed, refused
from bridge.demo.visio.switches import Switches
from bridge.demo.visio.tokens import ApplicationTokens
from bridge.demo.visio.world import Access, Room, User, World

PAGE_SIZE = 20

_EMAIL = re.compile(r"[^@\s\"(),:;<>\[\]\\]+@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\.[A-Za-z]{2,63}")
_ROOM = re.compile(r"rooms/(?P<key>[^/.]+)/")


class RoomConfiguration(BaseModel):
    """What may stand in a meeting's configuration."""

    model_config = ConfigDict(extra="forbid")

    can_publish_sources: (
        list[Literal["camera", "microphone", "screen_share", "screen_share_audio"]] | None
    ) = None
    everyone_can_mute: bool | None = None


class ExternalApi:
    """Answers requests below ``/external-api/v1.0/``."""

    def __init__(self, world: World, switches: Switches, tokens: ApplicationTokens, url: str) -> None:
        """Nothing happens yet.

        Args:
            world: What Visio knows.
            switches: How it is set up.
            tokens: Of the applications.
            url: Visio's own address.
        """
        self._world = world
        self._switches = switches
        self._tokens = tokens
        self._url = url

    def answer(self, asked: Asked, path: str) -> Answer | None:
        """The answer; None where there is no such address.

        Args:
            asked: The request.
            path: What stands after ``/external-api/v1.0/``.

        Raises:
            Refused: With the answer.
        """
        if path == "application/token/":
            if asked.method != "POST":
                raise not_allowed(asked.method)
            return self._token(asked)
        if path == "rooms/":
            return self._rooms(asked)
        if found := _ROOM.fullmatch(path):
            return self._room(asked, found["key"])
        return None

    # Tokens

    def _token(self, asked: Asked) -> Answer:
        if not self._switches.application_enabled:
            raise refused(404, "Not found.")
        given = self._credentials(dictionary(data_of(asked, forms=self._switches.token_takes_forms)))
        application = self._world.application(given["client_id"])
        if application is None or application.client_secret != given["client_secret"]:
            raise refused(401, "Invalid credentials")
        if not application.is_active:
            raise refused(401, "Application is inactive")
        email = given["scope"]
        if not _EMAIL.fullmatch(email):
            raise Refused(json(400, {"error": "Scope should be a valid email address."}))
        if not application.may_act_for(email):
            said = "This application is not authorized for this email domain."
            raise Refused(json(403, {"error": said}))
        user = self._world.user_by_email(email)
        if user is None:
            if not self._switches.application_allow_user_creation:
                raise refused(404, "User not found.")
            user = self._world.add_user(email, provisional=True)
        return json(200, self._tokens.issue(application, user))

    @staticmethod
    def _credentials(data: dict[str, object]) -> dict[str, str]:
        wrong: dict[str, list[str]] = {}
        for name in ("client_id", "client_secret", "grant_type", "scope"):
            if name not in data:
                wrong[name] = ["This field is required."]
            elif data[name] is None:
                wrong[name] = ["This field may not be null."]
            elif not isinstance(data[name], str):
                wrong[name] = ["Not a valid string."]
            elif not data[name]:
                wrong[name] = ["This field may not be blank."]
        if "grant_type" not in wrong and data["grant_type"] != "client_credentials":
            wrong["grant_type"] = [f'"{data["grant_type"]}" is not a valid choice.']
        if wrong:
            raise Refused(json(400, wrong))
        return {name: str(value) for name, value in data.items()}

    # Meetings

    def _rooms(self, asked: Asked) -> Answer:
        if asked.method == "POST":
            return self._create(asked, self._user(asked, "rooms:create"))
        if asked.method in ("GET", "HEAD"):
            return self._list(asked, self._user(asked, "rooms:list"))
        self._user(asked, None)
        raise not_allowed(asked.method)

    def _room(self, asked: Asked, key: str) -> Answer:
        if asked.method not in ("GET", "HEAD"):
            self._user(asked, None)
            raise not_allowed(asked.method)
        user = self._user(asked, "rooms:retrieve")
        try:
            room = self._world.room(str(uuid.UUID(key)))
        except ValueError:
            raise refused(404, "Not found.") from None
        if room is None:
            raise refused(404, "No Room matches the given query.")
        if room.role_of(user) is None:
            raise refused(403, "You do not have permission to perform this action.")
        return json(200, self._shown(room))

    def _user(self, asked: Asked, scope: str | None) -> User:
        """Whom the request acts for.

        Raises:
            Refused: 401 without a good token, 403 when the token lacks the scope.
        """
        found = self._tokens.read(asked.headers.get("authorization", ""))
        if found is None:
            said = "Authentication credentials were not provided."
            raise refused(401, said, **{"WWW-Authenticate": "Bearer"})
        user, claims = found
        if scope is not None:
            scopes = str(claims.get("scope", "")).lower().split()
            if not scopes:
                raise refused(403, "Insufficient permissions.")
            if scope not in scopes:
                raise refused(403, f"Insufficient permissions. Required scope: {scope}")
        return user

    def _create(self, asked: Asked, user: User) -> Answer:
        data = dictionary(data_of(asked))
        wrong: dict[str, Any] = {}
        access = data.get("access_level", self._switches.external_api_default_access_level)
        if access not in tuple(Access):
            wrong["access_level"] = [f'"{access}" is not a valid choice.']
        elif not self._may_be(str(access)):
            wrong["access_level"] = ["Public rooms are disabled for the external API."]
        configuration = data.get("configuration", {})
        if configuration not in (None, {}):
            try:
                RoomConfiguration.model_validate(configuration)
            except ValidationError as error:
                wrong["configuration"] = error.errors(include_context=False)
        if wrong:
            raise Refused(json(400, wrong))
        room = self._world.add_room(
            owner=user, access_level=str(access), telephony=self._switches.room_telephony_enabled
        )
        room.configuration = configuration if isinstance(configuration, dict) else None
        return json(201, self._shown(room))

    def _may_be(self, access: str) -> bool:
        allowed = self._switches.external_api_allow_public_access
        by_default = self._switches.external_api_default_access_level == Access.PUBLIC
        return access != Access.PUBLIC or allowed or by_default

    def _list(self, asked: Asked, user: User) -> Answer:
        rooms = sorted((room for room in self._world.rooms if room.role_of(user)), key=lambda room: room.name)
        pages = max(1, -(-len(rooms) // PAGE_SIZE))
        wanted = asked.query.get("page", "1")
        page = pages if wanted == "last" else int(wanted) if wanted.isdecimal() else 0
        if not 1 <= page <= pages:
            raise refused(404, "Invalid page.")
        shown = rooms[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
        body = {
            "count": len(rooms),
            "next": _page_link(asked, page + 1) if page < pages else None,
            "previous": _page_link(asked, page - 1) if page > 1 else None,
            "results": [self._shown(room) for room in shown],
        }
        return json(200, body)

    def _shown(self, room: Room) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": room.id,
            "name": room.name,
            "slug": room.slug,
            "access_level": room.access_level,
            "configuration": room.configuration,
        }
        base = self._switches.application_base_url
        if base != "":
            shown["url"] = f"{base or self._url}/{room.slug}"
        if self._switches.room_telephony_enabled:
            shown["telephony"] = {
                "enabled": True,
                "phone_number": self._switches.room_telephony_phone_number,
                "pin_code": room.pin_code,
                "default_country": self._switches.room_telephony_default_country,
            }
        return shown


def _page_link(asked: Asked, page: int) -> str:
    """The address of another page; the first one has no number."""
    query = {**asked.query, "page": str(page)}
    if page == 1:
        del query["page"]
    return f"{asked.origin}{asked.path}" + (f"?{urlencode(query)}" if query else "")
