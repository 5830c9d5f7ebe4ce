"""The section about La Suite's Visio."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from config.problems import Wrong
from config.section import Section
from config.values import Hosts, HttpUrl, one_or_many

_DOMAIN = r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*"


def _email(value: str) -> str:
    if re.fullmatch(rf"[^@\s]+@{_DOMAIN}", value) is None:
        raise Wrong(f"“{value}” is not an e-mail address", "an address such as visio@example.org")
    return value


def _form(value: str) -> str:
    """How a local part and an e-mail address hang together, as the Visio provider reads it."""
    if re.fullmatch(rf"\*[@-]{_DOMAIN}", value):
        return value
    domain = re.search(rf"{_DOMAIN}$", value.lstrip("*@-."))
    said = domain[0] if domain else "example.org"
    raise Wrong(
        f"“{value}” is no way to read a local part",
        f'"*@{said}" (it is the name of a mailbox there), or "*-{said}" (it is the address with - for @)',
    )


def _servers(value: str) -> str:
    if re.fullmatch(r"[0-9A-Za-z.:*?\[\]-]+", value) is None:
        raise Wrong(f"“{value}” is not a pattern of homeservers", '"example.org" or "*.example.org"')
    return value


_Forms = Annotated[list[Annotated[str, AfterValidator(_form)]], BeforeValidator(one_or_many)]
Emails = dict[Annotated[str, AfterValidator(_servers)], _Forms]


class Visio(Section):
    """La Suite's Visio: where meetings come from when calls.provider is visio, and whose links are followed.

    Its administrator makes an application with the scope rooms:create, and sets EXTERNAL_API_ENABLED,
    APPLICATION_ENABLED and APPLICATION_BASE_URL; docs/visio.md says how.
    """

    url: HttpUrl = Field(
        description="Its address, as browsers and the bridge reach it.",
        examples=["https://visio.numerique.gouv.fr"],
    )
    hosts: Hosts = Field(
        default=[],
        description="Further hosts whose meeting links lead to the same Visio, with a port if it is not the"
        " usual one. Links to any other host are never followed.",
        examples=[["visio.example.org"]],
    )
    client_id: str = Field(
        min_length=1,
        description="Client id of the application that Visio's admin made.",
        examples=["passerelle"],
    )
    client_secret: SecretStr = Field(
        min_length=1, description="Secret of that application.", examples=["replace-this-by-its-secret"]
    )
    owner: Literal["user", "service"] = Field(
        default="service",
        description="Whose meeting it is: user (the person who asked, found in Visio by e-mail address; needs"
        " emails) or service (one account for all). Only the owner can let people in from the lobby, mute"
        " and record; as a service account nobody ever logs in.",
    )
    service_email: Annotated[str, AfterValidator(_email)] | None = Field(
        default=None,
        description="E-mail address of the service account, which has to exist in Visio. Left out:"
        " appservice.bot at homeserver.server_name.",
        examples=["visio@example.org"],
    )
    emails: Emails = Field(
        default={},
        description="How the local part of a user id tells the person's e-mail address, for each pattern of"
        ' homeservers: "*@domain" (it is the name of a mailbox there) or "*-domain" (it is the address with'
        " - for @, as on Tchap). List every domain of a homeserver whose user ids are made from addresses:"
        " where two of them fit, nobody is guessed. Only for homeservers that give people no say in their"
        " user id, because Visio takes the address for the person.",
        examples=[{"agent.example.org": ["*-example.org"], "example.org": ["*@example.org"]}],
    )
    unknown_users: Literal["refuse", "service"] = Field(
        default="refuse",
        description="With owner user, what happens when Visio does not know the person, or their address"
        " cannot be told: refuse (they are asked to sign in to Visio once) or service (the meeting belongs"
        " to the service account).",
    )
    access_level: Literal["public", "trusted", "restricted"] = Field(
        default="public",
        description="Who enters a new meeting without being let in: public (anyone with the link; Visio needs"
        " EXTERNAL_API_ALLOW_PUBLIC_ACCESS), trusted (people who log in) or restricted (the owner alone).",
    )
    adopt_links: Literal["always", "ask", "never"] = Field(
        default="always",
        description="What happens when somebody posts a Visio link: always (followed at once), ask "
        "(followed if somebody who may start calls agrees) or never.",
    )
