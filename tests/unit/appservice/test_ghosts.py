"""Ghosts come into rooms and leave them through the outbox, like everything else."""

from __future__ import annotations

from typing import Any

from appservice.ghosts import DISMISSED
from appservice.operations import BringGhost, DismissGhost
from tests.support.application import BOT, ROOM, service
from tests.support.fake_homeserver import FakeHomeserver, Sent, do_and_cut, error

GHOST = "@visio_marie:hs"
JOINED = {"membership": "join", "displayname": "Marie"}
DISMISSAL = {"membership": "leave", DISMISSED: True}


def memberships(homeserver: FakeHomeserver) -> list[Any]:
    return [sent.content for sent in homeserver.sent if sent.state_key == GHOST]


def redacted(homeserver: FakeHomeserver) -> list[tuple[str, Any]]:
    """Who took away which content."""
    contents = {sent.event_id: sent.content for sent in homeserver.sent}
    return [(sent.sender, contents[sent.redacts]) for sent in homeserver.sent if sent.redacts]


async def test_a_ghost_joins_where_the_door_is_open_and_has_its_name_there_alone(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    homeserver.add_room(ROOM, BOT)
    async with service(sqlite_url, homeserver) as one:
        await one.write(BringGhost(GHOST, "Marie"))
        await one.idle()
    assert memberships(homeserver) == [JOINED]
    assert [a.body for a in homeserver.asked if a.what == "profile" and a.user_id == GHOST and a.body] == []
    assert homeserver.count("invite") == 0


async def test_elsewhere_the_bot_invites_it_first(sqlite_url: str, homeserver: FakeHomeserver) -> None:
    homeserver.add_room(ROOM, BOT)
    async with service(sqlite_url, homeserver) as one:
        homeserver.misbehave(error(403, "M_FORBIDDEN"), what="set_state", times=1)
        await one.write(BringGhost(GHOST, "Marie"))
        await one.idle()
    asked = [(a.what, a.user_id) for a in homeserver.asked if a.what in ("set_state", "invite")]
    assert asked == [("set_state", GHOST), ("invite", BOT), ("set_state", GHOST)]
    (invitation,) = [a.body for a in homeserver.asked if a.what == "invite"]
    assert invitation == {"user_id": GHOST}


async def test_where_rooms_have_no_names_of_their_own_the_profile_has_it_until_the_end(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    async def nameless(server: FakeHomeserver, asked: Any, do: Any) -> Any:
        asked.body.pop("displayname", None)
        return do()

    homeserver.add_room(ROOM, BOT)
    homeserver.misbehave(nameless, what="set_state")
    async with service(sqlite_url, homeserver) as one:
        await one.write(BringGhost(GHOST, "Marie"))
        await one.idle()
        assert homeserver.profiles[GHOST, "displayname"] == "Marie"
        await one.write(DismissGhost(GHOST))
        await one.idle()
    assert homeserver.profiles[GHOST, "displayname"] == "visio_marie"


async def test_a_ghost_that_is_dismissed_takes_all_its_names_with_it(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    homeserver.add_room(ROOM, BOT)
    async with service(sqlite_url, homeserver) as one:
        await one.write(BringGhost(GHOST, "Marie"))
        await one.write(BringGhost(GHOST, "Marie C."))
        await one.write(DismissGhost(GHOST))
        await one.idle()
    assert redacted(homeserver) == [(GHOST, JOINED | {"displayname": "Marie C."}), (GHOST, JOINED)]
    assert memberships(homeserver)[-1] == DISMISSAL
    assert homeserver.sent[-1].content == DISMISSAL, "while it is in the room it may redact"


async def test_a_dismissal_that_is_cut_short_is_finished_later(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    homeserver.add_room(ROOM, BOT)
    async with service(sqlite_url, homeserver) as one:
        await one.write(BringGhost(GHOST, "Marie"))
        await one.write(BringGhost(GHOST, "Marie C."))
        homeserver.misbehave(do_and_cut, what="redact", times=1)
        await one.write(DismissGhost(GHOST))
        await one.idle()
    assert [content["displayname"] for _, content in redacted(homeserver)] == ["Marie C.", "Marie"]
    assert memberships(homeserver)[-1] == DISMISSAL


async def test_names_stay_where_the_administrator_keeps_them(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    homeserver.add_room(ROOM, BOT)
    async with service(sqlite_url, homeserver) as one:
        await one.write(BringGhost(GHOST, "Marie"))
        await one.write(DismissGhost(GHOST, forget_name=False))
        await one.idle()
    assert redacted(homeserver) == []
    assert memberships(homeserver) == [JOINED, DISMISSAL]


async def test_of_a_ghost_that_was_put_out_the_bot_takes_the_name_away_if_it_may(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    homeserver.add_room(ROOM, BOT)
    async with service(sqlite_url, homeserver) as one:
        await one.write(BringGhost(GHOST, "Marie"))
        await one.idle()
        kick(homeserver)
        await one.write(DismissGhost(GHOST))
        await one.idle()
        assert redacted(homeserver) == [(BOT, JOINED)]
        assert memberships(homeserver)[-1] == {"membership": "ban"}, "there is nothing to leave"


async def test_where_nobody_may_redact_a_ghost_leaves_all_the_same(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    homeserver.add_room(ROOM, BOT)
    async with service(sqlite_url, homeserver) as one:
        await one.write(BringGhost(GHOST, "Marie"))
        homeserver.misbehave(error(403, "M_FORBIDDEN"), what="redact")
        await one.write(DismissGhost(GHOST))
        await one.idle()
    assert memberships(homeserver) == [JOINED, DISMISSAL]


async def test_a_ghost_that_was_never_there_is_no_trouble(
    sqlite_url: str, homeserver: FakeHomeserver
) -> None:
    async with service(sqlite_url, homeserver) as one:
        await one.write(DismissGhost(GHOST))
        await one.idle()
    assert memberships(homeserver) == []


def kick(homeserver: FakeHomeserver) -> None:
    content = {"membership": "ban"}
    homeserver.sent.append(Sent("$kick", ROOM, "m.room.member", "@moderator:hs", content, state_key=GHOST))
    homeserver.state[ROOM]["m.room.member", GHOST] = content
