from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.calls.ports import Links
from bridge.providers.visio.links import MAX_LINKS, VisioLinks, normal_slug

URL = "https://visio.numerique.gouv.fr"
LINK = f"{URL}/abc-defg-hij"
LINKS = VisioLinks(URL, ["visio.example.org"])


def test_they_fill_the_port() -> None:
    links: Links = LINKS
    assert links.read(LINK) == LINK


@pytest.mark.parametrize(
    "written",
    [
        LINK,
        f"  {LINK}\n",
        f"{URL}/ABC-defg-HIJ",
        f"{URL}/abcdefghij",
        f"{URL}/abcdefg-hij",
        f"{LINK}/",
        f"{LINK}?silentLogin=false",
        f"{LINK}/?hideLogin",
        f"{LINK}#",
        f"Https://{LINK.removeprefix('https://')}",
    ],
)
def test_a_link_is_read_in_the_forms_that_visio_itself_takes(written: str) -> None:
    assert LINKS.read(written) == LINK


def test_digits_may_stand_in_a_slug() -> None:
    assert LINKS.read(f"{URL}/a1c-2efg-h3j") == f"{URL}/a1c-2efg-h3j"


def test_a_further_host_keeps_its_name() -> None:
    assert LINKS.read("https://visio.example.org/abcdefghij") == "https://visio.example.org/abc-defg-hij"


HOSTILE = [
    # The host only looks right.
    "https://VISIO.numerique.gouv.fr/abc-defg-hij",
    "https://vlsio.numerique.gouv.fr/abc-defg-hij",
    "https://visio.numerique.gouv.fr.evil.example/abc-defg-hij",
    "https://evil.example/visio.numerique.gouv.fr/abc-defg-hij",
    "https://xvisio.numerique.gouv.fr/abc-defg-hij",
    "https://numerique.gouv.fr/abc-defg-hij",
    "https://visio.numerique.gouv.fr./abc-defg-hij",
    "https://visio.numerique.gouv.fr:443/abc-defg-hij",
    "https://visio.numerique.gouv.fr:8443/abc-defg-hij",
    "https://visio.numerique.gouv.fr:/abc-defg-hij",
    "https://xn--vsio-3va.numerique.gouv.fr/abc-defg-hij",
    "https://v\u0456sio.numerique.gouv.fr/abc-defg-hij",
    "https://visio.numerique.gouv\u3002fr/abc-defg-hij",
    "https://visio\u00ad.numerique.gouv.fr/abc-defg-hij",
    "https://\u200bvisio.numerique.gouv.fr/abc-defg-hij",
    "https://visio.numerique.gouv.fr\u200b/abc-defg-hij",
    "https://visio.numerique.gouv.fr\u2044abc-defg-hij",
    "https://visio%2Enumerique.gouv.fr/abc-defg-hij",
    "https://visio.numerique.gouv.fr%2Fabc-defg-hij",
    "https://[::1]/abc-defg-hij",
    # Somebody before the host.
    "https://visio.numerique.gouv.fr@evil.example/abc-defg-hij",
    "https://evil@visio.numerique.gouv.fr/abc-defg-hij",
    "https://user:word@visio.numerique.gouv.fr/abc-defg-hij",
    "https://visio.numerique.gouv.fr\\@evil.example/abc-defg-hij",
    "https://visio.numerique.gouv.fr#@evil.example/abc-defg-hij",
    "https://visio.numerique.gouv.fr?@evil.example/abc-defg-hij",
    # Slashes and schemes.
    "http://visio.numerique.gouv.fr/abc-defg-hij",
    "ftp://visio.numerique.gouv.fr/abc-defg-hij",
    "javascript://visio.numerique.gouv.fr/abc-defg-hij",
    "https:/visio.numerique.gouv.fr/abc-defg-hij",
    "https:\\\\visio.numerique.gouv.fr\\abc-defg-hij",
    "https:///visio.numerique.gouv.fr/abc-defg-hij",
    "https://visio.numerique.gouv.fr//abc-defg-hij",
    "https://visio.numerique.gouv.fr\\abc-defg-hij",
    "//visio.numerique.gouv.fr/abc-defg-hij",
    "visio.numerique.gouv.fr/abc-defg-hij",
    # The slug is none.
    "https://visio.numerique.gouv.fr",
    "https://visio.numerique.gouv.fr/",
    "https://visio.numerique.gouv.fr/abc-defg-hi",
    "https://visio.numerique.gouv.fr/abc-defg-hijk",
    "https://visio.numerique.gouv.fr/ab-cdefg-hij",
    "https://visio.numerique.gouv.fr/abc--defg-hij",
    "https://visio.numerique.gouv.fr/abc_defg_hij",
    "https://visio.numerique.gouv.fr/\u00e0bc-defg-hij",
    "https://visio.numerique.gouv.fr/abc-defg-h\u0131j",
    "https://visio.numerique.gouv.fr/abc-de\u212ag-hij",
    "https://visio.numerique.gouv.fr/abc%2Ddefg%2Dhij",
    "https://visio.numerique.gouv.fr/abc-defg-hij%00",
    "https://visio.numerique.gouv.fr/abc-defg-hij%0d%0aHost:evil",
    "https://visio.numerique.gouv.fr/../abc-defg-hij",
    "https://visio.numerique.gouv.fr/abc-defg-hij/..",
    "https://visio.numerique.gouv.fr/abc-defg-hij//",
    "https://visio.numerique.gouv.fr/abc-defg-hij/admin",
    "https://visio.numerique.gouv.fr/api/v1.0/rooms/abc-defg-hij",
    "https://visio.numerique.gouv.fr/abc-defg-hij;evil",
    "https://visio.numerique.gouv.fr/abc-defg-hij\\..\\",
    "https://visio.numerique.gouv.fr/abc-defg-hij?a b",
    "https://visio.numerique.gouv.fr/abc-defg-hij#secret",
    "https://visio.numerique.gouv.fr/abc-defg-hij?x#secret",
    "https://visio.numerique.gouv.fr/abc-defg-hij?" + "x" * 1000,
    "https://visio.numerique.gouv.fr/abc-defg\n-hij",
    "https://visio.numerique.gouv.fr/abc-defg-hij https://visio.numerique.gouv.fr/abc-defg-hij",
    "abc-defg-hij",
    "",
]


@pytest.mark.parametrize("written", HOSTILE)
def test_what_only_looks_like_a_link_is_not_read(written: str) -> None:
    assert LINKS.read(written) is None
    assert LINKS.slug(written) is None


@settings(deadline=None)
@given(st.text(max_size=80))
@example("@evil.example/abc-defg-hij")
@example(".evil.example/abc-defg-hij")
@example(":8443/abc-defg-hij")
def test_whatever_follows_the_host_only_a_slug_comes_out(rest: str) -> None:
    link = LINKS.read(URL + rest)
    assert link is None or (
        rest.startswith("/") and normal_slug(link.removeprefix(f"{URL}/")) == link.removeprefix(f"{URL}/")
    )


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_gives_links_to_configured_hosts_or_none(text: str) -> None:
    for link in (LINKS.read(text), *LINKS.find(text)):
        assert link is None or link.rpartition("/")[0] in (URL, "https://visio.example.org")


@settings(deadline=None)
@given(st.from_regex(r"[A-Za-z0-9]{3}-?[A-Za-z0-9]{4}-?[A-Za-z0-9]{3}", fullmatch=True))
def test_a_normal_slug_stays_as_it_is(slug: str) -> None:
    normal = normal_slug(slug)
    assert normal is not None
    assert normal_slug(normal) == normal == normal.lower()
    assert LINKS.read(f"{URL}/{slug}") == f"{URL}/{normal}"


@pytest.mark.parametrize(
    "text",
    [
        LINK,
        f"On se retrouve ici : {LINK}",
        f"{LINK}, à tout de suite",
        f"({LINK}).",
        f"<{LINK}>",
        f"[la réunion]({LINK})",
        f"**{LINK}**",
        f"_{LINK}_",
        f"« {LINK} »",
        f"«{LINK}»!",
        f'"{LINK}"?',
        f"Point budget\n\n{LINK}\n",
        f"Lien:{LINK}",
        f"{LINK} {URL}/ABCDEFGHIJ",
        f"> {URL}/zzz-zzzz-zzz\n\n{LINK}",
    ],
)
def test_a_link_is_found_in_a_sentence(text: str) -> None:
    assert LINKS.find(text) == (LINK,)


@pytest.mark.parametrize(
    "text",
    [
        "Bonjour",
        f"> {LINK}",
        f"  > {LINK}",
        f"https://evil.example/?next={LINK}",
        f"https://evil.example/{LINK}",
        f"x{LINK}",
        f"{LINK}-notes",
        f"{LINK}/notes",
        "\n" * 30 + LINK,
        "x" * 5000 + " " + LINK,
    ],
)
def test_other_texts_hold_no_link(text: str) -> None:
    assert LINKS.find(text) == ()


@pytest.mark.parametrize("written", HOSTILE)
def test_look_alikes_in_a_sentence_are_not_found(written: str) -> None:
    if LINK not in written:
        assert LINKS.find(f"Voici {written} !") == ()


def test_of_many_links_a_few_are_taken() -> None:
    many = " ".join(f"{URL}/abc-defg-hi{letter}" for letter in "abcdefgh")
    assert LINKS.find(many) == tuple(f"{URL}/abc-defg-hi{letter}" for letter in "abcdefgh"[:MAX_LINKS])


def test_the_slug_is_what_visio_is_asked_with() -> None:
    assert LINKS.slug(f"{URL}/ABCdefghij?x=1") == "abc-defg-hij"


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://Visio.Example.org/", "https://visio.example.org/abc-defg-hij"),
        ("https://visio.example.org:443", "https://visio.example.org/abc-defg-hij"),
        ("https://visio.example.org:8443", "https://visio.example.org:8443/abc-defg-hij"),
        ("http://127.0.0.1:8071", "http://127.0.0.1:8071/abc-defg-hij"),
        ("https://example.org/visio", "https://example.org/visio/abc-defg-hij"),
    ],
)
def test_the_configured_address_is_taken_as_browsers_write_it(url: str, link: str) -> None:
    assert VisioLinks(url).read(link) == link


def test_only_on_this_machine_does_a_further_host_do_without_tls() -> None:
    links = VisioLinks(URL, ["localhost:3000", "visio.example.org"])
    assert links.read("http://localhost:3000/abc-defg-hij")
    assert not links.read("http://localhost/abc-defg-hij")
    assert not links.read("http://visio.example.org/abc-defg-hij")
