from __future__ import annotations

from contextlib import ExitStack

import pytest

from appservice.federation.errors import TooManyLookups
from appservice.federation.limits import Admission, Limits


def test_a_place_is_given_back() -> None:
    admission = Admission(Limits(per_server=1, strangers=1))
    for _ in range(3):
        with admission.place("a.example", stranger=True):
            pass


def test_one_server_cannot_hold_every_place() -> None:
    admission = Admission(Limits(per_server=2, strangers=3))
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(admission.place("slow.example", stranger=True))
        with pytest.raises(TooManyLookups, match=r"slow\.example"):
            held.enter_context(admission.place("slow.example", stranger=True))
        held.enter_context(admission.place("other.example", stranger=True))


def test_strangers_do_not_keep_the_servers_waiting_that_the_admin_named() -> None:
    admission = Admission(Limits(per_server=2, strangers=1))
    with ExitStack() as held:
        held.enter_context(admission.place("stranger.example", stranger=True))
        with pytest.raises(TooManyLookups):
            held.enter_context(admission.place("another.example", stranger=True))
        held.enter_context(admission.place("own.example", stranger=False))
        held.enter_context(admission.place("own.example", stranger=False))


def test_a_refusal_takes_no_place() -> None:
    admission = Admission(Limits(per_server=1, strangers=9))
    with admission.place("a.example", stranger=True):
        for _ in range(3):
            with pytest.raises(TooManyLookups), admission.place("a.example", stranger=True):
                pass
    with admission.place("a.example", stranger=True):
        pass
