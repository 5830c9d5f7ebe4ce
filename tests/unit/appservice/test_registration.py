from __future__ import annotations

import re
import stat
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from appservice import registration
from appservice.registration import Registration, RegistrationError


def made(**changes: str) -> Registration:
    wanted = {
        "id": "passerelle",
        "url": "http://127.0.0.1:29400",
        "bot": "visio",
        "ghost_prefix": "visio_",
        "server_name": "localhost:8448",
    }
    return registration.generate(**(wanted | changes))


def test_a_registration_survives_being_written_and_read(tmp_path: Path) -> None:
    path, one = tmp_path / "registration.yaml", made()
    registration.write(path, one)
    assert registration.read(path) == one


@given(
    prefix=st.from_regex(r"[a-z0-9._=\-/+]{1,20}", fullmatch=True),
    server=st.from_regex(r"[a-z0-9.-]{1,20}(:[0-9]{1,5})?|\[::1\]:8448", fullmatch=True),
)
def test_prefix_and_server_name_come_back_whatever_they_hold(prefix: str, server: str) -> None:
    one = made(ghost_prefix=prefix, server_name=server)
    assert registration.from_yaml(registration.to_yaml(one)) == one
    assert one.is_ours(f"@{prefix}abc:{server}")


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "registration.yaml"
    registration.write(path, made())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    registration.write(path, made())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_says_what_a_homeserver_needs() -> None:
    one = made(server_name="example.org", ghost_prefix="visio.")
    content = yaml.safe_load(registration.to_yaml(one))
    assert content == {
        "id": "passerelle",
        "url": "http://127.0.0.1:29400",
        "as_token": one.as_token,
        "hs_token": one.hs_token,
        "sender_localpart": "visio",
        "rate_limited": False,
        "namespaces": {
            "users": [{"exclusive": True, "regex": r"@visio\..*:example\.org$"}],
            "aliases": [],
            "rooms": [],
        },
        "receive_ephemeral": False,
        "io.element.msc4190": True,
    }


def test_only_ghosts_of_this_server_are_in_the_namespace() -> None:
    regex = re.compile(made(server_name="example.org").ghost_regex)
    assert regex.match("@visio_abc:example.org")
    for stranger in (
        "@visio:example.org",
        "@visio_abc:example.org.evil.com",
        "@visio_abc:exampleXorg",
        "@visio_abc:example.org:8448",
        "@marie_visio_:example.org",
    ):
        assert not regex.match(stranger), stranger


def test_the_bot_is_ours_though_it_is_no_ghost() -> None:
    one = made()
    assert one.is_ours(one.bot_id)
    assert not re.match(one.ghost_regex, one.bot_id)


def test_run_again_it_keeps_the_tokens_and_takes_what_changed() -> None:
    old, wanted = made(), made(url="http://bridge:29400")
    new = registration.renewed(wanted, old, rotate=False)
    assert new == replace(old, url="http://bridge:29400")


def test_rotating_renews_both_tokens() -> None:
    old = made()
    new = registration.renewed(made(), old, rotate=True)
    assert new.as_token != old.as_token
    assert new.hs_token != old.hs_token
    assert len({old.as_token, old.hs_token, new.as_token, new.hs_token}) == 4


def test_the_file_of_another_application_service_is_not_overwritten() -> None:
    with pytest.raises(RegistrationError, match="“irc”"):
        registration.renewed(made(), made(id="irc"), rotate=True)


def test_tokens_do_not_show_in_its_text() -> None:
    one = made()
    assert one.as_token not in repr(one)
    assert one.hs_token not in repr(one)


@pytest.mark.parametrize(
    "text",
    ["- a\n", "a: [\n", "", "id: x\n", "id: x\nurl: u\nas_token: a\nhs_token: h\nsender_localpart: s\n"],
)
def test_what_is_no_registration_of_ours_comes_with_advice(text: str) -> None:
    with pytest.raises(RegistrationError) as refused:
        registration.from_yaml(text)
    assert refused.value.advice


def test_a_missing_file_comes_with_the_command_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(RegistrationError) as refused:
        registration.read(tmp_path / "gone.yaml")
    assert "passerelle register" in refused.value.advice


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_bytes(b"\xff\xff")
    with pytest.raises(RegistrationError, match="not text"):
        registration.read(tmp_path / "r.yaml")


def test_a_missing_folder_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(RegistrationError, match="cannot be written"):
        registration.write(tmp_path / "gone" / "r.yaml", made())


def test_what_differs_from_the_settings_is_named() -> None:
    old = made()
    assert registration.differences(made(), old) == ()
    assert registration.differences(made(url="http://else"), old) == ()
    assert registration.differences(made(bot="v", server_name="b.org"), old) == ("bot", "server_name")
