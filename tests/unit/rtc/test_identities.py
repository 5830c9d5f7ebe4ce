from __future__ import annotations

import re

from bridge.rtc.identities import (
    GHOST_DEVICE,
    alias,
    carried_device,
    ghost_user_id,
    hashed_identity,
    listening_identity,
    plain_identity,
    short_id,
)

MARIE = "b1c0f2a4-7f0e-4b0a-9a55-0d8f3a1f9d11"


def test_the_standard_alias_is_that_of_the_reference_service() -> None:
    assert alias("!roomid:example.com", "slot1234") == "O8437W3+jmzMVjoIP3tNwbm+XxHQk2iKpOA7aqw3qSc"


def test_the_slot_of_the_legacy_endpoint_is_the_rooms_call() -> None:
    assert alias("!roomid:example.com") == alias("!roomid:example.com", "m.call#ROOM")


def test_a_sticky_memberships_identity_is_that_of_the_reference_service() -> None:
    identity = hashed_identity("@alice:example.com", "DEVICE123", "memberABC")
    assert identity == "J+T45tGruxc+HrUOqJJlyQSV33m728Cme4+vt8/SWrU"


def test_a_state_memberships_identity_is_user_and_device() -> None:
    assert plain_identity("@alice:example.com:8448", "DEVICE") == "@alice:example.com:8448:DEVICE"


def test_hashes_are_of_the_text_as_it_is_not_escaped() -> None:
    # Computed with JSON.stringify, which leaves accents and angle brackets alone.
    assert alias("!é<&>:x") == "JWAYipnsayuv6jxWepw5AQQ3/xrRPNncjM9a9aCBNLA"


def test_a_device_id_that_is_no_text_is_hashed_as_browsers_do() -> None:
    # JSON.stringify writes a lone surrogate as an escape.
    assert hashed_identity("@a:x", "\ud800", "m") == "+5ul9m8FMup+23iqDcOVd7CaLVDlb4PtLGwApbUx8tU"


def test_a_ghost_has_the_first_twenty_letters_of_the_hash_of_its_identity() -> None:
    ghost = ghost_user_id(MARIE, prefix="visio_", server_name="example.org")
    assert re.fullmatch(r"@visio_[a-z2-7]{20}:example\.org", ghost)
    assert ghost == f"@visio_{short_id(MARIE)}:example.org"
    assert short_id("None") == "3sjxwwmjeycplkdkzfut"


def test_one_device_of_the_bot_for_each_it_carries() -> None:
    assert carried_device(MARIE) == GHOST_DEVICE + short_id(MARIE)
    assert carried_device(MARIE) != carried_device(MARIE + "2")


def test_each_service_has_a_listening_identity_of_its_own_for_somebody() -> None:
    identity = plain_identity("@alice:a.example", "DEVICE")
    ours, theirs = (listening_identity(identity, f"https://{host}/livekit") for host in ("b", "c"))
    assert len({identity, ours, theirs}) == 3
    assert ours.startswith(f"{identity}#")
