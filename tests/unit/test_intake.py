"""What is kept of events, and what never leaves the memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from appservice.namespace import Namespace
from appservice.transaction import Interest
from bridge.commands.grammar import concerns_us
from bridge.intake import interest

LINK = "https://visio.example/abc-defg-hij"
KEY = "Suivre cette visio"
DIRECT = "!direct:hs"


def links_in(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split() if word.startswith(LINK))


@pytest.fixture
def wanted() -> Interest:
    namespace = Namespace("hs", "visio", "visio_")
    return interest(namespace, "!visio", {DIRECT}, concerns_us, links=links_in, reactions={KEY})


def message(body: object, sender: str = "@ada:hs", room: str = "!room:hs", /, **content: Any) -> Any:
    return {
        "type": "m.room.message",
        "room_id": room,
        "sender": sender,
        "content": {"msgtype": "m.text", "body": body, **content},
    }


def reaction(sender: str = "@ada:hs", /, **relation: Any) -> Any:
    about = {"rel_type": "m.annotation", "event_id": "$link", "key": KEY, **relation}
    return {"type": "m.reaction", "sender": sender, "content": {"m.relates_to": about}}


def test_chat_is_forgotten(wanted: Interest) -> None:
    assert wanted(message("Bonjour à tous")) is None
    assert wanted(message("https://elsewhere.example/abc-defg-hij")) is None


def test_of_a_message_with_a_link_only_the_link_is_kept(wanted: Interest) -> None:
    said = message(f"A secret. {LINK} and more", formatted_body="<b>A secret</b>")
    assert wanted(said) == {"links": [LINK]}


def test_where_a_link_stands_and_how_old_it_is_is_kept_too(wanted: Interest) -> None:
    thread = {"rel_type": "m.thread", "event_id": "$root"}
    said = message(LINK, **{"m.relates_to": thread}) | {"unsigned": {"age": 1234}}
    assert wanted(said) == {"links": [LINK], "thread": "$root", "age": 1234}


def test_a_command_is_a_command_whatever_links_it_holds(wanted: Interest) -> None:
    assert wanted(message(f"!visio lier {LINK}")) == {"body": f"!visio lier {LINK}"}


def test_a_link_in_a_direct_chat_counts_as_well(wanted: Interest) -> None:
    assert wanted(message(LINK, "@ada:hs", DIRECT)) == {"links": [LINK]}


@pytest.mark.parametrize(
    "said",
    [
        message(LINK, "@visio:hs"),
        message(LINK, "@visio_abc:hs"),
        message(LINK, msgtype="m.notice"),
        message(LINK, **{"m.new_content": {}}),
        message(LINK, **{"m.relates_to": {"rel_type": "m.replace"}}),
        message(None),
        message([LINK]),
    ],
    ids=["the bot's own", "a ghost's", "a notice", "an edit", "another edit", "no text", "a list"],
)
def test_links_that_nobody_posted_in_chat_do_not_count(wanted: Interest, said: Mapping[str, Any]) -> None:
    assert wanted(said) is None


def test_a_reaction_of_ours_is_kept_with_what_it_is_about(wanted: Interest) -> None:
    assert wanted(reaction()) == {"event_id": "$link", "key": KEY}


@pytest.mark.parametrize(
    "said",
    [
        reaction(key="+1"),
        reaction(key=None),
        reaction(key=["Suivre"]),
        reaction(event_id=None),
        reaction(event_id="link"),
        reaction(event_id="$link\0"),
        reaction(event_id="$" + "a" * 255),
        reaction(rel_type="m.thread"),
        reaction("@visio:hs"),
        {"type": "m.reaction", "sender": "@ada:hs", "content": {"m.relates_to": [KEY]}},
        {"type": "m.reaction", "sender": "@ada:hs", "content": None},
        {"type": "m.reaction"},
    ],
)
def test_other_reactions_are_forgotten(wanted: Interest, said: Mapping[str, Any]) -> None:
    assert wanted(said) is None


def test_without_visio_neither_links_nor_reactions_are_kept() -> None:
    plain = interest(Namespace("hs", "visio", "visio_"), "!visio", (), concerns_us)
    assert plain(message(LINK)) is None
    assert plain(reaction()) is None
