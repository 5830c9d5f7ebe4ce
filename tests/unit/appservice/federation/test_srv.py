from __future__ import annotations

import random
from collections import Counter

import dns.asyncresolver
from hypothesis import given
from hypothesis import strategies as st

from appservice.federation.srv import SrvRecord, SystemSrv, in_order
from tests.unit.appservice.federation.servers import name_server

NAME = "_matrix-fed._tcp.example.org"

records = st.builds(
    SrvRecord, st.integers(0, 3), st.integers(0, 65535), st.just("a.example"), st.integers(1, 65535)
)


@given(st.lists(records, max_size=20), st.randoms(use_true_random=False))
def test_lower_priorities_always_come_first(given_records: list[SrvRecord], chance: random.Random) -> None:
    ordered = in_order(given_records, chance)
    priorities = [each.priority for each in ordered]
    assert priorities == sorted(each.priority for each in given_records)[: len(ordered)]
    assert len(ordered) == min(len(given_records), 8)
    assert not Counter(ordered) - Counter(given_records)


def test_among_equals_the_heavier_is_usually_first() -> None:
    chance = random.Random(1)
    light, heavy = SrvRecord(0, 10, "light", 1), SrvRecord(0, 90, "heavy", 1)
    first = Counter(in_order([light, heavy], chance)[0].host for _ in range(1000))
    assert 850 < first["heavy"] < 950


async def test_records_come_with_how_long_they_may_be_kept() -> None:
    zone = {NAME: ["20 0 443 Second.example.", "10 5 8443 first.example."]}
    async with name_server(zone) as resolver:
        answer = await SystemSrv(2000, resolver)(NAME)
    assert answer.records == (
        SrvRecord(10, 5, "first.example", 8443),
        SrvRecord(20, 0, "second.example", 443),
    )
    assert (answer.keep_ms, answer.denied, answer.settled) == (300_000, False, True)


async def test_a_dot_says_that_there_is_no_such_service() -> None:
    async with name_server({NAME: ["0 0 0 ."]}) as resolver:
        answer = await SystemSrv(2000, resolver)(NAME)
    assert answer.denied
    assert answer.records == ()


async def test_no_records_and_no_name_are_both_no_records() -> None:
    async with name_server({NAME: []}) as resolver:
        there = await SystemSrv(2000, resolver)(NAME)
        absent = await SystemSrv(2000, resolver)("_matrix._tcp.example.org")
    assert there == absent
    assert there.settled
    assert not there.records


async def test_a_name_server_that_fails_or_is_silent_settles_nothing() -> None:
    async with name_server({"a": ["SERVFAIL"], "b": ["silence"]}) as resolver:
        ask = SystemSrv(200, resolver)
        for name in ("a", "b"):
            answer = await ask(name)
            assert not answer.settled
            assert answer.keep_ms == 60_000


async def test_a_machine_without_name_servers_settles_nothing() -> None:
    resolver = dns.asyncresolver.Resolver(configure=False)
    assert not (await SystemSrv(200, resolver)(NAME)).settled


async def test_a_record_that_names_an_address_is_passed_over() -> None:
    async with name_server({NAME: ["0 0 8448 127.0.0.1.", "1 0 8448 good.example."]}) as resolver:
        answer = await SystemSrv(2000, resolver)(NAME)
    assert [each.host for each in answer.records] == ["good.example"]


async def test_a_name_that_dns_cannot_hold_settles_nothing() -> None:
    async with name_server({}) as resolver:
        assert not (await SystemSrv(2000, resolver)("_matrix._tcp." + "a" * 64)).records
