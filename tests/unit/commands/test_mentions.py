from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.commands.mentions import Mentioned, find, take_out

MARIE, PAUL = "@marie:hs.example", "@paul:hs.example"


def pill(user_id: str, label: str) -> str:
    return f'<a href="https://matrix.to/#/{user_id}">{label}</a>'


def test_anchors_say_who_is_meant_and_which_words_stand_for_them() -> None:
    found = find("budget Marie Curie", [MARIE], f"!visio budget {pill(MARIE, 'Marie Curie')}")
    assert found == Mentioned((MARIE,), ("Marie Curie",))
    assert take_out("budget Marie Curie", found) == "budget"


def test_a_percent_encoded_anchor_and_a_matrix_address_are_understood() -> None:
    html = (
        '<a href="https://matrix.to/#/%40marie%3Ahs.example">M</a> <a href="matrix:u/paul:hs.example">P</a>'
    )
    assert find("M P", [], html).users == (MARIE, PAUL)


def test_user_ids_in_the_text_count_even_at_the_end_of_a_sentence() -> None:
    assert find(f"ask {MARIE}, {PAUL}.").users == (MARIE, PAUL)
    assert find("mail a@marie:hs.example").users == ()


def test_the_author_of_the_message_replied_to_is_not_called_when_others_are_named() -> None:
    assert find(f"call {MARIE}", [MARIE, PAUL]).users == (MARIE,)


def test_a_client_without_anchors_is_understood_by_its_mentions() -> None:
    found = find("budget @Marie", [MARIE])
    assert found.users == (MARIE,)
    assert take_out("budget @Marie", found) == "budget"


def test_an_at_sign_stays_when_nobody_is_mentioned() -> None:
    assert take_out("prix @ 10 € @Marie", find("prix @ 10 € @Marie")) == "prix @ 10 € @Marie"


def test_a_markdown_pill_is_taken_out_whole() -> None:
    line = f"budget [Marie](https://matrix.to/#/{MARIE})"
    found = find(line)
    assert found.users == (MARIE,)
    assert take_out(line, found) == "budget"


def test_anchors_of_the_quoted_message_and_of_rooms_mention_nobody() -> None:
    html = f'<mx-reply>{pill(MARIE, "Marie")}</mx-reply><a href="https://matrix.to/#/!r:hs">room</a>'
    assert find("room", [], html) == Mentioned()


def test_a_sentence_is_not_left_hanging() -> None:
    html = f"{pill(MARIE, 'Marie')} {pill(PAUL, 'Paul')}"
    line = "Point budget avec Marie et Paul"
    assert take_out(line, find(line, [], html)) == "Point budget"


def test_ill_formed_mentions_are_nobody() -> None:
    assert find("x", ["marie", "@a", "@" + "x" * 300 + ":hs", ":", ""]).users == ()


def test_everybody_is_mentioned_once() -> None:
    assert find(f"{MARIE} {MARIE}", [], pill(MARIE, "M") * 3).users == (MARIE,)


@given(st.text(max_size=300), st.lists(st.text(max_size=30), max_size=5), st.none() | st.text(max_size=300))
def test_anything_can_be_looked_through(line: str, mentions: list[str], formatted: str | None) -> None:
    found = find(line, mentions, formatted)
    assert len(set(found.users)) == len(found.users)
    assert len(take_out(line, found)) <= len(line)
