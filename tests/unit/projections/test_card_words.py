"""Cards by their exact words: read these as one would read the page."""

from __future__ import annotations

import dataclasses

import pytest

from bridge.calls.model import CallState, DialIn, EndReason
from bridge.projections.card import project, state_signature
from tests.unit.projections.samples import (
    ACTIVE,
    DE,
    EAR,
    EN,
    ENDED,
    FAILED,
    FR,
    MARIE,
    MINUTE,
    OPEN,
    PAUL,
    TEN_OH_TWO,
    body,
)


def test_open_in_french() -> None:
    style = dataclasses.replace(FR, native_bridged=True, app_name="Tchap")
    assert body(OPEN.but(access="trusted"), style) == (
        "Visio ouverte : Point budget\n"
        "Par Alice, à 10 h 02 (heure de Paris). Personne n’est encore là.\n"
        "Rejoindre la visio : https://visio.example.gouv.fr/call/Abc#secret\n"
        "Avec ProConnect, vous entrez directement ; sinon, un organisateur doit vous faire entrer. "
        "Le bouton d’appel de Tchap mène à la même réunion.\n"
        "Arrêter : !visio fin. Aide : !visio aide."
    )


def test_open_in_english() -> None:
    style = dataclasses.replace(EN, native_bridged=True, app_name="Tchap")
    assert body(OPEN.but(access="trusted"), style) == (
        "Meeting open: Point budget\n"
        "By Alice, at 10:02 (Paris time). Nobody is there yet.\n"
        "Join the meeting: https://visio.example.gouv.fr/call/Abc#secret\n"
        "With ProConnect (French State) you go straight in; otherwise an organiser must let you in. "
        "The call button in Tchap leads to the same meeting.\n"
        "Stop: !visio end. Help: !visio help."
    )


def test_active_in_french() -> None:
    assert body(ACTIVE.but(access="public")) == (
        "Visio en cours : Point budget\n"
        "Depuis 10 h 02 (heure de Paris).\n"
        "3 personnes : Marie Curie, Paul et « Bob » (sans compte).\n"
        "Rejoindre la visio : https://visio.example.gouv.fr/call/Abc#secret\n"
        "Toute personne qui a ce lien peut entrer."
    )


def test_active_in_english() -> None:
    assert body(ACTIVE.but(access="public"), EN) == (
        "Meeting in progress: Point budget\n"
        "Since 10:02 (Paris time).\n"
        "3 people: Marie Curie, Paul and “Bob” (guest).\n"
        "Join the meeting: https://visio.example.gouv.fr/call/Abc#secret\n"
        "Anyone with this link can enter."
    )


def test_ended_in_french_and_english() -> None:
    assert body(ENDED) == (
        "Visio terminée : Point budget\n"
        "De 10 h 02 à 10 h 47 (heure de Paris), 45 min. 12 personnes sont venues.\n"
        "Nouvelle réunion : écrivez !visio"
    )
    assert body(ENDED, EN) == (
        "Meeting over: Point budget\n"
        "From 10:02 to 10:47 (Paris time), 45 min. 12 people came.\n"
        "New meeting: type !visio"
    )


def test_failed_in_french_and_english() -> None:
    french = dataclasses.replace(FR, visio_url="https://visio.example.gouv.fr")
    assert body(FAILED, french) == (
        "Visio impossible : Point budget\n"
        "Le serveur des réunions ne répond pas. Aucune réunion n’est ouverte.\n"
        "Réessayez avec !visio, ou créez la réunion ici et collez son lien dans le salon : "
        "https://visio.example.gouv.fr\n"
        "Réf. k3x9"
    )
    assert body(FAILED, EN) == (
        "Meeting not possible: Point budget\n"
        "The meeting server is not answering. No meeting is open.\n"
        "Try !visio again in a few minutes.\n"
        "Ref. k3x9"
    )


def test_every_state_in_german() -> None:
    assert body(OPEN, DE).splitlines()[:2] == [
        "Besprechung offen: Point budget",
        "Von Alice, um 10:02 (Ortszeit Paris). Noch ist niemand da.",
    ]
    assert body(ACTIVE, DE).splitlines()[2] == "3 Personen: Marie Curie, Paul und „Bob“ (ohne Konto)."
    assert body(ENDED, DE).splitlines()[1] == (
        "Von 10:02 bis 10:47 (Ortszeit Paris), 45 min. 12 Personen waren da."
    )


def test_the_html_has_the_same_lines_with_a_link_that_says_where_it_leads() -> None:
    assert project(OPEN, FR).html == (
        "<p><strong>Visio ouverte : Point budget</strong></p>"
        "<p>Par Alice, à 10 h 02 (heure de Paris). Personne n’est encore là.</p>"
        '<p><a href="https://visio.example.gouv.fr/call/Abc#secret">'
        "Rejoindre la visio : visio.example.gouv.fr/call/Abc#secret</a></p>"
        "<p>Arrêter : <code>!visio fin</code>. Aide : <code>!visio aide</code>.</p>"
    )


def test_a_part_without_a_value_disappears_with_its_punctuation() -> None:
    bare = OPEN.but(subject=None, started_by_name="", url=None)
    assert body(bare) == (
        "Visio ouverte\n"
        "À 10 h 02 (heure de Paris). Personne n’est encore là.\n"
        "Arrêter : !visio fin. Aide : !visio aide."
    )
    assert body(FAILED.but(reference=None, subject="  ")).splitlines() == [
        "Visio impossible",
        "Le serveur des réunions ne répond pas. Aucune réunion n’est ouverte.",
        "Réessayez avec !visio dans quelques minutes.",
    ]


def test_one_person_and_nobody_are_said_as_people_say_them() -> None:
    assert "1 personne : Marie Curie." in body(ACTIVE.but(participants=(MARIE,)))
    assert "Personne en ce moment." in body(ACTIVE.but(participants=()))
    assert body(ENDED.but(came=1)).splitlines()[1].endswith("1 personne est venue.")
    assert body(ENDED.but(came=0)).splitlines()[1].endswith("Personne n’est venu.")
    assert body(ENDED.but(came=0), EN).splitlines()[1].endswith("Nobody came.")


def test_a_meeting_over_midnight_says_the_day_of_its_end() -> None:
    late = ENDED.but(first_join_ts=TEN_OH_TWO + 13 * 60 * MINUTE, ended_ts=TEN_OH_TWO + 15 * 60 * MINUTE)
    assert body(late).splitlines()[1] == (
        "De 23 h 02 à 1 h 02 le 17 novembre (heure de Paris), 2 h. 12 personnes sont venues."
    )


def test_the_length_agrees_with_the_two_times_shown() -> None:
    call = ENDED.but(first_join_ts=TEN_OH_TWO + 59_000, ended_ts=TEN_OH_TWO + 3 * MINUTE + 1_000)
    assert "De 10 h 02 à 10 h 05 (heure de Paris), 3 min." in body(call)


def test_a_meeting_within_one_minute_is_not_said_to_last_from_then_to_then() -> None:
    call = ENDED.but(first_join_ts=TEN_OH_TWO + 1_000, ended_ts=TEN_OH_TWO + 59_000, came=1)
    assert body(call).splitlines()[1] == (
        "À 10 h 02 (heure de Paris), moins d’une minute. 1 personne est venue."
    )
    assert body(call, EN).splitlines()[1] == "At 10:02 (Paris time), less than a minute. 1 person came."
    assert body(call, DE).splitlines()[1] == (
        "Um 10:02 (Ortszeit Paris), weniger als eine Minute. 1 Person war da."
    )


def test_alerts_come_before_anything_is_said() -> None:
    call = ACTIVE.but(
        participants=(MARIE, PAUL, EAR),
        recording=True,
        transcription=True,
        stale_since_ts=TEN_OH_TWO + 3 * MINUTE,
    )
    assert body(call, dataclasses.replace(FR, max_participants=2)).splitlines()[-1] == (
        "Enregistrement en cours. Transcription en cours. Complet : 2 sur 2. "
        "Présence inconnue depuis 10 h 05. 1 à l’écoute."
    )
    assert body(call, dataclasses.replace(EN, max_participants=2)).splitlines()[-1] == (
        "Recording. Transcription on. Full: 2 of 2. Attendance unknown since 10:05. 1 listening."
    )


def test_while_the_sfu_is_silent_an_open_card_does_not_say_that_nobody_is_there() -> None:
    said = body(OPEN.but(stale_since_ts=TEN_OH_TWO + MINUTE))
    assert "Personne" not in said
    assert "Présence inconnue depuis 10 h 03." in said


@pytest.mark.parametrize(
    ("access", "can_admit", "french", "english"),
    [
        (
            "public",
            True,
            "Toute personne qui a ce lien peut entrer.",
            "Anyone with this link can enter.",
        ),
        (
            "restricted",
            True,
            "Un organisateur doit vous faire entrer.",
            "An organiser must let you in.",
        ),
        (
            "restricted",
            False,
            "Personne ne pourra vous faire entrer.",
            "Nobody will be able to let you in.",
        ),
        (
            "trusted",
            False,
            "Sans ProConnect, vous ne pourrez pas entrer.",
            "Without ProConnect you will not be able to enter.",
        ),
    ],
)
def test_the_card_says_who_can_enter(access: str, can_admit: bool, french: str, english: str) -> None:
    call = OPEN.but(access=access)
    assert french in body(call, dataclasses.replace(FR, can_admit=can_admit)).splitlines()
    assert english in body(call, dataclasses.replace(EN, can_admit=can_admit)).splitlines()


def test_a_meeting_that_fell_to_the_service_account_has_nobody_to_let_people_in() -> None:
    call = OPEN.but(access="restricted", ownerless=True)
    assert "Personne ne pourra vous faire entrer." in body(call, dataclasses.replace(FR, can_admit=True))


def test_a_meeting_that_is_only_followed_has_an_owner_who_can_let_people_in() -> None:
    call = OPEN.but(access="restricted", adopted=True)
    assert "Un organisateur doit vous faire entrer." in body(call, dataclasses.replace(FR, can_admit=False))


def test_the_telephone_is_a_way_in() -> None:
    call = OPEN.but(access="public", dial_in=DialIn("+33 1 86 47 11 22", "1234567890"))
    assert (
        "Toute personne qui a ce lien peut entrer. Par téléphone : +33 1 86 47 11 22, code 1234567890."
        in (body(call).splitlines())
    )
    assert "By phone: +33 1 86 47 11 22, code 1234567890." in body(call.but(access=None), EN).splitlines()
    assert "téléphone" not in body(ENDED.but(dial_in=call.dial_in))


def test_the_limit_of_visios_own_meetings_is_not_ours_to_tell() -> None:
    style = dataclasses.replace(FR, max_participants=2)
    assert "Complet : 3 sur 2." in body(ACTIVE, style)
    assert "Complet" not in body(ACTIVE.but(provider="visio"), style)


def test_an_encrypted_room_is_told_that_the_meeting_is_not() -> None:
    call = ACTIVE.but(encrypted_room=True)
    french = dataclasses.replace(FR, app_name="Tchap", native_people=2, native_bridged=True)
    assert body(call, french).splitlines()[-1] == (
        "Attention : ce salon est chiffré de bout en bout, la visio ne l’est pas. "
        "Le bouton d’appel de Tchap ouvre un autre appel, chiffré, sans les personnes de la visio "
        "(2 personnes y sont)."
    )
    assert "mène à la même réunion" not in body(call, french)
    assert body(call, dataclasses.replace(EN, app_name="Element")).splitlines()[-1] == (
        "Note: this room is end-to-end encrypted, the meeting is not. "
        "The call button in Element opens another, encrypted call, without the people of the meeting."
    )
    assert body(call, EN).splitlines()[-1] == "Note: this room is end-to-end encrypted, the meeting is not."


def test_a_followed_meeting_says_since_when_and_how_it_is_let_go_of() -> None:
    call = OPEN.but(adopted=True, subject=None, access="public", sfu_room="room")
    assert body(call) == (
        "Visio ouverte\n"
        "Suivie depuis 10 h 02 (heure de Paris). Personne n’est encore là.\n"
        "Rejoindre la visio : https://visio.example.gouv.fr/call/Abc#secret\n"
        "Toute personne qui a ce lien peut entrer.\n"
        "Ne plus suivre : !visio fin. Aide : !visio aide."
    )
    assert body(call, EN).splitlines()[1] == "Followed since 10:02 (Paris time). Nobody is there yet."
    assert body(call, EN).splitlines()[-1] == "Stop following: !visio end. Help: !visio help."


def test_a_link_that_leads_to_no_meeting_yet_says_so() -> None:
    call = OPEN.but(adopted=True, subject=None, access=None, sfu_room=None)
    assert body(call).splitlines()[1] == (
        "Suivie depuis 10 h 02 (heure de Paris). La réunion n’existe pas encore dans Visio."
    )
    assert "does not exist in Visio yet" in body(call, EN)
    there = call.but(sfu_room="room")
    assert "n’existe pas" not in body(there)
    assert state_signature(there) != state_signature(call)


def test_a_followed_meeting_that_is_let_go_of_is_not_said_to_be_over() -> None:
    call = ENDED.but(adopted=True, subject=None)
    assert body(call) == (
        "Fin du suivi de la visio\n"
        "De 10 h 02 à 10 h 47 (heure de Paris), 45 min. 12 personnes sont venues.\n"
        "Ce salon ne suit plus la réunion, qui continue peut-être.\n"
        "Nouvelle réunion : écrivez !visio"
    )
    assert body(call, EN).splitlines()[0] == "Meeting no longer followed here"
    assert body(call.but(end_reason=EndReason.EMPTY)).splitlines()[0] == "Visio terminée"


def test_a_meeting_that_the_room_lets_go_of_is_said_to_go_on() -> None:
    line = "Ce salon ne suit plus la réunion, qui continue peut-être."
    assert line in body(ENDED.but(adopted=True))
    assert line in body(ENDED.but(end_reason=EndReason.UNTIED))
    assert line not in body(ENDED)
    assert line not in body(ENDED.but(adopted=True, end_reason=EndReason.EMPTY))


def test_where_nobody_can_tell_who_is_in_nothing_is_said_about_it() -> None:
    call = OPEN.but(unseen=True, subject=None, access="public")
    assert body(call) == (
        "Visio ouverte\n"
        "Par Alice, à 10 h 02 (heure de Paris). La présence n’est pas affichée.\n"
        "Rejoindre la visio : https://visio.example.gouv.fr/call/Abc#secret\n"
        "Toute personne qui a ce lien peut entrer.\n"
        "Ne plus suivre : !visio fin. Aide : !visio aide."
    )
    assert "Attendance is not shown." in body(call, EN)
    twelve_hours = call.but(
        state=CallState.ENDED, url=None, ended_ts=TEN_OH_TWO + 720 * MINUTE, end_reason=EndReason.TIMEOUT
    )
    assert body(twelve_hours) == (
        "Fin du suivi de la visio\n"
        "Le lien est resté affiché ici de 10 h 02 à 22 h 02 (heure de Paris).\n"
        "Ce salon ne suit plus la réunion, qui continue peut-être.\n"
        "Nouvelle réunion : écrivez !visio"
    )
    assert body(twelve_hours, EN).splitlines()[1] == "The link stood here from 10:02 to 22:02 (Paris time)."
    at_once = twelve_hours.but(ended_ts=TEN_OH_TWO + MINUTE // 2, end_reason=EndReason.COMMAND)
    assert body(at_once).splitlines()[1] == (
        "Le lien est resté affiché ici moins d’une minute, à 10 h 02 (heure de Paris)."
    )


def test_a_link_that_cannot_be_followed_is_not_said_to_be_bad() -> None:
    call = FAILED.but(adopted=True, subject=None, failure="visio_unreachable")
    assert body(call) == (
        "Visio non suivie\n"
        "Visio ne répond pas. Je ne peux pas suivre cette réunion ; son lien marche peut-être quand même.\n"
        "Réessayez dans quelques minutes : !visio lier <lien>\n"
        "Réf. k3x9"
    )
    broken = body(call.but(failure="visio_nonsense"), dataclasses.replace(EN, support="https://help.example"))
    assert broken.splitlines()[2] == "Trying again will not help; please report it: https://help.example"


def test_kept_names_are_listed_after_the_end() -> None:
    call = ENDED.but(participants=ACTIVE.participants)
    assert body(call, dataclasses.replace(FR, names="keep")).splitlines()[1] == (
        "De 10 h 02 à 10 h 47 (heure de Paris), 45 min. "
        "12 personnes sont venues : Marie Curie, Paul, « Bob » (sans compte) et 9 autres."
    )


def test_the_first_line_changes_only_with_the_state() -> None:
    for change in (ACTIVE.but(participants=()), ACTIVE.but(recording=True), ACTIVE.but(stale_since_ts=1)):
        assert body(change).splitlines()[0] == body(ACTIVE).splitlines()[0]
