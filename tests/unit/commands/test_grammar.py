from __future__ import annotations

import functools
import timeit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.commands.grammar import (
    Adopt,
    Command,
    End,
    Help,
    Kick,
    Link,
    Mute,
    NearMiss,
    Open,
    OpenSeparate,
    Ping,
    Ring,
    SetLanguage,
    Status,
    Usage,
    Version,
    concerns_us,
    parse,
)
from bridge.commands.words import WORDS, Verb

PREFIX = "!visio"
MARIE, PAUL = "@marie:hs.example", "@paul:hs.example"
NBSP, NNBSP = "\u00a0", "\u202f"


def said(text: str, direct: bool = False, **more: object) -> Command | NearMiss | None:
    return parse(text, prefix=PREFIX, direct=direct, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("!visio", Open()),
        ("!visio Point budget", Open("Point budget")),
        ("!visio aide", Help()),
        ("!visio help", Help()),
        ("!visio Hilfe", Help()),
        ("!visio ?", Help()),
        ("!visio lien", Link()),
        ("!visio link", Link()),
        ("!visio statut", Status()),
        ("!visio status", Status()),
        ("!visio ping", Ping()),
        ("!visio version", Version()),
        ("!visio ouvrir", OpenSeparate()),
        ("!visio open", OpenSeparate()),
        ("!visio fin", End()),
        ("!visio end", End()),
        ("!visio stop", End()),
        ("!visio terminer", End()),
        ("!visio arrêter", End()),
        ("!visio stopper", End()),
        ("!visio arreter oui", End(confirmed=True)),
        ("!visio ende", End()),
        ("!visio öffnen", OpenSeparate()),
        ("!visio fin oui", End(confirmed=True)),
        ("!visio end yes", End(confirmed=True)),
        ("!visio ende ja", End(confirmed=True)),
        ("!visio langue en", SetLanguage("en")),
        ("!visio lang fr", SetLanguage("fr")),
        ("!visio langue Français", SetLanguage("fr")),
        ("!visio sprache Deutsch", SetLanguage("de")),
        ("!visio muet Bob", Mute("Bob")),
        ("!visio mute « Bob l’éponge »", Mute("Bob l’éponge")),
        ("!visio expulser Bob", Kick("Bob")),
        ("!visio kick Bob", Kick("Bob")),
        (f"!visio appeler {MARIE}", Ring((MARIE,))),
        (f"!visio invite {MARIE} {PAUL}", Ring((MARIE, PAUL))),
        (f"!visio anrufen {MARIE}", Ring((MARIE,))),
        ("!visio stumm Bob", Mute("Bob")),
        ("!visio entfernen Bob", Kick("Bob")),
        ("!visio folgen https://visio.example/abc-defg-hij", Adopt("https://visio.example/abc-defg-hij")),
        ("!visio lier https://visio.example/abc-defg-hij", Adopt("https://visio.example/abc-defg-hij")),
        ("!visio adopt <https://visio.example/abc>", Adopt("https://visio.example/abc")),
        ("!visio lier visio.example/abc", Adopt("https://visio.example/abc")),
    ],
)
def test_every_command_is_understood(text: str, command: Command) -> None:
    assert said(text) == command


@pytest.mark.parametrize(
    "text",
    [
        "!visio aide",
        "!VISIO AIDE",
        "! visio aide",
        f"!{NBSP}visio aide",
        f"!{NNBSP}Visio{NBSP}aide",
        "!visio aide !",
        "!visio   aide.",
        "!visio aide\nmerci",
        "!visio aide\r\nmerci",
        "> <@bob:hs.example> on se voit ?\n> oui\n\n!visio aide",
    ],
)
def test_the_prefix_is_found_as_people_type_it(text: str) -> None:
    assert said(text) == Help()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bonjour",
        "visio",
        "visio aide",
        "!visiofoo",
        "!visio-conference",
        "!visioaide",
        "voici !visio",
        "bonjour\n!visio",
        "> !visio",
        "> <@bob:hs.example> !visio aide\n\nmerci",
        ">!visio fin\nnon",
        "!!visio",
        "!",
        "\n!visio",
    ],
)
def test_what_is_not_for_us_is_not_a_command(text: str) -> None:
    assert said(text) is None


@pytest.mark.parametrize(
    "subject",
    [
        "fin de projet",
        "end of year",
        "stop au gaspillage",
        "terminer le budget",
        "aide sociale",
        "lien avec la région",
        "statut des agents",
        "version 2 du site",
        "ping pong",
        "ouvrir les données",
        "open data",
        "status quo",
        "Sprache und Kultur",
        "Folgen der Krise",
        "Anrufen der Kundschaft",
        "Einladen zum Fest",
        "arrêter le tabac",
        "quitter la ville",
        "fin oui mais",
        "fin oui non",
        "kickoff",
        "finance",
        "Budget",
        "Helpdesk",
    ],
)
def test_a_word_counts_as_a_command_only_alone_or_with_a_valid_argument(subject: str) -> None:
    assert said(f"!visio {subject}") == Open(subject)


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("!visio lier", Verb.ADOPT),
        ("!visio lier les deux réunions", Verb.ADOPT),
        ("!visio lier https://", Verb.ADOPT),
        ("!visio lier ftp://visio.example/x", Verb.ADOPT),
        ("!visio lier javascript:alert(1)", Verb.ADOPT),
        ("!visio lier https://visio.example@evil.example/x", Verb.ADOPT),
        ("!visio lier https://visio.example:port/x", Verb.ADOPT),
        ("!visio adopt https://[::1/x", Verb.ADOPT),
        ("!visio appeler", Verb.RING),
        ("!visio appeler Marie", Verb.RING),
        ("!visio call for papers", Verb.RING),
        ("!visio langue", Verb.LANGUAGE),
        ("!visio langue es", Verb.LANGUAGE),
        ("!visio lang des signes", Verb.LANGUAGE),
        ("!visio en", Verb.LANGUAGE),
        ("!visio fr", Verb.LANGUAGE),
        ("!visio muet", Verb.MUTE),
        ("!visio mute «»", Verb.MUTE),
        ("!visio expulser", Verb.KICK),
        ("!visio kick \u202e", Verb.KICK),
        ("!visio folgen", Verb.ADOPT),
        ("!visio anrufen", Verb.RING),
        ("!visio Sprache", Verb.LANGUAGE),
    ],
)
def test_a_word_that_always_counts_gets_its_usage_line(text: str, verb: Verb) -> None:
    assert said(text) == Usage(verb)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("!visio hlep", "help"),
        ("!visio aied", "aide"),
        ("!visio statuts", "statut"),
        ("!visio terminé", "terminer"),
        ("!visio fini", "fin"),
        ("!visio satus !", "status"),
        ("!visio arrete", "arrêter"),
    ],
)
def test_a_lone_near_miss_is_asked_about(text: str, word: str) -> None:
    assert said(text) == NearMiss(word)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("!visio quitter", "fin"),
        ("!visio Raccrocher !", "fin"),
        ("!visio leave", "end"),
        ("!visio cancel", "end"),
        ("!visio verlassen", "ende"),
        ("!visio schließen", "ende"),
    ],
)
def test_who_wants_out_is_asked_whether_they_mean_the_end(text: str, word: str) -> None:
    assert said(text) == NearMiss(word)


@pytest.mark.parametrize("text", ["!visio hlep moi", "!visio : hlep", "!visio:fini"])
def test_a_near_miss_that_is_not_alone_or_forced_is_a_subject(text: str) -> None:
    assert isinstance(said(text), Open)


@pytest.mark.parametrize(
    "text",
    [
        "!visio : fin de projet",
        "!visio: fin de projet",
        "!visio :fin de projet",
        f"!visio{NBSP}: fin de projet",
        f"!visio{NNBSP}:{NBSP}fin de projet",
        "! Visio : fin de projet",
    ],
)
def test_a_colon_forces_a_subject(text: str) -> None:
    assert said(text) == Open("fin de projet")


def test_a_colon_makes_even_a_command_word_a_subject() -> None:
    assert said("!visio : aide") == Open("aide")
    assert said("!visio : lier") == Open("lier")
    assert said("!visio :") == Open()


def test_mentions_are_taken_out_of_the_subject_and_kept() -> None:
    html = f'!visio Point budget <a href="https://matrix.to/#/{MARIE}">Marie</a>'
    assert said("!visio Point budget Marie", mentions=[MARIE], formatted=html) == Open(
        "Point budget", (MARIE,)
    )
    assert said("!visio Point budget @Marie", mentions=[MARIE]) == Open("Point budget", (MARIE,))
    assert said(f"!visio {MARIE}") == Open(None, (MARIE,))
    assert said("!visio @room Point budget") == Open("Point budget")


def test_a_command_word_beside_a_mention_is_asked_about() -> None:
    assert said(f"!visio lien {MARIE}") == NearMiss("lien")
    assert said(f"!visio fin {MARIE}") == NearMiss("fin")


def test_somebody_can_be_muted_by_mention() -> None:
    html = f'!visio muet <a href="https://matrix.to/#/{MARIE}">Marie</a>'
    assert said("!visio muet Marie", mentions=[MARIE], formatted=html) == Mute("Marie", (MARIE,))


def test_a_subject_is_one_safe_line_of_at_most_a_hundred_characters() -> None:
    command = said("!visio \u202ebudget\x00 2027\u200b " + "x" * 60_000 + "\nsecond line")
    assert isinstance(command, Open)
    assert command.subject is not None
    assert command.subject.startswith("budget 2027 xxx")
    assert len(command.subject) == 100
    assert command.subject.endswith("…")


def test_a_subject_keeps_html_and_brackets_as_text() -> None:
    assert said("!visio <b>[ANCT]</b> Budget") == Open("<b>[ANCT]</b> Budget")


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("visio", Open()),
        ("Visio Point budget", Open("Point budget")),
        ("!visio aide", Help()),
        ("visio aide", Help()),
        ("aide", Help()),
        (" Help ", Help()),
        ("fin", End()),
        ("lier", Usage(Verb.ADOPT)),
        ("visio : aide", Open("aide")),
        ("visio hlep", NearMiss("help")),
    ],
)
def test_in_a_direct_chat_the_prefix_may_lose_its_sign_and_a_word_stands_alone(
    text: str, command: Command
) -> None:
    assert said(text, direct=True) == command


@pytest.mark.parametrize(
    "text", ["bonjour", "visioconférence", "aide moi", "fin de projet", "hlep", "aide!", ": aide", "> aide"]
)
def test_in_a_direct_chat_ordinary_talk_is_not_a_command(text: str) -> None:
    assert said(text, direct=True) is None


def test_another_prefix_is_obeyed() -> None:
    assert parse("!reunion aide", prefix="!reunion") == Help()
    assert parse("!visio aide", prefix="!reunion") is None
    assert parse("Passerelle aide", prefix="passerelle") == Help()
    assert concerns_us("Passerelle aide", "passerelle", direct=False)
    assert parse("/v.c aide", prefix="/v.c") == Help()
    assert parse("/vxc aide", prefix="/v.c") is None


heads = st.sampled_from(
    [
        "!visio",
        "! visio",
        "!VISIO ",
        f"!{NBSP}visio",
        "visio",
        "Visio :",
        "> a\n\n!visio",
        "> !visio",
        "!",
        "",
        "!vis",
    ]
)
tails = st.one_of(
    st.text(max_size=60),
    st.builds(" {} {}".format, st.sampled_from(sorted(WORDS)), st.text(max_size=30)),
    st.sampled_from(sorted(WORDS)),
)
texts = st.one_of(st.text(max_size=80), st.builds("{}{}".format, heads, tails))
mention_lists = st.lists(st.sampled_from([MARIE, PAUL, "x", ""]), max_size=3)


@given(texts, st.booleans(), st.sampled_from(["!visio", "visio", "/v", "§visio"]))
@example("> x\n!visio", False, "!visio")
@example(">\n\naide", True, "!visio")
@example("ﬁn", True, "!visio")
@example("viſio", False, "visio")
def test_the_cheap_filter_lets_through_exactly_what_can_be_a_command(
    text: str, direct: bool, prefix: str
) -> None:
    accepted = parse(text, prefix=prefix, direct=direct) is not None
    assert concerns_us(text, prefix, direct) == accepted


@given(texts, st.booleans(), mention_lists, st.none() | st.text(max_size=80))
def test_any_text_is_parsed_without_error_and_subjects_are_safe(
    text: str, direct: bool, mentions: list[str], formatted: str | None
) -> None:
    command = said(text, direct=direct, mentions=mentions, formatted=formatted)
    if isinstance(command, Open) and command.subject is not None:
        assert 0 < len(command.subject) <= 100
        assert command.subject.isprintable()
        assert "@room" not in command.subject.lower()
    if isinstance(command, Ring):
        assert command.mentions
    if isinstance(command, NearMiss):
        assert not isinstance(said(f"!visio {command.word}"), Open | NearMiss)


@given(st.text(st.characters(exclude_characters="\n"), max_size=40))
def test_a_quoted_line_is_never_a_command(quoted: str) -> None:
    assert said(f"> !visio {quoted}") is None
    assert said(f"> !visio {quoted}\n> !visio fin\n\nmerci") is None


@given(st.sampled_from(sorted(WORDS)), st.sampled_from(["{}", "{} ", "  {}", "{} !", "{}."]))
def test_every_word_alone_is_a_command_in_any_case(word: str, shape: str) -> None:
    lower = said("!visio " + shape.format(word))
    assert lower is not None
    assert said("!VISIO " + shape.format(word.upper())) == lower
    assert not isinstance(lower, Open)


def test_the_cheap_filter_is_cheap_for_what_is_not_ours() -> None:
    rounds = 20_000
    for text in ("bonjour à tous, on se voit demain ?", "x" * 60_000):
        ask = functools.partial(concerns_us, text, PREFIX, False)
        best = min(timeit.repeat(ask, number=rounds, repeat=5))
        assert best / rounds < 5e-6
