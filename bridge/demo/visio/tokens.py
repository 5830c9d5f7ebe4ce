"""The two kinds of tokens that Visio signs: for applications, and for people on their way into the SFU."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import jwt

from bridge.demo.visio.answers import refused
from bridge.demo.visio.switches import Switches
from bridge.demo.visio.world import Application, Role, User, World

ISSUER = "lasuite-meet"
SOURCES = ("camera", "microphone", "screen_share", "screen_share_audio")
"""What people may publish unless the meeting says otherwise (``LIVEKIT_DEFAULT_SOURCES``)."""

_ALGORITHM = "HS256"
_PASS_SECONDS = 6 * 3600


class ApplicationTokens:
    """Makes and reads the bearer tokens of applications."""

    def __init__(self, world: World, switches: Switches, clock: Callable[[], float]) -> None:
        """Nothing is signed yet.

        Args:
            world: Who exists.
            switches: How long tokens live, and what signs them.
            clock: Visio's clock, in seconds since the epoch.
        """
        self._world = world
        self._switches = switches
        self._clock = clock
        self._issued: list[str] = []
        self._expired: set[str] = set()

    def issue(self, application: Application, user: User) -> dict[str, Any]:
        """The body of a successful answer to a token request."""
        now = int(self._clock())
        lifetime = self._switches.application_jwt_expiration_seconds
        claims: dict[str, Any] = {
            "client_id": application.client_id,
            "delegated": True,
            "iat": now,
            "exp": now + lifetime,
            "user_id": user.id,
            "iss": ISSUER,
        }
        answer: dict[str, Any] = {"token_type": "Bearer", "expires_in": lifetime}
        if scope := " ".join(application.scopes):
            claims["scope"] = answer["scope"] = scope
        token = jwt.encode(claims, self._switches.application_jwt_secret_key, algorithm=_ALGORITHM)
        self._issued.append(token)
        # Within one second the same token is made again; it is a new one all the same.
        self._expired.discard(token)
        return {"access_token": token, **answer}

    def expire_all(self) -> None:
        """Let every token that was issued so far have expired."""
        self._expired.update(self._issued)

    def read(self, authorization: str) -> tuple[User, dict[str, Any]] | None:
        """Whom a request acts for, and the token's claims; None when it has no bearer token.

        Raises:
            Refused: 401, in the words of the authenticator that refuses.
        """
        words = authorization.split()
        if not words or words[0].lower() != "bearer":
            return None
        if not self._switches.application_enabled:
            raise self._next_authenticator()
        if len(words) != 2:
            raise _unauthorized("Invalid token header.")
        claims = self._decode(words[1])
        self._check_application(claims)
        user_id = claims.get("user_id")
        if not user_id:
            raise _unauthorized("Invalid token claims.")
        user = self._world.user(str(user_id))
        if user is None:
            raise _unauthorized("User not found.")
        if not user.is_active:
            raise _unauthorized("User account is disabled.")
        return user, claims

    def _decode(self, token: str) -> dict[str, Any]:
        if token in self._expired:
            raise _unauthorized("Token expired.")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._switches.application_jwt_secret_key,
                algorithms=[_ALGORITHM],
                issuer=ISSUER,
                # Checked below, by Visio's clock.
                options={"verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidIssuerError:
            raise _unauthorized("Invalid token.") from None
        except jwt.InvalidTokenError:
            raise self._next_authenticator() from None
        if claims.get("exp", 0) <= self._clock():
            raise _unauthorized("Token expired.")
        return claims

    def _check_application(self, claims: dict[str, Any]) -> None:
        if not claims.get("client_id"):
            raise _unauthorized("Invalid token claims.")
        application = self._world.application(claims["client_id"])
        if application is None:
            raise _unauthorized("Application not found.")
        if not application.is_active:
            raise _unauthorized("Application is disabled.")
        if not claims.get("delegated"):
            raise _unauthorized("Invalid token type.")

    @staticmethod
    def _next_authenticator() -> Exception:
        # What cannot be read is taken for an OpenID token, and no resource server is set up.
        return _unauthorized("Resource Server is improperly configured")


def _unauthorized(detail: str) -> Exception:
    return refused(401, detail, **{"WWW-Authenticate": "Bearer"})


def sfu_pass(
    key: str,
    secret: str,
    *,
    room: str,
    identity: str,
    name: str,
    known: bool,
    role: Role | None,
    sources: tuple[str, ...] | None,
    now: float,
) -> str:
    """What opens an SFU room to one person (Meet's ``generate_token``).

    Args:
        key: The SFU's API key.
        secret: Its secret.
        room: The SFU room's name.
        identity: The person's, in the SFU.
        name: As the others see it.
        known: Whether they are logged in.
        role: What they are in this meeting.
        sources: What they may publish; None for everything.
        now: Seconds since the epoch.
    """
    organises = role in (Role.OWNER, Role.ADMINISTRATOR)
    allowed = SOURCES if sources is None or organises else sources
    video = {
        "roomJoin": True,
        "room": room,
        "roomAdmin": organises,
        "canPublish": bool(allowed),
        "canSubscribe": True,
        "canPublishData": True,
        "canPublishSources": list(allowed),
        "canUpdateOwnMetadata": False,
    }
    attributes = {
        "color": colour(identity),
        "room_role": role,
        "is_authenticated": "true" if known else "false",
    }
    claims: dict[str, Any] = {"name": name, "video": video, "attributes": attributes}
    return signed(key, secret, identity, claims, now)


def signed(key: str, secret: str, identity: str, claims: dict[str, Any], now: float) -> str:
    """A token for the SFU with these claims."""
    times = {"sub": identity, "iss": key, "nbf": int(now), "exp": int(now) + _PASS_SECONDS}
    return jwt.encode({**times, **claims}, secret, algorithm=_ALGORITHM)


def colour(identity: str) -> str:
    """The same colour for the same person at all times, in the form that Visio's page accepts."""
    seed = int.from_bytes(hashlib.sha256(identity.encode()).digest()[:4])
    return f"hsl({seed % 361}, {50 + seed // 361 % 26}%, {25 + seed // 9386 % 36}%)"
