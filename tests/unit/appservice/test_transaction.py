from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.events import Event
from appservice.transaction import (
    Sorted,
    UnreadableTransaction,
    decode,
    encode,
    read_events,
    set_aside_body,
    sort,
)
from tests.support.application import event, everything

NOW = 1_700_000_000_000

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(2**80), max_value=2**80),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(["\ud800", "\0", "a\udfffb", "\u202e", "m.room.message", "$event", "!room:hs"]),
)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=15,
)
FIELDS = ("event_id", "room_id", "type", "sender", "state_key", "origin_server_ts", "content", "redacts")
spoilt = st.tuples(st.sampled_from(FIELDS), json_values).map(lambda change: {**event(), change[0]: change[1]})
garbage = st.one_of(json_values, st.dictionaries(st.sampled_from(FIELDS), json_values), spoilt)


def escaped(*events: object) -> bytes:
    """A body as Synapse sends it: ASCII, everything else escaped, lone surrogates too."""
    return json.dumps({"events": list(events)}).encode()


def sorted_out(body: bytes) -> Sorted:
    return sort(read_events(body), everything, NOW)


def ids(found: Sorted) -> list[str]:
    return [item.event.event_id for item in found.kept]


@given(st.lists(garbage, max_size=6), st.integers(min_value=0, max_value=6))
def test_good_events_come_out_in_order_whatever_lies_between_them(junk: list[Any], position: int) -> None:
    first, second, third = event(), event(), event()
    events = [first, *junk[:position], second, *junk[position:], third]
    found = sorted_out(escaped(*events))
    good = {each["event_id"] for each in (first, second, third)}
    assert [each for each in ids(found) if each in good] == [
        each["event_id"] for each in (first, second, third)
    ]
    assert found.seen == len(events)
    assert len(found.kept) + len(found.set_aside) == len(events)


REASONS = {"not UTF-8", "not JSON", "not an object", "events is not a list"}


def reason_or_events(body: bytes) -> str | Sorted:
    try:
        return sorted_out(body)
    except UnreadableTransaction as error:
        return str(error)


@given(st.one_of(st.binary(max_size=200), json_values.map(lambda value: json.dumps(value).encode())))
def test_any_bytes_are_a_transaction_or_have_one_reason(body: bytes) -> None:
    found = reason_or_events(body)
    assert found in REASONS or (isinstance(found, Sorted) and found.kept == ())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"events":[{"x":"\xff"}]}', "not UTF-8"),
        (b'{"events":[', "not JSON"),
        (b"", "not JSON"),
        (b"[]", "not an object"),
        (b'"events"', "not an object"),
        (b'{"events":{}}', "events is not a list"),
        (b'{"events":null}', "events is not a list"),
    ],
)
def test_a_body_that_is_no_transaction_has_a_reason(body: bytes, reason: str) -> None:
    with pytest.raises(UnreadableTransaction, match=reason):
        read_events(body)


def test_a_transaction_without_events_is_an_empty_one() -> None:
    assert read_events(b'{"ephemeral":[]}') == []


@pytest.mark.parametrize(
    "bad",
    [
        '{"event_id":"$x","content":{"body":"\\ud800"}}',
        '{"event_id":"$x","n":' + "9" * 5_000 + "}",
        '{"event_id":"$x","n":1e999}',
        '{"event_id":"$x","n":' + "[" * 3_000 + "]" * 3_000 + "}",
        '{"event_id":"$x","n":' + '{"a":' * 3_000 + "1" + "}" * 3_000 + "}",
        "[" * 3_000 + "]" * 3_000,
        '{"event_id":"$x","s":"' + "]}{[" * 10 + '\\"}]"' + ',"n":' + "[" * 3_000 + "]" * 3_000 + "}",
    ],
    ids=["surrogate", "digits", "exponent", "lists", "objects", "list of lists", "brackets in strings"],
)
def test_one_event_that_is_too_much_for_a_parser_does_not_cost_the_others(bad: str) -> None:
    before, after = event(), event()
    text = json.dumps({"txn": "x", "events": ["@", "@@", 5, "@@@"]})
    text = text.replace('"@"', json.dumps(before)).replace('"@@"', bad).replace('"@@@"', json.dumps(after))
    found = sorted_out(text.encode())
    assert ids(found) == [before["event_id"], after["event_id"]]


def test_what_no_parser_takes_is_set_aside_with_its_length_and_hash() -> None:
    bad = '{"n":' + "[" * 3_000 + "]" * 3_000 + "}"
    found = sorted_out(f'{{"events":[{bad}]}}'.encode())
    [aside] = found.set_aside
    assert (aside.kind, aside.length, aside.reason) == ("event", len(bad), "more than can be parsed")


@pytest.mark.parametrize(
    "change",
    [
        {"event_id": 5},
        {"event_id": ""},
        {"event_id": "$" + "x" * 255},
        {"event_id": "$\0"},
        {"event_id": "$\ud800"},
        {"event_id": None},
        {"room_id": ["!room:hs"]},
        {"type": {}},
        {"sender": "@" + "é" * 200},
        {"state_key": 0},
        {"origin_server_ts": "1700000000000"},
        {"origin_server_ts": True},
        {"origin_server_ts": 1.5},
        {"origin_server_ts": 2**53},
        {"content": []},
        {"content": {"body": "\ud800"}},
        {"redacts": 5},
        {"redacts": "$zero\0"},
    ],
    ids=str,
)
def test_an_event_of_ours_with_a_wrong_field_is_set_aside_with_a_reason(change: dict[str, Any]) -> None:
    found = sorted_out(escaped({**event(), **change}))
    assert found.kept == ()
    [aside] = found.set_aside
    assert aside.kind == "event"
    assert aside.reason
    assert aside.length > 0
    assert aside.reference.isascii()


def test_nothing_of_what_is_set_aside_is_kept_but_its_id() -> None:
    found = sorted_out(escaped({**event(event_id="$id"), "sender": 5, "content": {"body": "a secret"}}))
    assert "secret" not in repr(found.set_aside)
    assert found.set_aside[0].reference == "$id"


def test_an_interest_that_raises_costs_its_event_only() -> None:
    def interest(raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if raw["event_id"] == bad["event_id"]:
            raise TypeError("unhashable")
        return everything(raw)

    first, bad, last = event(), event(), event()
    found = sort([first, bad, last], interest, NOW)
    assert ids(found) == [first["event_id"], last["event_id"]]
    assert [aside.reason for aside in found.set_aside] == ["unexpected TypeError"]


def test_what_the_interest_drops_is_not_even_looked_at() -> None:
    found = sort([{"event_id": 5, "sender": None}, event()], lambda raw: None, NOW)
    assert (found.kept, found.set_aside, found.seen) == ((), (), 2)


def test_a_reference_is_short_and_harmless() -> None:
    aside = set_aside_body("\x1b[31m" + "é\n" * 500, 1, "0", "not JSON")
    assert len(aside.reference) == 255
    assert aside.reference.isascii()
    assert aside.reference.isprintable()


plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner)),
    max_leaves=10,
)


@given(
    st.dictionaries(st.text(max_size=8), plain, max_size=4),
    st.none() | st.text(max_size=10),
    st.none() | st.text(max_size=10),
    st.integers(-(2**53) + 1, 2**53 - 1),
)
def test_an_event_comes_back_from_the_inbox_as_it_went_in(
    content: dict[str, Any], state_key: str | None, redacts: str | None, origin_ts: int
) -> None:
    one = Event("$id", "!room:hs", "m.type", "@a:hs", state_key, content, origin_ts, NOW, redacts)
    body = encode(one)
    assert "\0" not in body, "PostgreSQL does not take it"
    assert decode("$id", "!room:hs", NOW, body) == one
    assert orjson.loads(body)["content"] == content


@pytest.mark.parametrize("place", ["top", "content"])
def test_a_redaction_names_its_event_in_either_place(place: str) -> None:
    raw = event(type="m.room.redaction", content={"redacts": "$old"} if place == "content" else {})
    if place == "top":
        raw["redacts"] = "$old"
    [kept] = sort([raw], everything, NOW).kept
    assert kept.event.redacts == "$old"
