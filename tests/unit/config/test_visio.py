from __future__ import annotations

from typing import Any

import pytest

import config
from bridge.providers.visio.owner import Addresses
from tests.unit.config.conftest import Load, Problems

VISIO: dict[str, Any] = {
    "url": "https://visio.numerique.gouv.fr",
    "client_id": "x",
    "client_secret": "y",
}


def with_visio(**changes: Any) -> dict[str, Any]:
    return {"calls.provider": "visio", "visio": {**VISIO, **changes}}


def test_three_settings_are_enough(load: Load) -> None:
    visio = load(with_visio()).visio
    assert visio is not None
    assert (visio.owner, visio.service_email, visio.unknown_users) == ("service", None, "refuse")
    assert (visio.access_level, visio.adopt_links, visio.hosts) == ("public", "always", [])


def test_forms_of_user_ids_are_taken_as_the_provider_reads_them(load: Load) -> None:
    emails = {"agent.*.tchap.gouv.fr": ["*-beta.gouv.fr", "*-numerique.gouv.fr"], "my.org": "*@my.org"}
    visio = load(with_visio(owner="user", emails=emails)).visio
    assert visio is not None
    addresses = Addresses(visio.emails)
    assert addresses.of("@marie:my.org") == "marie@my.org"
    assert addresses.of("@marie-beta.gouv.fr:agent.dinum.tchap.gouv.fr") == "marie@beta.gouv.fr"


@pytest.mark.parametrize("form", ["my.org", "@my.org", "*.my.org", "*@", "{user}@my.org", "*@my org", ""])
def test_what_is_no_form_is_said_to_be_none_with_what_to_write(problems: Problems, form: str) -> None:
    (problem,) = problems(with_visio(emails={"my.org": [form]})).values()
    assert problem.key == "visio.emails.my.org.0"
    assert "*@" in problem.write
    assert "*-" in problem.write


@pytest.mark.parametrize("form", ["*@my.org", "*-my.org", "*@My.ORG"])
def test_every_form_that_is_taken_the_provider_can_read(load: Load, form: str) -> None:
    visio = load(with_visio(emails={"my.org": form})).visio
    assert visio is not None
    Addresses(visio.emails)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"service_email": "visio"}, "visio.service_email"),
        ({"service_email": "a b@my.org"}, "visio.service_email"),
        ({"emails": {"https://my.org": "*@my.org"}}, "visio.emails.https://my.org"),
        ({"emails": ["*@my.org"]}, "visio.emails"),
        ({"unknown_users": "guess"}, "visio.unknown_users"),
        ({"hosts": ["https://visio.my.org"]}, "visio.hosts.0"),
        ({"hosts": ["visio.my.org/abc"]}, "visio.hosts.0"),
        ({"hosts": ["user@visio.my.org"]}, "visio.hosts.0"),
    ],
)
def test_what_cannot_be_is_one_problem(problems: Problems, changes: dict[str, Any], key: str) -> None:
    assert list(problems(with_visio(**changes))) == [key]


def test_a_further_host_may_have_a_port(load: Load) -> None:
    visio = load(with_visio(hosts="Visio.my.org, localhost:3000")).visio
    assert visio is not None
    assert visio.hosts == ["visio.my.org", "localhost:3000"]


def notices(load: Load, **changes: Any) -> dict[str, config.Notice]:
    return {notice.key: notice for notice in config.notices(load(with_visio(**changes)))}


@pytest.mark.parametrize(
    ("changes", "waits"),
    [
        ({"access_level": "trusted"}, "whoever does not log in"),
        ({"access_level": "restricted"}, "everybody"),
        (
            {
                "access_level": "trusted",
                "owner": "user",
                "emails": {"my.org": "*@my.org"},
                "unknown_users": "service",
            },
            "people whom Visio does not know",
        ),
    ],
)
def test_a_lobby_that_nobody_can_open_is_explained(load: Load, changes: dict[str, Any], waits: str) -> None:
    notice = notices(load, **changes)["visio.access_level"]
    assert waits in notice.fact
    assert "lobby" in notice.fact
    assert "visio.owner: user" in notice.advice
    assert "visio.access_level: public" in notice.advice


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"access_level": "trusted", "owner": "user", "emails": {"my.org": "*@my.org"}},
        {"access_level": "public", "owner": "service"},
    ],
)
def test_where_somebody_can_open_it_there_is_nothing_to_explain(load: Load, changes: dict[str, Any]) -> None:
    assert notices(load, **changes) == {}


def test_an_owner_who_can_never_be_told_is_pointed_out(load: Load) -> None:
    assert "nobody can open a meeting" in notices(load, owner="user")["visio.emails"].fact
    fallback = notices(load, owner="user", unknown_users="service")
    assert "every meeting belongs to the service account" in fallback["visio.emails"].fact


def test_where_visio_only_has_its_links_followed_its_owner_does_not_matter(load: Load) -> None:
    settings = load({"visio": {**VISIO, "owner": "user", "access_level": "trusted"}})
    assert config.notices(settings) == ()
