from __future__ import annotations

import pytest
import sqlalchemy as sa

from appservice.errors import MatrixError
from appservice.operations import Join, Leave, RedactSlots, SendEvent
from appservice.tables import inbox
from bridge.calls.model import CallState, EndReason
from bridge.chat.room_life import predecessor
from bridge.store import notes
from tests.support.office import ROOM, T0, a_call
from tests.unit.chat.front import ADA, EVE, Front

NEW = "!new:hs"
ENCRYPTION = {"algorithm": "m.megolm.v1.aes-sha2"}


async def an_open_call(front: Front) -> None:
    """A call with a card that has been posted, and an edit of it."""
    await front.office.begin(a_call(CallState.OPENING))
    await front.office.look()
    await front.written()


# Invitations


async def test_an_invitation_is_accepted(front: Front) -> None:
    await front.membership("invite")
    assert await front.written() == [Join(("hs",))]


async def test_an_invitation_against_the_rules_is_refused_with_a_reason(front: Front) -> None:
    await front.membership("invite", by=EVE)
    await front.membership("invite", by="@zoe:elsewhere.example:8448")
    refused = await front.written()
    assert refused == [
        Leave("This service does not accept your invitation. Ask your administrator."),
        Leave("This service does not accept invitations from your server."),
    ]


async def test_the_bot_greets_once_for_each_stay(front: Front) -> None:
    await front.membership("join")
    await front.membership("join")
    assert len(await front.office.said()) == 1
    assert "Testbourg's Visio service" in (await front.office.said())[0]
    await front.membership("leave")
    assert await front.office.said() == []
    await front.membership("join")
    assert len(await front.office.said()) == 1


async def test_a_join_that_is_over_already_is_not_greeted(front: Front) -> None:
    await front.office.told(membership="leave")
    content = {"membership": "join"}
    await front.take("m.room.member", content, state_key="@visio:hs")
    assert await front.office.said() == []


async def test_other_peoples_comings_and_goings_are_not_ours(front: Front) -> None:
    await front.take("m.room.member", {"membership": "leave"}, state_key="@bob:hs")
    assert await front.written() == []


# Going


async def test_a_kick_unties_the_call_and_drops_what_waits(front: Front) -> None:
    await an_open_call(front)
    await front.say("!visio ping")
    await front.membership("leave")
    assert await front.written() == []
    call = await front.office.call()
    assert (call.state, call.end_reason) == (CallState.ENDED, EndReason.UNTIED)
    assert call.closing, "nobody is in it"


async def test_a_card_that_is_redacted_is_let_go_of(front: Front) -> None:
    await an_open_call(front)
    async with front.office.works.begin(ROOM) as work:
        card = await work.event_of("card:c1")
    await front.take("m.room.redaction", {}, redacts=card)
    assert (await front.office.call()).end_reason is EndReason.UNTIED
    await front.written()
    await front.office.look()
    assert await front.office.cards() == []


async def test_a_card_redacted_after_the_end_takes_the_way_back_with_it(front: Front) -> None:
    await an_open_call(front)
    url = (await front.office.call()).url
    await front.office.change(
        state=CallState.ENDED, end_reason=EndReason.EMPTY, ended_ts=T0, former_url=url, url=None
    )
    async with front.office.works.begin(ROOM) as work:
        card = await work.event_of("card:c1")
    await front.take("m.room.redaction", {}, redacts=card)
    call = await front.office.call()
    assert call.former_url is None
    assert call.end_reason is EndReason.EMPTY


@pytest.mark.parametrize("redacts", [None, "$unknown"])
async def test_other_redactions_are_not_ours(front: Front, redacts: str | None) -> None:
    await an_open_call(front)
    await front.take("m.room.redaction", {}, redacts=redacts)
    assert (await front.office.call()).state is CallState.OPEN


# Encryption


async def test_when_encryption_is_turned_on_the_card_is_closed_and_the_room_told_once(front: Front) -> None:
    await an_open_call(front)
    await front.take("m.room.encryption", ENCRYPTION, state_key="")
    (card,) = await front.office.cards()
    assert (card["state"], card["url"], card["end_reason"]) == ("ended", None, "untied")
    await front.take("m.room.encryption", ENCRYPTION, state_key="")
    assert len(await front.office.said()) == 1


async def test_a_call_that_is_being_opened_gets_no_card_in_an_encrypted_room(front: Front) -> None:
    await front.office.begin(a_call(CallState.OPENING))
    await front.take("m.room.encryption", ENCRYPTION, state_key="")
    await front.office.look()
    assert await front.office.cards() == []
    assert (await front.office.call()).end_reason is EndReason.UNTIED


async def test_in_an_encrypted_room_the_greeting_says_so(front: Front) -> None:
    await front.office.told(**{"m.room.encryption": ENCRYPTION})
    await front.membership("join")
    (said,) = await front.office.said()
    assert said.startswith("This room is end-to-end encrypted")


# Upgrades


async def replaced(front: Front, **state: object) -> None:
    """The room says that `NEW` replaces it; the bot is there already."""
    create = {"room_version": "11", "predecessor": {"room_id": ROOM}}
    await front.office.told(NEW, **{"m.room.create": create, **state})
    await front.take("m.room.tombstone", {"replacement_room": NEW}, state_key="")


async def test_a_call_follows_its_room(front: Front) -> None:
    await front.office.told(**{"m.room.power_levels": {"users": {ADA: 100}}})
    await an_open_call(front)
    await front.say("!visio langue fr")
    await replaced(front)
    await front.membership("join", room_id=NEW)
    assert (await front.office.call()).room_id == NEW
    (card,) = await front.office.cards(NEW)
    assert card["id"] == "c1"
    operations = await front.written(NEW)
    assert Join(("hs",)) in operations
    posted = [o for o in operations if isinstance(o, SendEvent)]
    assert str(posted[0].content["body"]).startswith("Visio ouverte"), "the language came along"
    assert RedactSlots("card:c1") in await front.written(ROOM)


async def test_a_bot_that_was_there_first_takes_the_call_over_too(front: Front) -> None:
    await an_open_call(front)
    await replaced(front)
    await front.take(notes.REPLACEMENT, {}, room_id=NEW)
    assert (await front.office.call()).room_id == NEW


async def test_the_tombstone_leaves_a_note_in_the_new_room(front: Front) -> None:
    await replaced(front)
    async with front.office.database.connect() as connection:
        rows = (await connection.execute(sa.select(inbox).where(inbox.c.room_id == NEW))).all()
    assert [notes.REPLACEMENT in row.body for row in rows] == [True]


async def test_nobody_takes_a_call_by_naming_its_room(front: Front) -> None:
    await an_open_call(front)
    await front.office.told(NEW, **{"m.room.create": {"predecessor": {"room_id": ROOM}}})
    await front.membership("join", room_id=NEW)
    assert (await front.office.call()).room_id == ROOM


async def test_a_call_does_not_follow_into_an_encrypted_room(front: Front) -> None:
    await an_open_call(front)
    await replaced(front, **{"m.room.encryption": ENCRYPTION})
    await front.membership("join", room_id=NEW)
    assert (await front.office.call()).room_id == ROOM


async def test_where_the_bot_is_not_in_nothing_follows(front: Front) -> None:
    await an_open_call(front)
    await replaced(front, membership="invite")
    await front.take(notes.REPLACEMENT, {}, room_id=NEW)
    assert (await front.office.call()).room_id == ROOM


async def test_a_room_with_a_call_of_its_own_keeps_it(front: Front) -> None:
    await an_open_call(front)
    await front.office.begin(a_call(id="c2", room_id=NEW))
    await replaced(front)
    await front.take(notes.REPLACEMENT, {}, room_id=NEW)
    assert (await front.office.call()).room_id == ROOM


@pytest.mark.parametrize("content", [{}, {"predecessor": None}, {"predecessor": {"room_id": 5}}])
async def test_a_malformed_predecessor_is_none(front: Front, content: dict[str, object]) -> None:
    await front.office.told(**{"m.room.create": content})
    assert predecessor(await front.office.facts()) is None


# Refusals and the administrator


async def refused(front: Front, slot: str | None, status: int) -> None:
    operation = SendEvent("m.room.message", {"body": ""})
    async with front.office.works.begin(ROOM) as work:
        await front.life.refused(operation, slot, MatrixError(status, "M_FORBIDDEN", "", None), work)


async def test_a_call_whose_card_is_refused_is_let_go_of(front: Front) -> None:
    await front.office.begin(a_call())
    await refused(front, "card:c1", 403)
    assert (await front.office.call()).end_reason is EndReason.UNTIED


@pytest.mark.parametrize(("slot", "status"), [(None, 403), ("named:c1:", 403), ("card:c1", 413)])
async def test_other_refusals_change_nothing(front: Front, slot: str | None, status: int) -> None:
    await front.office.begin(a_call())
    await refused(front, slot, status)
    assert (await front.office.call()).state is CallState.OPEN


async def test_the_administrator_ends_a_call(front: Front) -> None:
    await an_open_call(front)
    await front.take(notes.ADMIN_END, {"call_id": "unknown"})
    await front.take(notes.ADMIN_END, {"call_id": "c1"})
    await front.take(notes.ADMIN_END, {"call_id": "c1"})
    call = await front.office.call()
    assert (call.end_reason, call.closing) == (EndReason.ADMIN, True)
    assert len(await front.office.cards()) == 1
