from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.providers.visio.errors import EmailUnclear
from bridge.providers.visio.owner import Addresses, Ownership

TCHAP_ENDINGS = ("-beta.gouv.fr", "-developpement-durable.gouv.fr", "-numerique.gouv.fr")
TCHAP = Addresses(
    {
        "agent.*.tchap.gouv.fr": [f"*{ending}" for ending in TCHAP_ENDINGS],
        "example.org": ["*@mail.example.org"],
    }
)


@pytest.mark.parametrize(
    ("user_id", "address"),
    [
        ("@marie.curie-beta.gouv.fr:agent.dinum.tchap.gouv.fr", "marie.curie@beta.gouv.fr"),
        ("@jean-pierre.du-pont-beta.gouv.fr:agent.dinum.tchap.gouv.fr", "jean-pierre.du-pont@beta.gouv.fr"),
        (
            "@ada.lovelace-developpement-durable.gouv.fr:agent.dev-durable.tchap.gouv.fr",
            "ada.lovelace@developpement-durable.gouv.fr",
        ),
        ("@marie.curie-beta.gouv.fr:Agent.Dinum.tchap.gouv.fr", "marie.curie@beta.gouv.fr"),
        ("@marie:example.org", "marie@mail.example.org"),
        ("@marie+visio:example.org", "marie+visio@mail.example.org"),
    ],
)
def test_an_address_is_told_from_a_user_id(user_id: str, address: str) -> None:
    assert TCHAP.of(user_id) == address


@pytest.mark.parametrize(
    "user_id",
    [
        "@marie.curie-elsewhere.gouv.fr:agent.dinum.tchap.gouv.fr",
        "@marie.curie-beta.gouv.fr1:agent.dinum.tchap.gouv.fr",
        "@marie.curie-beta.gouv.fr:agent.dinum.tchap.gouv.fr.evil.example",
        "@marie.curie-beta.gouv.fr:evil.example",
        "@marie.curie-beta.gouv.fr:example.org:8448",
        "@-beta.gouv.fr:agent.dinum.tchap.gouv.fr",
        "@.-beta.gouv.fr:agent.dinum.tchap.gouv.fr",
        "@marie..curie-beta.gouv.fr:agent.dinum.tchap.gouv.fr",
        "@marie=40evil-beta.gouv.fr:agent.dinum.tchap.gouv.fr",
        "@a/b:example.org",
        "@Marie:example.org",
        "@marie@evil.example:example.org",
        "@marie\n:example.org",
        "@m\u00e9lanie:example.org",
        "@" + "x" * 250 + ":example.org",
        "@:example.org",
        "marie:example.org",
        "@marie",
        "",
    ],
)
def test_nobody_is_guessed(user_id: str) -> None:
    with pytest.raises(EmailUnclear):
        TCHAP.of(user_id)


def test_where_two_listed_domains_fit_nobody_is_guessed() -> None:
    addresses = Addresses({"*": ["*-durable.gouv.fr", "*-developpement-durable.gouv.fr"]})
    with pytest.raises(EmailUnclear, match="two forms fit"):
        addresses.of("@marie-developpement-durable.gouv.fr:agent.tchap.gouv.fr")
    assert addresses.of("@marie-durable.gouv.fr:agent.tchap.gouv.fr") == "marie@durable.gouv.fr"


def test_two_forms_that_agree_are_one() -> None:
    addresses = Addresses({"*.org": ["*@example.org"], "example.org": ["*@example.org"]})
    assert addresses.of("@marie:example.org") == "marie@example.org"


def test_the_reason_names_nobody() -> None:
    with pytest.raises(EmailUnclear) as unclear:
        TCHAP.of("@marie.curie-elsewhere.gouv.fr:agent.dinum.tchap.gouv.fr")
    assert "marie" not in unclear.value.advice
    assert unclear.value.cause == "visio_email_unclear"
    assert not unclear.value.retry


@pytest.mark.parametrize(
    "form", ["", "*", "example.org", "*.example.org", "@example.org", "*@", "*-*.org", "*@é.fr"]
)
def test_what_is_no_form_is_refused(form: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        Addresses({"*": [form]})


domains = st.from_regex(r"[a-z]{1,4}(-[a-z]{1,4}){0,2}\.(fr|org)", fullmatch=True)
mailboxes = st.from_regex(r"[a-z]{1,4}([.-][a-z]{1,4}){0,3}", fullmatch=True)


@settings(deadline=None)
@given(mailbox=mailboxes, domain=domains, others=st.lists(domains, max_size=6))
def test_on_tchap_it_is_the_right_address_or_none(mailbox: str, domain: str, others: list[str]) -> None:
    addresses = Addresses({"agent.*": [f"*-{one}" for one in {domain, *others}]})
    try:
        told = addresses.of(f"@{mailbox}-{domain}:agent.tchap.gouv.fr")
    except EmailUnclear:
        assert any(other.endswith(f"-{domain}") or domain.endswith(f"-{other}") for other in others)
    else:
        assert told == f"{mailbox}@{domain}"


@settings(deadline=None)
@given(st.text(max_size=60))
def test_whatever_the_user_id_the_domain_is_a_listed_one(user_id: str) -> None:
    for candidate in (user_id, f"@{user_id}:example.org", f"@{user_id}-beta.gouv.fr:agent.x.tchap.gouv.fr"):
        try:
            mailbox, _, domain = TCHAP.of(candidate).partition("@")
        except EmailUnclear:
            continue
        assert mailbox
        assert domain in (
            "mail.example.org",
            "beta.gouv.fr",
            "developpement-durable.gouv.fr",
            "numerique.gouv.fr",
        )


def test_a_service_account_owns_every_meeting() -> None:
    assert Ownership(None, "visio@example.org").own("@whoever:anywhere") == "visio@example.org"


def test_a_person_owns_their_own_meeting() -> None:
    assert Ownership(TCHAP, "visio@example.org").own("@marie:example.org") == "marie@mail.example.org"


def test_without_either_nobody_does() -> None:
    with pytest.raises(EmailUnclear):
        Ownership(None, None).own("@marie:example.org")
