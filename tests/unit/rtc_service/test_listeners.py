from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from appservice.errors import HomeserverUnreachable
from bridge.rtc.expulsion import Expulsion
from bridge.rtc.gateway import Gateway
from bridge.rtc.listeners import GRACE_MS, LAPSE_MS, Listeners
from bridge.rtc.membership import MEMBER_TYPE, Membership
from bridge.rtc.passes import Pass
from bridge.rtc.taking_part import TakingPart
from tests.unit.rtc_service.parts import BOB, NOW, ROOM


@dataclass(eq=False)
class Line:
    granted: Pass


@dataclass
class Exchange:
    """Gateway and expulsion in one."""

    lines: list[Line]
    out: list[Line] = field(default_factory=list)

    def connections(self) -> list[Line]:
        return [line for line in self.lines if line not in self.out]

    async def put_out(self, lines: Sequence[Line]) -> None:
        self.out += lines


@dataclass
class Hall:
    exchange: Exchange
    now: int = NOW
    live: bool | None = False

    async def takes_part(self, room_id: str, user_id: str, device_id: str) -> bool | None:
        assert (room_id, user_id, device_id) == (ROOM, BOB, "PHONE")
        return self.live

    def listeners(self) -> Listeners:
        return Listeners(
            gateway=cast(Gateway, self.exchange),
            takes_part=self.takes_part,
            expulsion=cast(Expulsion, self.exchange),
            clock=lambda: self.now,
        )


def line(publish: bool) -> Line:
    return Line(Pass(BOB, "PHONE", ROOM, f"{BOB}:PHONE#x", publish))


@pytest.fixture
def hall() -> Hall:
    return Hall(Exchange([line(False)]))


async def test_a_listener_stays_as_long_as_their_membership_is_live(hall: Hall) -> None:
    listeners = hall.listeners()
    hall.live = True
    await listeners.look()
    hall.now += 10 * GRACE_MS
    await listeners.look()
    assert hall.exchange.out == []
    hall.live = False
    await listeners.look()
    assert hall.exchange.out == []
    hall.now += LAPSE_MS
    await listeners.look()
    assert hall.exchange.out == hall.exchange.lines


async def test_who_is_taken_for_gone_and_writes_their_membership_anew_stays(hall: Hall) -> None:
    listeners = hall.listeners()
    for hall.live in (True, False, True, False):
        await listeners.look()
        hall.now += LAPSE_MS - 1
    assert hall.exchange.out == []


async def test_a_membership_may_come_a_little_later(hall: Hall) -> None:
    listeners = hall.listeners()
    await listeners.look()
    assert hall.exchange.out == []
    hall.now += GRACE_MS
    await listeners.look()
    assert hall.exchange.out == hall.exchange.lines


async def test_while_nobody_can_say_nobody_is_put_out(hall: Hall) -> None:
    listeners = hall.listeners()
    hall.live = None
    await listeners.look()
    hall.now += 10 * GRACE_MS
    await listeners.look()
    assert hall.exchange.out == []


async def test_who_can_be_seen_is_not_looked_at() -> None:
    hall = Hall(Exchange([line(True)]), live=False)
    listeners = hall.listeners()
    await listeners.look()
    hall.now += 10 * GRACE_MS
    await listeners.look()
    assert hall.exchange.out == []


@dataclass
class Homeserver:
    event: dict[str, Any] | None = None
    away: bool = False
    noted: list[Membership] = field(default_factory=list)

    @property
    def bot(self) -> Homeserver:
        return self

    async def state_event(self, room_id: str, kind: str, key: str) -> dict[str, Any] | None:
        assert (room_id, kind, key) == (ROOM, MEMBER_TYPE, f"_{BOB}_PHONE_m.call")
        if self.away:
            raise HomeserverUnreachable("away")
        return self.event

    async def of_room(self, _room_id: str) -> list[Membership]:
        return self.noted

    async def says(self) -> bool | None:
        return await TakingPart(self, cast(Any, self), lambda: NOW)(ROOM, BOB, "PHONE")


def membership(sender: str = BOB, sent: int = NOW, **content: Any) -> dict[str, Any]:
    full = {"application": "m.call", "call_id": "", "device_id": "PHONE", **content}
    return {"sender": sender, "origin_server_ts": sent, "content": full}


async def test_what_was_noted_is_enough() -> None:
    assert await Homeserver(away=True, noted=[Membership(BOB, "PHONE", "", NOW + 1)]).says() is True


async def test_what_was_not_noted_is_asked_of_the_homeserver() -> None:
    assert await Homeserver(membership()).says() is True
    assert await Homeserver(membership(sent=NOW - 5 * 3_600_000)).says() is False
    assert await Homeserver(membership(sender="@eve:evil.example")).says() is False
    assert await Homeserver(membership() | {"content": {}}).says() is False
    assert await Homeserver().says() is False
    assert await Homeserver(away=True).says() is None
