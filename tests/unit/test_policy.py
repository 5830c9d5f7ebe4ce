from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy import Policy, Right, UnknownRight

OWN = "agent.dinum.tchap.gouv.fr"

names = st.sampled_from(["a", "b", "ab", "marie", "x.y", "[c]", "q+"])
servers = st.sampled_from(["a.org", "b.org", "x.a.org", "y.x.a.org", OWN, "localhost:8448", "[::1]:8448"])
server_globs = st.one_of(servers, st.sampled_from(["*", "*.org", "*.a.org", "?.org", "*:8448", "x.*.org"]))
user_globs = st.builds(lambda n, s: f"@{n}:{s}", st.one_of(names, st.sampled_from(["*", "m*"])), server_globs)
words = st.sampled_from([right.name.lower() for right in Right])
rules = st.dictionaries(st.one_of(server_globs, user_globs), words, max_size=8)
users = st.builds(lambda n, s: f"@{n}:{s}", names, servers)


def test_without_rules_the_own_server_starts_and_others_do_nothing() -> None:
    policy = Policy({}, OWN)
    assert policy.right_of(f"@marie:{OWN}") is Right.START
    assert policy.right_of("@marie:example.org") is Right.NONE


def test_rights_include_those_below() -> None:
    assert list(Right) == sorted(Right)
    assert [right.name.lower() for right in Right] == [
        "none",
        "subscribe",
        "publish",
        "start",
        "moderate",
        "admin",
    ]


def test_the_most_specific_rule_wins() -> None:
    policy = Policy(
        {
            "*": "subscribe",
            "*.gouv.fr": "publish",
            "*.tchap.gouv.fr": "start",
            "agent.externe.tchap.gouv.fr": "none",
            "@marie:*": "moderate",
            "@marie:agent.externe.tchap.gouv.fr": "admin",
        },
        OWN,
    )
    assert policy.right_of("@a:example.org") is Right.SUBSCRIBE
    assert policy.right_of("@a:matrix.gouv.fr") is Right.PUBLISH
    assert policy.right_of("@a:agent.ssi.tchap.gouv.fr") is Right.START
    assert policy.right_of("@a:agent.externe.tchap.gouv.fr") is Right.NONE
    assert policy.right_of("@marie:example.org") is Right.MODERATE
    assert policy.right_of("@marie:agent.externe.tchap.gouv.fr") is Right.ADMIN


def test_a_pattern_does_not_lock_out_the_own_server() -> None:
    assert Policy({"*": "none"}, OWN).right_of(f"@a:{OWN}") is Right.START
    assert Policy({OWN: "none"}, OWN).right_of(f"@a:{OWN}") is Right.NONE


def test_a_domain_pattern_does_not_match_the_domain_itself_nor_a_longer_name() -> None:
    policy = Policy({"*.gouv.fr": "admin"}, OWN)
    for server in ("gouv.fr", "evilgouv.fr", "a.gouv.fr.evil.org", "agouv.fr", "a.gouvXfr", "a.gouv.fr:8448"):
        assert policy.right_of(f"@a:{server}") is Right.NONE, server


def test_server_names_are_compared_without_regard_to_case() -> None:
    policy = Policy({"Evil.ORG": "subscribe", "@marie:Example.org": "publish"}, OWN.upper())
    assert policy.right_of("@a:eVIL.org") is Right.SUBSCRIBE
    assert policy.right_of("@marie:example.ORG") is Right.PUBLISH
    assert policy.right_of("@Marie:example.org") is Right.NONE
    assert policy.right_of(f"@a:{OWN}") is Right.START


@pytest.mark.parametrize(
    "user_id", ["", "marie", "@marie", "marie:example.org", "@marie:", "!room:example.org"]
)
def test_what_is_no_user_id_may_do_nothing(user_id: str) -> None:
    assert Policy({"*": "admin", "@*:*": "admin"}, OWN).right_of(user_id) is Right.NONE


def test_a_user_id_cannot_hide_its_server_behind_a_line_break_or_a_colon() -> None:
    policy = Policy({"*.good.org": "admin", "@*:*.good.org": "admin"}, OWN)
    assert policy.right_of("@a:evil.org:x.good.org.") is Right.NONE
    assert policy.right_of("@a\n:evil.org") is Right.NONE
    assert policy.right_of("@a:x.good.org\n") is Right.NONE


def test_an_unknown_right_is_an_error() -> None:
    with pytest.raises(UnknownRight, match="boss"):
        Policy({"*": "boss"}, OWN)


@given(rules, users)
def test_an_exact_user_rule_beats_everything(others: dict[str, str], user: str) -> None:
    for right in Right:
        assert Policy(others | {user: right.name.lower()}, OWN).right_of(user) is right


@given(rules, users)
def test_the_order_of_the_rules_does_not_matter(given_rules: dict[str, str], user: str) -> None:
    backwards = dict(reversed(given_rules.items()))
    assert Policy(given_rules, OWN).right_of(user) is Policy(backwards, OWN).right_of(user)


@given(rules, users)
def test_every_answer_is_that_of_a_rule_or_the_default(given_rules: dict[str, str], user: str) -> None:
    right = Policy(given_rules, OWN).right_of(user)
    default = Right.START if user.endswith(f":{OWN}") else Right.NONE
    assert right is default or right.name.lower() in given_rules.values()


@given(rules, users, st.sampled_from(["zzz.example", "@zzz:*", "@*:zzz.example"]), words)
def test_a_rule_for_others_changes_nothing(
    given_rules: dict[str, str], user: str, stranger: str, word: str
) -> None:
    before = Policy(given_rules, OWN).right_of(user)
    assert Policy(given_rules | {stranger: word}, OWN).right_of(user) is before


@given(st.dictionaries(server_globs, words), users, words)
def test_a_rule_for_users_beats_all_rules_for_servers(
    given_rules: dict[str, str], user: str, word: str
) -> None:
    assert Policy(given_rules | {"@*:*": word}, OWN).right_of(user).name.lower() == word


@given(st.text(max_size=30), rules)
def test_no_text_breaks_the_question(text: str, given_rules: dict[str, str]) -> None:
    assert Policy(given_rules, OWN).right_of(text) in Right
