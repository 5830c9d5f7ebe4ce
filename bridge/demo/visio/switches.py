"""How Visio's admin has set it up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Switches:
    """Settings of Meet, by the names of its environment variables in lower case.

    The defaults are those of a Visio that was set up for the bridge. May be changed at any time.

    Attributes:
        external_api_enabled: Whether there is an external API at all.
        application_enabled: Whether applications get tokens, and whether their tokens count.
        application_jwt_expiration_seconds: How long a token lives.
        application_jwt_secret_key: Signs the tokens; changing it makes all of them unreadable.
        application_base_url: What meeting links begin with; the stand-in's own address if not given.
            Empty: rooms have no ``url``.
        application_allow_user_creation: Whether an unknown e-mail address becomes a provisional user.
        external_api_default_access_level: Of meetings for which none is asked.
        external_api_allow_public_access: Whether applications may make public meetings. Meet's default
            is no.
        allow_unregistered_rooms: Whether any slug leads to an SFU room of that name. Meet's default is
            yes; its installation guide says no.
        token_takes_forms: Whether the token request may be a form; 1.27.0 takes JSON only.
        room_telephony_enabled: Whether people can dial in.
        room_telephony_phone_number: The number to dial.
        room_telephony_default_country: Where that number is.
        clock_skew_seconds: How far Visio's clock is ahead of everybody else's.
    """

    external_api_enabled: bool = True
    application_enabled: bool = True
    application_jwt_expiration_seconds: int = 3600
    application_jwt_secret_key: str = "stand-in-key-of-at-least-32-characters"  # noqa: S105  nobody's secret
    application_base_url: str | None = None
    application_allow_user_creation: bool = False
    external_api_default_access_level: str = "trusted"
    external_api_allow_public_access: bool = True
    allow_unregistered_rooms: bool = False
    token_takes_forms: bool = True
    room_telephony_enabled: bool = False
    room_telephony_phone_number: str = "+33170001234"
    room_telephony_default_country: str = "FR"
    clock_skew_seconds: float = 0
