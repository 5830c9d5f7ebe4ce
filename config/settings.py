"""All settings, as one tree."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from config.changes import CURRENT
from config.conduct import Calls, Commands, Encryption, Limits, Logging, Policy, Presence, Privacy, Rtc
from config.peers import AppService, Bot, Database, Federation, Homeserver, Sfu, Web
from config.problems import Notice
from config.visio import Visio

ENV_PREFIX = "PASSERELLE_"
ENV_DELIMITER = "__"


def _number(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdigit() else value


class Settings(BaseSettings):
    """What the admin decided, complete with defaults.

    Made by `config.load`. Building one directly reads neither file nor environment, and checks each setting
    but not how they fit together.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix=ENV_PREFIX,
        env_nested_delimiter=ENV_DELIMITER,
    )

    profile: Literal["generic", "tchap"] = Field(
        default="generic",
        description="A set of defaults: generic or tchap. What stands below wins over it.",
    )
    defaults: Annotated[int, BeforeValidator(_number)] = Field(
        default=1,
        ge=1,
        le=CURRENT,
        description="Which edition of the defaults this file was written for. “passerelle config check” "
        "lists what changed since; raise the number when you have read it.",
    )
    homeserver: Homeserver
    appservice: AppService = AppService()
    web: Web = Web()
    bot: Bot = Bot()
    database: Database = Database()
    sfu: Sfu | None = Field(
        default=None,
        description="Meetings of calls.provider livekit need it. With visio it may be left out: cards then"
        " show the link, but not who is in.",
    )
    visio: Visio | None = Field(
        default=None,
        description="Leave it out if you have no Visio.",
    )
    calls: Calls = Calls()
    commands: Commands = Commands()
    ghosts: Literal["authenticated", "none"] = Field(
        default="authenticated",
        description="Whether people whom Visio authenticated get a Matrix user of their own in the room's "
        "native call: authenticated or none.",
    )
    rtc: Rtc = Rtc()
    federation: Federation = Federation()
    policy: Policy = Field(
        default={},
        description="Who may do what: patterns of homeservers (*.example.org) and users (@marie:*), each "
        "with none, subscribe, publish, start, moderate or admin; each word includes those "
        "before it. The most specific pattern wins. Without a rule of its own, your homeserver"
        " has start and all others none. Examples: docs/policy.md.",
        examples=[{"*.example.org": "publish", "@marie:example.org": "admin"}],
    )
    limits: Limits = Limits()
    encryption: Encryption = Encryption()
    presence: Presence = Presence()
    privacy: Privacy = Privacy()
    logging: Logging = Logging()

    _given: frozenset[str] = PrivateAttr(default=frozenset())
    _placeholders: tuple[Notice, ...] = PrivateAttr(default=())

    @property
    def given(self) -> frozenset[str]:
        """Keys, with dots, that file or environment set, as opposed to defaults and profile."""
        return self._given

    @property
    def placeholders(self) -> tuple[Notice, ...]:
        """Settings that still hold what the sample shows in their place."""
        return self._placeholders

    def with_tokens(self, as_token: str, hs_token: str) -> Settings:
        """A copy that holds the tokens of the registration, where the admin gave none in the settings."""
        tokens = {"as_token": SecretStr(as_token), "hs_token": SecretStr(hs_token)}
        return self.model_copy(update={"appservice": self.appservice.model_copy(update=tokens)})

    @classmethod
    def settings_customise_sources(  # noqa: D102 - pydantic-settings' own hook
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # `config.loading` puts the sources together, so that it can name where a problem comes from.
        return (init_settings,)
