"""Why Visio did not give a meeting: one class per cause that its API really has.

Each carries the key of the room's sentence and, for the administrator's log, what to do. Neither holds an
e-mail address or a secret. Statuses and texts are those of ``core/external_api`` in
https://github.com/suitenumerique/meet.
"""

from __future__ import annotations

from typing import ClassVar

from bridge.calls.ports import ProviderFailure


class VisioFailure(ProviderFailure):
    """Visio did not do what it was asked for.

    Args:
        said: What happened, or what Visio said, in a few words for the log.
    """

    CAUSE: ClassVar[str]
    ADVICE: ClassVar[str]
    RETRY: ClassVar[bool] = False

    def __init__(self, said: str = "") -> None:
        advice = f"{self.ADVICE} ({said})" if said else self.ADVICE
        super().__init__(self.CAUSE, advice, retry=self.RETRY)
        self.said = said

    def again(self) -> VisioFailure:
        """The same failure to raise once more, without the traces of the first time."""
        return type(self)(self.said)


class Unreachable(VisioFailure):
    """No connection, no answer in time, or an answer that says "later" (5xx, 408, 429)."""

    CAUSE = "visio_unreachable"
    ADVICE = "Visio is not answering; check visio.url, and that Visio is up"
    RETRY = True


class BadCredentials(VisioFailure):
    """The application is unknown, its secret is wrong, or it is inactive (401)."""

    CAUSE = "visio_credentials"
    ADVICE = (
        "Visio does not accept visio.client_id and visio.client_secret; compare them with the application in"
        " Visio's admin, and check that it is active"
    )


class UnknownUser(VisioFailure):
    """Visio has no account with the e-mail address, or it is disabled (404 at the token address)."""

    CAUSE = "visio_unknown_user"
    ADVICE = (
        "Visio has no active account with that e-mail address; the person has to sign in to Visio once, or"
        " write visio.unknown_users: service, or let Visio make accounts (APPLICATION_ALLOW_USER_CREATION"
        " and OIDC_FALLBACK_TO_EMAIL_FOR_IDENTIFICATION true, OIDC_USER_SUB_FIELD_IMMUTABLE false)"
    )


class ServiceUnknown(VisioFailure):
    """Visio has no account for the service; whoever asked can do nothing about that."""

    CAUSE = "misconfigured"
    ADVICE = (
        "Visio has no active account with the address of the service account; make that account in Visio, or"
        " write the address of one that is there as visio.service_email (left out, it is appservice.bot at"
        " homeserver.server_name)"
    )


class DomainRefused(VisioFailure):
    """The application may not act for addresses of that domain (403 at the token address)."""

    CAUSE = "visio_domain"
    ADVICE = (
        "the application may not act for addresses of that domain; add the domain to the application in"
        " Visio's admin"
    )


class ServiceDomainRefused(VisioFailure):
    """The application may not act for the service account, whose domain is not whoever asked's."""

    CAUSE = "misconfigured"
    ADVICE = (
        "the application may not act for the domain of the service account (visio.service_email); add that"
        " domain to the application in Visio's admin"
    )


class ScopeMissing(VisioFailure):
    """The application lacks the scope for what was asked (403 at the rooms' address)."""

    CAUSE = "visio_scope"
    ADVICE = "the application lacks a scope; give it rooms:create in Visio's admin"


class PublicRefused(VisioFailure):
    """Applications may not open public meetings, which is Visio's default (400)."""

    CAUSE = "visio_scope"
    ADVICE = (
        "Visio does not let applications open public meetings; write visio.access_level: trusted, or set"
        " EXTERNAL_API_ALLOW_PUBLIC_ACCESS to True in Visio"
    )


class SwitchedOff(VisioFailure):
    """The address does not exist: the external API or its applications are switched off (404)."""

    CAUSE = "visio_switched_off"
    ADVICE = (
        "Visio's API for applications is not there; set EXTERNAL_API_ENABLED and APPLICATION_ENABLED to True"
        " in Visio, and check that visio.url leads to Visio itself"
    )


class Nonsense(VisioFailure):
    """An answer that Visio does not give, such as a page in place of data, or a redirection elsewhere."""

    CAUSE = "visio_nonsense"
    ADVICE = "the answer is not Visio's; check that visio.url leads to Visio itself"


class EmailUnclear(VisioFailure):
    """It cannot be told with certainty which e-mail address belongs to a Matrix user."""

    CAUSE = "visio_email_unclear"
    ADVICE = (
        "the settings do not tell with certainty which e-mail address this user has; complete visio.emails,"
        " or write visio.unknown_users: service"
    )


class ForeignLink(VisioFailure):
    """A followed link whose host is no longer among those that the settings name."""

    CAUSE = "misconfigured"
    ADVICE = "the link does not lead to visio.url or one of visio.hosts"
