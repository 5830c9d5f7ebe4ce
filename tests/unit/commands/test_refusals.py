"""Refusals by their exact words, in French and English."""

from __future__ import annotations

from typing import get_args

import pytest

from bridge.calls.model import Call, CallState
from bridge.commands import refusals
from bridge.locale import LANGUAGES, Voice

FR, EN = Voice("fr"), Voice("en")


def test_peer_not_answering() -> None:
    assert refusals.peer_not_answering(FR, "k3x9").body == (
        "Visio ne répond pas. Je réessaie pendant 1 minute ; inutile de recommencer. Réf. k3x9"
    )
    assert refusals.peer_not_answering(EN, "k3x9").body == (
        "Visio is not answering. I will keep trying for 1 minute; no need to repeat. Ref. k3x9"
    )


def test_not_allowed_to_open() -> None:
    assert refusals.not_allowed_to_open(FR, ask="Alice").body == (
        "Dans ce salon, seuls les modérateurs peuvent ouvrir une visio. Demandez à Alice."
    )
    assert refusals.not_allowed_to_open(EN, ask="Alice").body == (
        "In this room only moderators can open a meeting. Ask Alice."
    )
    assert refusals.not_allowed_to_open(FR, servers=["a.example", "b.example"]).body == (
        "Dans ce salon, seuls les membres de a.example et b.example peuvent ouvrir une visio."
    )
    assert refusals.not_allowed_to_open(EN, servers=["a.example"]).body == (
        "In this room only members of a.example can open a meeting."
    )


def test_nothing_to_end_or_not_yours() -> None:
    assert refusals.nothing_open(FR).body == (
        "Aucune visio n’est ouverte ici. Écrivez !visio pour en ouvrir une."
    )
    assert refusals.nothing_open(EN).body == "No meeting is open here. Type !visio to open one."
    assert refusals.not_yours(FR, "Alice").body == (
        "Seuls Alice et les modérateurs peuvent terminer cette visio ; vous pouvez simplement la quitter."
    )
    assert refusals.not_yours(EN, "Alice").body == (
        "Only Alice and moderators can end this meeting; you can simply leave it."
    )


def test_not_an_organiser_and_not_a_moderator() -> None:
    assert refusals.not_an_organiser(FR, "Alice").body == (
        "Dans cette visio, seuls Alice et les modérateurs peuvent faire cela. Adressez-vous à eux."
    )
    assert refusals.not_a_moderator(FR).body == (
        "Dans ce salon, seuls les modérateurs peuvent faire cela. Adressez-vous à l’un d’eux."
    )


def test_unreadable_messages_and_rooms() -> None:
    assert refusals.unreadable(FR, "k3x9").body == (
        "Je n’ai pas pu lire votre message chiffré. Renvoyez-le ; si cela continue, "
        "vérifiez votre appareil (Paramètres > Sessions). Réf. k3x9"
    )
    assert refusals.unreadable(EN, "k3x9").body == (
        "I could not read your encrypted message. Send it again; if it persists, "
        "verify your device (Settings > Sessions). Ref. k3x9"
    )
    assert refusals.cannot_read_here(FR).body == (
        "Ce salon est chiffré de bout en bout et je ne sais pas encore y lire les messages : "
        "!visio n’y marche donc pas. Utilisez-le dans un salon non chiffré."
    )


def test_a_refused_server() -> None:
    assert refusals.cannot_speak(FR, "hs.example", "DINUM").body == (
        "Les membres de hs.example ne peuvent pas parler dans cette visio (règle de DINUM)."
    )
    assert refusals.cannot_speak(EN, "hs.example", "DINUM").body == (
        "Members of hs.example cannot speak in this meeting (DINUM's rule)."
    )


def test_a_missed_command() -> None:
    assert refusals.missed_command(FR).body == (
        "J’étais arrêté quand vous avez écrit !visio. Réécrivez-le si vous en avez encore besoin."
    )
    assert refusals.missed_command(EN).body == (
        "I was down when you typed !visio. Type it again if you still need it."
    )


def test_something_went_wrong_and_cannot_adopt() -> None:
    assert refusals.something_went_wrong(EN, "k3x9").body == (
        "Something went wrong and I could not do that. Try again in a few minutes. Ref. k3x9"
    )
    assert refusals.cannot_adopt(FR).body == (
        "Je ne peux pas suivre de réunion existante ici. Pour en ouvrir une nouvelle, écrivez !visio"
    )


def test_a_link_that_cannot_be_followed() -> None:
    visio = "https://visio.example"
    assert refusals.no_visio_link(FR, "https://evil.example/abc-defg-hij", visio).body == (
        "Je ne peux suivre que les réunions de visio.example."
    )
    assert refusals.no_visio_link(FR, "https://visio.example/about", visio).body == (
        "Ce lien ne désigne aucune réunion. Le lien d’une réunion ressemble à ceci : "
        "https://visio.example/abc-defg-hij"
    )
    assert refusals.no_visio_link(EN, "https://visio.example.evil.example/abc-defg-hij", visio).body == (
        "I can follow only meetings of visio.example."
    )
    assert refusals.no_visio_link(FR, "https://evil.example/x", "https://app.visio.example/").body == (
        "Je ne peux suivre que les réunions d’app.visio.example."
    )


def test_one_call_in_a_room_is_enough() -> None:
    call = Call("c", "!r", CallState.OPEN, "visio", "@a:hs", "a", 0, subject="Point <b>")
    assert refusals.another_open(FR, call).body == (
        "Une autre visio est ouverte ici : Point <b>\nPour suivre ce lien, terminez-la d’abord : !visio fin"
    )
    assert "&lt;b&gt;" in refusals.another_open(FR, call).html
    assert refusals.another_open(EN, call.but(subject=None)).body.startswith("Another meeting is open here.")


def test_who_may_not_have_a_meeting_followed() -> None:
    assert refusals.not_allowed_to_follow(FR, servers=["a.example"]).body == (
        "Dans ce salon, seuls les membres de a.example peuvent faire suivre une réunion."
    )


def test_whoever_knows_a_link_is_no_organiser() -> None:
    assert refusals.not_our_meeting(FR).body == (
        "Je ne fais que suivre cette réunion. Ses organisateurs peuvent le faire, dans la réunion."
    )
    assert refusals.nobody_seen(EN).body == (
        "I cannot see who is in this meeting. Its organisers can do that, inside the meeting."
    )


def test_an_invitation_is_refused_with_a_reason() -> None:
    assert refusals.invitation_refused(FR, "server") == (
        "Ce service n’accepte pas les invitations venant de votre serveur."
    )
    assert refusals.invitation_refused(EN, "user") == (
        "This service does not accept your invitation. Ask your administrator."
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_is_a_sentence(language: str) -> None:
    voice = Voice(language)
    reasons = [refusals.invitation_refused(voice, why) for why in get_args(refusals.InvitationRefusal)]
    reasons += [refusals.leave_reason(voice, why) for why in get_args(refusals.LeaveReason)]
    assert len(set(reasons)) == len(reasons)
    assert all(reason.endswith(".") and "`" not in reason for reason in reasons)
