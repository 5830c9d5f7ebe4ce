from __future__ import annotations

import pytest

from tests.unit.config.conftest import Problems


@pytest.mark.parametrize(
    ("key", "value", "advice"),
    [
        ("homeserver.urll", "x", "did you mean homeserver.url?"),
        ("sfu.secret_fil", "x", "did you mean sfu.secret_file?"),
        ("visios", {}, "did you mean visio?"),
        ("grace", "5m", "did you mean calls.grace?"),
        ("bot.max_participants", 5, "did you mean calls.max_participants?"),
        ("encryption.enabled", True, "nothing: encryption has no settings in this version"),
        ("web.colour", "red", "nothing, or one of: public_url, listen"),
        ("calls.names", "keeep", "keep (one of: during, keep, never)"),
        ("rtc.gateway", "sometimes", "one of: rooms_with_bot, always, false"),
        ("bot.display_name", 2024, '"2024" (in quotation marks)'),
        ("bot.display_name", False, "it in quotation marks"),
        ("bot.language", False, "one of: fr, en, de"),
        ("homeserver.url", 8008, "for example url: http://127.0.0.1:8008"),
        ("calls.max_participants", "many", "a whole number"),
        ("calls.max_participants", float("inf"), "a whole number"),
        ("calls.max_participants", 1, "2 or more"),
        ("federation.verify_tls", "perhaps", "true or false"),
        ("bot.organisation", "x" * 101, "at most 100 characters"),
        ("rtc", True, "“rtc:” alone, and below it, indented: enabled, gateway, open, ring"),
        (
            "policy",
            "start",
            'for example policy: {"*.example.org": "publish", "@marie:example.org": "admin"}',
        ),
        ("homeserver.url", None, "for example url: http://127.0.0.1:8008"),
        ("sfu.secret", None, "secret: …, or secret_file: the path of a file that holds it"),
    ],
)
def test_a_problem_says_what_to_write(problems: Problems, key: str, value: object, advice: str) -> None:
    assert problems({key: value})[key].write == advice


def test_an_unknown_key_in_a_list_is_named_with_its_place(problems: Problems) -> None:
    found = problems({"sfu.ice_servers": [{"urls": ["stun:s"], "user": "x"}]})
    assert found["sfu.ice_servers.0.user"].write == "did you mean sfu.ice_servers.username?"
