"""Why there is no meeting, and what helps, by their exact words."""

from __future__ import annotations

import dataclasses

import pytest

from bridge.projections.failures import CAUSES
from bridge.providers.visio import errors
from tests.unit.projections.samples import DE, EN, FAILED, FR, body

VISIO = "https://visio.example"


def test_what_heals_by_itself_is_tried_again() -> None:
    assert body(FAILED, dataclasses.replace(FR, visio_url=VISIO)) == (
        "Visio impossible : Point budget\n"
        "Le serveur des réunions ne répond pas. Aucune réunion n’est ouverte.\n"
        "Réessayez avec !visio, ou créez la réunion ici et collez son lien dans le salon : "
        "https://visio.example\n"
        "Réf. k3x9"
    )
    assert body(FAILED, EN).splitlines()[2] == "Try !visio again in a few minutes."


def test_what_only_an_administrator_can_mend_is_reported_and_not_tried_again() -> None:
    broken = FAILED.but(failure="sfu_refused")
    assert body(broken, dataclasses.replace(FR, support="https://aide.example")) == (
        "Visio impossible : Point budget\n"
        "La configuration du service Visio est incorrecte. Aucune réunion n’est ouverte.\n"
        "Réessayer n’y changera rien ; signalez-le : https://aide.example\n"
        "Réf. k3x9"
    )
    assert body(broken, FR).splitlines()[2] == (
        "Réessayer n’y changera rien ; prévenez les responsables de ce service."
    )
    assert body(broken, EN).splitlines()[1:3] == [
        "The Visio service's configuration is broken. No meeting is open.",
        "Trying again will not help; please tell whoever runs this service.",
    ]


def test_meanwhile_a_meeting_is_made_by_hand() -> None:
    style = dataclasses.replace(FR, visio_url=VISIO, support="#aide:hs.example")
    assert body(FAILED.but(failure="visio_credentials"), style).splitlines()[1:4] == [
        "Visio ne reconnaît pas ce service. Aucune réunion n’est ouverte.",
        "Réessayer n’y changera rien ; signalez-le : #aide:hs.example",
        "En attendant, créez la réunion ici et collez son lien dans le salon : https://visio.example",
    ]


def test_whom_visio_does_not_know_signs_in_once() -> None:
    unknown = FAILED.but(failure="visio_unknown_user")
    assert body(unknown, dataclasses.replace(FR, visio_url=VISIO)).splitlines()[1:3] == [
        "Visio ne connaît pas encore votre compte. Aucune réunion n’est ouverte.",
        "Connectez-vous une fois sur https://visio.example, puis réécrivez !visio.",
    ]
    assert body(unknown, dataclasses.replace(EN, visio_url=VISIO)).splitlines()[2] == (
        "Sign in once at https://visio.example, then type !visio again."
    )


@pytest.mark.parametrize(
    ("cause", "french"),
    [
        ("visio_unreachable", "Visio ne répond pas."),
        (
            "visio_domain",
            "Visio n’autorise pas ce service à ouvrir des réunions pour le domaine de votre adresse "
            "électronique.",
        ),
        ("visio_scope", "Visio n’autorise pas ce service à ouvrir des réunions."),
        ("visio_switched_off", "L’accès à Visio est désactivé pour ce service."),
        ("visio_nonsense", "Visio a donné une réponse incompréhensible."),
        ("visio_email_unclear", "Je ne peux pas déterminer avec certitude votre adresse électronique."),
        ("misconfigured", "Le service Visio n’est pas bien configuré."),
        ("internal", "Une erreur s’est produite dans le service Visio."),
    ],
)
def test_every_cause_has_its_own_sentence(cause: str, french: str) -> None:
    said = body(FAILED.but(failure=cause), FR).splitlines()[1]
    assert said == f"{french} Aucune réunion n’est ouverte."


def test_no_two_causes_say_the_same_and_an_unknown_one_has_a_sentence_too() -> None:
    for style in (FR, EN, DE):
        said = {body(FAILED.but(failure=cause), style).splitlines()[1] for cause in CAUSES}
        assert len(said) == len(CAUSES)
        assert body(FAILED.but(failure="new"), style) == body(FAILED.but(failure="internal"), style)


def test_whatever_visio_can_fail_with_has_a_sentence() -> None:
    causes = {kind.CAUSE for kind in errors.VisioFailure.__subclasses__()}
    assert len(causes) >= 8
    assert causes <= set(CAUSES)
