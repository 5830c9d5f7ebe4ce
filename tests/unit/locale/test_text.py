from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.locale.text import NOTHING, Message, Text, fill, link


def test_commands_between_backticks_become_code_in_html_only() -> None:
    said = fill("Type `{prefix} end`.", {"prefix": "!visio"})
    assert said == Text("Type !visio end.", "Type <code>!visio end</code>.")


def test_what_people_wrote_is_escaped_in_html_and_left_alone_in_plain_text() -> None:
    said = fill("By {who}", {"who": "<b>`Ada` & {co}</b>"})
    assert said.plain == "By <b>`Ada` & {co}</b>"
    assert said.html == "By &lt;b&gt;`Ada` &amp; {co}&lt;/b&gt;"


def test_a_text_inside_a_text_keeps_its_markup() -> None:
    said = fill("Ask {name}.", {"name": Text("Ada", "<a>Ada</a>")})
    assert said == Text("Ask Ada.", "Ask <a>Ada</a>.")


def test_a_placeholder_without_a_value_is_an_error_and_not_an_empty_place() -> None:
    with pytest.raises(KeyError):
        fill("By {who}", {})


def test_empty_parts_and_lines_disappear() -> None:
    assert Text.join(" ", [Text.of("a"), NOTHING, Text.of("b")]).plain == "a b"
    assert Message.of(Text.of("one"), NOTHING, Text.of("two")) == Message("one\ntwo", "<p>one</p><p>two</p>")


def test_a_link_leads_to_the_web_or_nowhere() -> None:
    assert link('https://a.example/?"x', "go").html == '<a href="https://a.example/?&quot;x">go</a>'
    assert link("javascript:alert(1)", "go").html == "go"


@given(st.text())
def test_no_value_can_open_a_tag(value: str) -> None:
    assert "<" not in fill("{value}", {"value": value}).html
    assert ">" not in fill("{value}", {"value": value}).html
