"""Answers by their exact words, in French and English: read these as one would read the page."""

from __future__ import annotations

import datetime

import pytest

from bridge.calls.model import ActionKind, Call, CallState, Participant, ParticipantKind
from bridge.commands import answers
from bridge.commands.grammar import parse
from bridge.commands.words import Verb
from bridge.locale import LANGUAGES, Message, Voice
from bridge.projections.style import CardStyle

MINUTE = 60_000
TEN_OH_TWO = int(datetime.datetime(2026, 11, 16, 9, 2, tzinfo=datetime.UTC).timestamp() * 1000)
FR, EN, DE = Voice("fr"), Voice("en"), Voice("de")
URL = "https://visio.example/call/x#y"

MARIE = Participant("marie", "Marie Curie", ParticipantKind.VISIO, True, None, TEN_OH_TWO)
BOB = Participant("bob", "Bob", ParticipantKind.GUEST, False, None, TEN_OH_TWO)
OPEN = Call(
    id="abc",
    room_id="!room:hs.example",
    state=CallState.OPEN,
    provider="livekit",
    started_by="@alice:hs.example",
    started_by_name="Alice",
    started_ts=TEN_OH_TWO,
    subject="Point budget",
    url=URL,
)
ACTIVE = OPEN.but(state=CallState.ACTIVE, first_join_ts=TEN_OH_TWO, participants=(MARIE, BOB))


def test_the_welcome_says_what_is_read_and_how_to_be_rid_of_it() -> None:
    assert answers.welcome(FR, organisation="la DINUM", can_decrypt=True, adopt_links=True).body == (
        "Bonjour, je suis le service Visio de la DINUM. "
        "Pour une réunion vidéo, écrivez !visio (ou !visio Point budget). "
        "Je publie ici le lien, qui est présent, puis la fin. "
        "Je reçois les messages de ce salon et je peux les déchiffrer ; "
        "je ne traite que les commandes !visio et les liens Visio, je ne garde aucun message. "
        "Aide : !visio aide. Pour me retirer, expulsez-moi du salon."
    )
    assert answers.welcome(EN, organisation="DINUM").body == (
        "Hello, I am DINUM's Visio service. "
        "For a video meeting, type !visio (or !visio Budget review). "
        "I post the link here, who is in, then the end. "
        "I receive this room's messages; I act only on !visio commands and keep no message. "
        "Help: !visio help. To remove me, kick me from the room."
    )
    assert answers.welcome(EN, organisation="DINUM", can_decrypt=True, adopt_links=True).body == (
        "Hello, I am DINUM's Visio service. "
        "For a video meeting, type !visio (or !visio Budget review). "
        "I post the link here, who is in, then the end. "
        "I receive this room's messages and can decrypt them; "
        "I act only on !visio commands and Visio links and keep no message. "
        "Help: !visio help. To remove me, kick me from the room."
    )
    assert answers.welcome(FR).body.startswith("Bonjour, je suis le service Visio. Pour une réunion")


def test_the_welcome_is_one_paragraph_with_its_commands_as_code() -> None:
    html = answers.welcome(FR).html
    assert html.count("<p>") == 1
    assert "<code>!visio Point budget</code>" in html


def test_a_direct_chat_says_how_a_room_gets_the_service() -> None:
    bot = "@visio:hs.example"
    assert answers.direct_chat_hint(FR, bot).body == (
        "Pour que !visio marche dans un salon, un administrateur du salon doit m’inviter : @visio:hs.example"
    )
    assert answers.direct_chat_hint(EN, bot).body == (
        "For !visio to work in a room, one of its administrators must invite me: @visio:hs.example"
    )


def test_help_in_french() -> None:
    assert answers.help_text(FR, support="https://aide.example").body == (
        "!visio : ouvrir ou retrouver la réunion\n"
        "!visio Point budget @Marie : l’ouvrir avec un sujet et prévenir Marie\n"
        "!visio appeler @Marie : la prévenir maintenant\n"
        "!visio lien : répéter le lien\n"
        "!visio statut : qui est là\n"
        "!visio lier <lien> : suivre une réunion Visio existante\n"
        "!visio fin : terminer pour tous\n"
        "Organisateurs : !visio muet <nom>, !visio expulser <nom>\n"
        "!visio langue en : switch to English\n"
        "Une question ? https://aide.example"
    )


def test_help_in_english() -> None:
    assert answers.help_text(EN, support="#help:hs.example").body == (
        "!visio: open or find the meeting\n"
        "!visio Budget @Marie: open it with a subject and notify Marie\n"
        "!visio call @Marie: notify her now\n"
        "!visio link: repeat the link\n"
        "!visio status: who is in\n"
        "!visio adopt <link>: follow an existing Visio meeting\n"
        "!visio end: end it for everyone\n"
        "Organisers: !visio mute <name>, !visio kick <name>\n"
        "!visio lang fr: passer en français\n"
        "Questions? #help:hs.example"
    )


def test_help_leaves_out_what_is_not_there() -> None:
    said = answers.help_text(EN, adopt=False, organisers=False).body
    assert "adopt" not in said
    assert "Organisers" not in said
    assert "Questions" not in said


def test_help_shows_a_placeholder_as_text_and_support_as_a_link() -> None:
    html = answers.help_text(FR, support="https://aide.example").html
    assert "<code>!visio lier &lt;lien&gt;</code>" in html
    assert '<a href="https://aide.example">https://aide.example</a>' in html


@pytest.mark.parametrize("voice", [FR, EN, DE])
def test_whatever_help_shows_without_an_argument_is_understood(voice: Voice) -> None:
    for line in answers.help_text(voice).html.split("</code>"):
        command = line.rpartition("<code>")[2]
        if command.startswith("!visio") and "&lt;" not in command and "@" not in command:
            assert parse(command, prefix="!visio") is not None


def test_a_second_opening_gets_the_link() -> None:
    assert answers.already_open(FR, OPEN) == Message(
        "Une visio est déjà ouverte : Point budget\nRejoindre la visio : https://visio.example/call/x#y",
        "<p>Une visio est déjà ouverte : Point budget</p>"
        '<p><a href="https://visio.example/call/x#y">Rejoindre la visio : visio.example/call/x#y</a></p>',
    )
    assert answers.already_open(EN, ACTIVE.but(subject=None)).body == (
        "A meeting is already open.\nJoin the meeting: https://visio.example/call/x#y"
    )


def test_a_subject_given_too_late_is_not_dropped_in_silence() -> None:
    assert answers.already_open(FR, OPEN, wanted="Autre chose").body.splitlines() == [
        "Une visio est déjà ouverte : Point budget",
        "Rejoindre la visio : https://visio.example/call/x#y",
        "La visio ouverte garde son sujet.",
    ]
    assert answers.already_open(EN, OPEN.but(subject=None), wanted="Budget").body.splitlines()[-1] == (
        "The open meeting stays without a subject."
    )
    assert answers.already_open(FR, OPEN, wanted="Point budget") == answers.already_open(FR, OPEN)


def test_the_link_is_repeated_under_the_state() -> None:
    assert answers.link_again(FR, ACTIVE).body == (
        "Visio en cours : Point budget\nRejoindre la visio : https://visio.example/call/x#y"
    )
    assert answers.link_again(EN, OPEN).body == (
        "Meeting open: Point budget\nJoin the meeting: https://visio.example/call/x#y"
    )


def test_a_meeting_that_is_being_opened_has_its_link_in_a_moment() -> None:
    opening = OPEN.but(state=CallState.OPENING, url=None)
    french = "La visio s’ouvre ; son lien sera ici dans un instant."
    assert answers.link_again(FR, opening).body == french
    assert answers.already_open(FR, opening).body == french
    assert answers.status(opening, CardStyle(FR)).body == french


def test_while_visio_does_not_answer_the_link_is_not_promised_for_the_next_moment() -> None:
    waiting = OPEN.but(state=CallState.OPENING, url=None, warned=True)
    french = (
        "Visio ne répond pas pour l’instant. "
        "Je continue d’essayer ; le lien sera ici dès que la visio sera ouverte."
    )
    assert answers.link_again(FR, waiting).body == french
    assert answers.already_open(FR, waiting).body == french
    assert answers.status(waiting, CardStyle(FR)).body == french
    assert answers.being_opened(EN, waiting).body == (
        "Visio is not answering at the moment. I keep trying; the link will be here once the meeting is open."
    )


def test_the_status_says_since_when_and_who() -> None:
    assert answers.status(ACTIVE.but(recording=True), CardStyle(FR)).body == (
        "Visio en cours : Point budget\n"
        "Depuis 10 h 02 (heure de Paris).\n"
        "2 personnes : Marie Curie et « Bob » (sans compte).\n"
        "Enregistrement en cours."
    )
    assert answers.status(OPEN, CardStyle(EN)).body == (
        "Meeting open: Point budget\nBy Alice, at 10:02 (Paris time). Nobody is there yet."
    )
    assert answers.status(OPEN.but(state=CallState.ENDED), CardStyle(EN)).body == (
        "No meeting is open here. Type !visio to open one."
    )


def test_the_status_names_nobody_where_the_card_would_not() -> None:
    for said in (
        answers.status(ACTIVE, CardStyle(FR, names="never")),
        answers.status(ACTIVE, CardStyle(FR), named=False),
    ):
        assert said.body.splitlines()[2] == "2 personnes."


def test_ping_and_version() -> None:
    assert answers.pong(FR).body == "Je suis là."
    assert answers.pong(EN).body == "I am here."
    assert answers.version(FR, "0.1.0").body == "Passerelle 0.1.0"


@pytest.mark.parametrize(
    ("verb", "french", "english"),
    [
        (
            Verb.RING,
            "Pour appeler quelqu’un, tapez @ puis choisissez son nom dans la liste : !visio appeler @Marie",
            "To call somebody, type @ and choose their name in the list: !visio call @Marie",
        ),
        (
            Verb.ADOPT,
            "Pour suivre une réunion Visio existante, donnez son lien : !visio lier <lien>",
            "To follow an existing Visio meeting, give its link: !visio adopt <link>",
        ),
        (
            Verb.MUTE,
            "Pour couper un micro, donnez le nom de la personne tel qu’il est affiché : !visio muet <nom>",
            "To mute somebody, give their name as the card shows it: !visio mute <name>",
        ),
        (
            Verb.KICK,
            "Pour retirer une personne de la visio, donnez son nom tel qu’il est affiché : "
            "!visio expulser <nom>",
            "To remove somebody, give their name as the card shows it: !visio kick <name>",
        ),
        (
            Verb.LANGUAGE,
            "Pour changer ma langue dans ce salon, choisissez parmi fr (français), en (anglais), "
            "de (allemand) : !visio langue fr",
            "To change my language in this room, choose one of fr (French), en (English), "
            "de (German): !visio lang en",
        ),
    ],
)
def test_every_usage_line(verb: Verb, french: str, english: str) -> None:
    assert answers.usage(FR, verb).body == french
    assert answers.usage(EN, verb).body == english


def test_a_near_miss_is_asked_about() -> None:
    assert answers.near_miss(FR, "aide") == Message(
        "Vouliez-vous dire !visio aide ?", "<p>Vouliez-vous dire <code>!visio aide</code> ?</p>"
    )
    assert answers.near_miss(EN, "help").body == "Did you mean !visio help?"


def test_ending_with_many_inside_is_asked_about() -> None:
    assert answers.confirm_end(FR, 80).body == (
        "Terminer pour les 80 personnes ? Écrivez !visio fin oui (1 minute)."
    )
    assert answers.confirm_end(EN, 80).body == "End it for all 80 people? Type !visio end yes (1 minute)."
    assert answers.confirm_end(FR, 1).body == (
        "Terminer pour la personne présente ? Écrivez !visio fin oui (1 minute)."
    )


def test_a_running_encrypted_call_is_asked_about() -> None:
    assert answers.native_call_running(FR, 3).body == (
        "Un appel chiffré est en cours (3 personnes). "
        "Ouvrir une visio séparée, non chiffrée ? Écrivez !visio ouvrir"
    )
    assert answers.native_call_running(EN, 3).body == (
        "An encrypted call is running (3 people). Open a separate, unencrypted meeting? Type !visio open"
    )


def test_a_changed_language_is_said_in_that_language() -> None:
    assert answers.language_changed(FR).body == "Désormais, je parle français dans ce salon."
    assert answers.language_changed(EN).body == "From now on I speak English in this room."
    assert answers.language_changed(DE).body == "Ab jetzt spreche ich in diesem Raum Deutsch."


def test_ringing_names_those_called_with_pills() -> None:
    people = [("@marie:hs.example", "Marie [x]"), ("@paul/2:hs.example", "")]
    said = answers.ring(FR, people, "Alice", OPEN)
    assert said.body == (
        "Marie x, une personne sans nom : Alice vous appelle dans la visio « Point budget ».\n"
        "Rejoindre la visio : https://visio.example/call/x#y"
    )
    assert '<a href="https://matrix.to/#/@marie:hs.example">Marie x</a>' in said.html
    assert 'href="https://matrix.to/#/@paul%2F2:hs.example"' in said.html
    assert answers.ring(EN, people[:1], "Alice", OPEN.but(subject=None)).body.splitlines()[0] == (
        "Marie x: Alice is calling you to the meeting."
    )


def test_at_most_ten_people_are_called_at_once() -> None:
    people = [(f"@p{n}:hs.example", f"P{n}") for n in range(12)]
    said = answers.ring(EN, people, "Alice", OPEN)
    assert "P9:" in said.body
    assert "P10" not in said.body
    assert answers.too_many_called(EN).body == (
        "I have called the first 10 people. For the others, type !visio call again."
    )


def test_who_will_not_hear_a_call_is_told() -> None:
    assert answers.not_in_room(FR, ["Zoé"]).body == (
        "« Zoé » n’est pas dans ce salon et n’entend pas l’appel : invitez d’abord cette personne."
    )
    assert answers.not_in_room(FR, ["Zoé", "Max"]).body == (
        "« Zoé » et « Max » ne sont pas dans ce salon et n’entendent pas l’appel : "
        "invitez d’abord ces personnes."
    )
    assert answers.not_in_room(EN, ["Zoé"]).body == (
        "“Zoé” is not in this room and does not hear the call: invite them first."
    )


def test_nobody_is_called_twice_within_a_minute() -> None:
    assert answers.called_just_now(FR, ["Zoé"]).body == (
        "Zoé : dernier appel il y a moins d’une minute. Attendez un peu avant de rappeler."
    )
    assert answers.called_just_now(EN, ["Zoé", "Max"]).body == (
        "Zoé and Max: called less than a minute ago. Wait a little before calling again."
    )


def test_too_many_commands_are_told_once_with_what_still_works() -> None:
    assert answers.too_many_commands(FR).body == (
        "Trop de commandes dans ce salon. Attendez une minute ; "
        "d’ici là, seules l’ouverture et la fin (!visio fin) marchent."
    )
    assert answers.too_many_commands(EN).body == (
        "Too many commands in this room. Wait a minute; until then only opening and !visio end work."
    )


def test_acting_on_somebody_is_confirmed_by_name() -> None:
    assert answers.muted(FR, MARIE).body == "J’ai coupé le micro de Marie Curie."
    assert answers.muted(FR, "Alice").body == "J’ai coupé le micro de « Alice »."
    assert answers.kicked(FR, BOB).body == "J’ai retiré « Bob » (sans compte) de la visio."
    assert answers.kicked(EN, BOB).body == "I removed “Bob” (guest) from the meeting."
    alice = Participant("a", "Alice", ParticipantKind.VISIO, True, None, 0)
    assert answers.muted(FR, alice).body == "J’ai coupé le micro d’Alice."


def test_an_ambiguous_name_is_listed_and_an_unknown_one_quoted() -> None:
    later = Participant("bob2", "Bob", ParticipantKind.PHONE, False, None, TEN_OH_TWO + 3 * MINUTE)
    assert answers.ambiguous_name(FR, ActionKind.MUTE, "bob", [BOB, later], near=TEN_OH_TWO).body == (
        "Ce nom désigne plusieurs personnes :\n"
        "1 : « Bob » (sans compte), depuis 10 h 02\n"
        "2 : « Bob » (par téléphone), depuis 10 h 05\n"
        "Je n’ai rien fait. Pour dire qui, ajoutez le numéro : !visio muet bob 2"
    )
    assert answers.ambiguous_name(EN, ActionKind.KICK, "bob", [BOB, MARIE], near=TEN_OH_TWO).body == (
        "This name fits several people:\n"
        "1: “Bob” (guest), since 10:02\n"
        "2: Marie Curie, since 10:02\n"
        "I did nothing. To say who, add the number: !visio kick bob 2"
    )
    assert answers.nobody_called(FR, "Zoé").body == (
        "Personne ne s’appelle « Zoé » dans la visio. Pour voir qui est là, écrivez !visio statut"
    )
    assert answers.nobody_called(EN, "<b>” @room").html.startswith(
        "<p>Nobody in the meeting is called “&lt;b&gt;'”."
    )


def test_the_content_is_a_notice_that_mentions_nobody() -> None:
    assert answers.to_content(answers.pong(FR)) == {
        "msgtype": "m.notice",
        "body": "Je suis là.",
        "format": "org.matrix.custom.html",
        "formatted_body": "<p>Je suis là.</p>",
        "m.mentions": {},
    }


def test_the_content_of_a_ring_mentions_those_called() -> None:
    content = answers.to_content(answers.pong(FR), mentions=["@marie:hs.example"], msgtype="m.text")
    assert content["msgtype"] == "m.text"
    assert content["m.mentions"] == {"user_ids": ["@marie:hs.example"]}


def test_an_answer_in_a_thread_stays_in_the_thread() -> None:
    said = answers.pong(FR)
    assert answers.to_content(said, thread="$root")["m.relates_to"] == {
        "rel_type": "m.thread",
        "event_id": "$root",
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": "$root"},
    }
    assert answers.to_content(said, thread="$root", reply_to="$asked")["m.relates_to"] == {
        "rel_type": "m.thread",
        "event_id": "$root",
        "is_falling_back": False,
        "m.in_reply_to": {"event_id": "$asked"},
    }
    assert answers.to_content(said, reply_to="$asked")["m.relates_to"] == {
        "m.in_reply_to": {"event_id": "$asked"}
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_people_wrote_never_becomes_html(language: str) -> None:
    voice = Voice(language)
    evil = "<script>alert(1)</script>"
    villain = Participant("x", evil, ParticipantKind.GUEST, False, None, 0)
    call = ACTIVE.but(subject=evil, started_by_name=evil, participants=(villain,))
    for message in (
        answers.already_open(voice, call),
        answers.link_again(voice, call),
        answers.status(call, CardStyle(voice)),
        answers.ring(voice, [("@x:hs.example", evil)], evil, call),
        answers.muted(voice, villain),
        answers.kicked(voice, evil),
        answers.ambiguous_name(voice, ActionKind.MUTE, evil, [villain, villain], near=0),
        answers.not_in_room(voice, [evil]),
        answers.called_just_now(voice, [evil]),
        answers.nobody_called(voice, evil),
        answers.help_text(voice, support=evil),
        answers.welcome(voice, organisation=evil),
    ):
        assert "<script" not in message.html
        assert "&lt;script&gt;" in message.html
