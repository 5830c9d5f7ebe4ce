"""Events that refer to a state event, whose id is known only once that is in the room."""

from __future__ import annotations

from appservice.operations import SendEvent, SendState
from tests.support.application import BOT, ROOM, service
from tests.support.fake_homeserver import FakeHomeserver

RINGING = SendEvent("org.example.ringing", {"lifetime": 1}, about=("org.example.member", "_key"))


async def test_an_event_refers_to_the_state_event_that_was_sent_before_it(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    homeserver.add_room(ROOM, BOT)
    async with service(sqlite_url, homeserver) as one:
        await one.write(SendState("org.example.member", "_key", {"device_id": "VISIO"}))
        await one.write(RINGING)
        await one.idle()
    member, ringing = homeserver.sent
    relation = {"rel_type": "m.reference", "event_id": member.event_id}
    assert ringing.content == {"lifetime": 1, "m.relates_to": relation}


async def test_about_nothing_nothing_is_said(sqlite_url: str, homeserver: FakeHomeserver) -> None:
    homeserver.add_room(ROOM, BOT)
    async with service(sqlite_url, homeserver) as one:
        await one.write(RINGING)
        await one.write(SendState("org.example.member", "_key", {}))
        await one.write(RINGING)
        await one.idle()
    assert [sent.type for sent in homeserver.sent] == ["org.example.member"]
