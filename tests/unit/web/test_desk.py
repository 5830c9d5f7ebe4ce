from __future__ import annotations

import pytest

from bridge.calls.model import CallState, Participant, ParticipantKind
from bridge.web.desk import Reason, Refused, guest_identity
from tests.unit.web.doubles import SECRET, VISITOR, World, a_call, seen


async def refusal(world: World, *, secret: str = SECRET, name: str = "Ada", visitor: str = VISITOR) -> Reason:
    with pytest.raises(Refused) as caught:
        await world.desk.admit("abc123", secret, name=name, visitor=visitor)
    return caught.value.reason


async def test_the_holder_of_the_link_sees_subject_and_attendance() -> None:
    marie = Participant("guest-x", "Marie", ParticipantKind.GUEST, False, None, 0)
    world = World(a_call(state=CallState.ACTIVE, participants=(marie,)))
    look = await world.desk.look("abc123", SECRET)
    assert (look.subject, look.state, look.count, look.max) == ("Point budget", CallState.ACTIVE, 1, 150)
    assert world.provider.asked == []


async def test_a_guest_gets_a_token_after_the_room_was_made_ready() -> None:
    world = World(a_call())
    ticket = await world.desk.admit("abc123", SECRET, name=" Ada\nLovelace ", visitor=VISITOR)
    assert ticket.name == "Ada Lovelace"
    assert ticket.token == f"token for {ticket.identity} as Ada Lovelace in passerelle-abc123"
    assert world.provider.asked == ["who", "prepare"]
    assert world.hints == ["abc123"]


async def test_a_reload_is_the_same_person_and_another_call_another_one() -> None:
    assert guest_identity("abc123", VISITOR) == guest_identity("abc123", VISITOR)
    assert guest_identity("abc123", VISITOR) != guest_identity("other", VISITOR)
    assert VISITOR not in guest_identity("abc123", VISITOR)
    assert guest_identity("abc123", VISITOR).startswith("guest-")


@pytest.mark.parametrize("secret", ["", "wrong", SECRET + "x", SECRET[:-1], "é"])
async def test_a_wrong_secret_opens_nothing(secret: str) -> None:
    world = World(a_call())
    assert await refusal(world, secret=secret) is Reason.WRONG_LINK
    assert world.provider.asked == []
    assert world.hints == []


@pytest.mark.parametrize(
    "world",
    [World(None), World(a_call(secret="")), World(a_call(provider="visio"))],
    ids=["unknown", "without a secret", "of another provider"],
)
async def test_a_call_that_has_no_join_page_looks_like_a_wrong_link(world: World) -> None:
    assert await refusal(world) is Reason.WRONG_LINK
    assert await refusal(world, secret="") is Reason.WRONG_LINK


@pytest.mark.parametrize("state", [CallState.ENDED, CallState.FAILED])
@pytest.mark.parametrize("kept", [SECRET, ""], ids=["secret kept", "secret forgotten"])
async def test_the_link_of_a_call_that_is_over_says_so(state: CallState, kept: str) -> None:
    world = World(a_call(state=state, secret=kept))
    assert await refusal(world) is Reason.OVER


async def test_an_ended_call_still_wants_its_secret() -> None:
    world = World(a_call(state=CallState.ENDED))
    assert await refusal(world, secret="wrong") is Reason.WRONG_LINK


async def test_a_meeting_that_is_not_ready_is_worth_another_try() -> None:
    assert await refusal(World(a_call(state=CallState.OPENING, sfu_room=None))) is Reason.UNAVAILABLE


async def test_an_sfu_that_does_not_answer_is_worth_another_try() -> None:
    world = World(a_call())
    world.provider.reachable = False
    assert await refusal(world) is Reason.UNAVAILABLE
    assert world.hints == []


async def test_a_full_meeting_turns_the_next_one_away() -> None:
    world = World(a_call(), max_participants=2)
    world.provider.inside = (seen("guest-a"), seen("guest-b"))
    assert await refusal(world) is Reason.FULL
    assert world.provider.asked == ["who"]


async def test_a_full_meeting_lets_somebody_reload() -> None:
    world = World(a_call(), max_participants=2)
    world.provider.inside = (seen("guest-a"), seen(guest_identity("passerelle-abc123", VISITOR)))
    ticket = await world.desk.admit("abc123", SECRET, name="Ada", visitor=VISITOR)
    assert ticket.identity == guest_identity("passerelle-abc123", VISITOR)


async def test_people_may_gather_again_behind_a_link_that_can_be_resumed() -> None:
    over = World(a_call(state=CallState.ENDED), resumable=True)
    assert (await over.desk.look("abc123", SECRET)).state is CallState.OPEN
    assert (await over.desk.admit("abc123", SECRET, name="Ada", visitor=VISITOR)).token


async def test_a_meeting_that_goes_on_without_its_room_lets_people_in() -> None:
    going_on = World(a_call(state=CallState.ENDED, lingers=True))
    going_on.provider.inside = (seen("guest-a"), seen("listener", hidden=True))
    look = await going_on.desk.look("abc123", SECRET)
    assert (look.state, look.count) == (CallState.OPEN, 1)
    assert (await going_on.desk.admit("abc123", SECRET, name="Ada", visitor=VISITOR)).token
    assert going_on.hints == ["abc123"]
    assert await refusal(going_on, secret="wrong") is Reason.WRONG_LINK
    going_on.provider.reachable = False
    assert (await going_on.desk.look("abc123", SECRET)).count == 0


async def test_whom_an_organiser_put_out_stays_out() -> None:
    world = World(a_call(denied=(guest_identity("passerelle-abc123", VISITOR),)))
    assert await refusal(world) is Reason.REMOVED


async def test_hidden_connections_take_no_seat() -> None:
    world = World(a_call(), max_participants=2)
    world.provider.inside = (seen("guest-a"), seen("listener", hidden=True))
    assert (await world.desk.admit("abc123", SECRET, name="Ada", visitor=VISITOR)).token


@pytest.mark.parametrize("name", ["", "   ", "\u202e", "..."])
async def test_a_name_that_nobody_can_read_is_refused(name: str) -> None:
    assert await refusal(World(a_call()), name=name) is Reason.BAD_REQUEST


@pytest.mark.parametrize("visitor", ["", "short", "x" * 65, "a" * 20 + "/", "é" * 20, "a" * 20 + "\n"])
async def test_a_visitor_id_that_is_none_is_refused(visitor: str) -> None:
    assert await refusal(World(a_call()), visitor=visitor) is Reason.BAD_REQUEST
