"""The gateway before a simulated SFU: moving, and names that change."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from livekit.protocol.models import DisconnectReason, ParticipantInfo, TrackInfo
from livekit.protocol.rtc import (
    JoinResponse,
    LeaveRequest,
    ParticipantUpdate,
    SignalRequest,
    SignalResponse,
)

from bridge.rtc.limits import Limits
from tests.unit.rtc.dialling import (
    ACTION,
    CARRIED,
    GHOST,
    JOIN,
    MARIE,
    PING,
    QUALITY,
    Dial,
    heard,
    settle,
    update,
)
from tests.unit.rtc.house import Face, Signposts, Table, listening, pass_of
from tests.unit.rtc.simulated_sfu import SimulatedSfu

# Moving


async def test_who_is_moved_leaves_the_room_before_coming_into_the_next(
    face: Face, sfu: SimulatedSfu, dial: Dial
) -> None:
    alice = await dial(face)
    caller = await sfu.callers.get()
    await settle(alice, caller)
    face.router.room = "visio-2"
    moving = asyncio.create_task(face.gateway.move(face.gateway.connections()))
    told = SignalRequest.FromString(await caller.said.get())
    assert told.HasField("leave")
    # What the SFU still says is not for the client, which is to stay.
    await caller.socket.send_bytes(
        SignalResponse(leave=LeaveRequest(action=ACTION.DISCONNECT)).SerializeToString()
    )
    await alice.send_bytes(PING)
    assert not moving.done()
    await caller.socket.close()
    leave = (await heard(alice)).leave
    assert leave.action == ACTION.RECONNECT
    assert leave.can_reconnect
    await alice.close()
    await moving
    assert caller.said.empty()
    await dial(face)
    assert [each.room for each in face.gateway.connections()] == ["visio-2"]


async def test_who_is_still_joining_is_moved_once_they_have_media(
    face: Face, sfu: SimulatedSfu, dial: Dial
) -> None:
    alice = await dial(face)
    caller = await sfu.callers.get()
    moving = asyncio.create_task(face.gateway.move(face.gateway.connections()))
    await caller.socket.send_bytes(JOIN)
    assert (await heard(alice)).HasField("join")
    await alice.send_bytes(PING)
    assert await caller.said.get() == PING
    await settle(alice, caller)
    assert SignalRequest.FromString(await caller.said.get()).HasField("leave")
    await caller.socket.close()
    assert (await heard(alice)).leave.action == ACTION.RECONNECT
    await alice.close()
    await moving


async def test_who_takes_too_long_to_join_is_moved_all_the_same(
    router: Signposts, sfu: SimulatedSfu, dial: Dial
) -> None:
    async with listening(router, limits=Limits(settle_ms=50, move_ms=50)) as face:
        alice = await dial(face)
        moving = asyncio.create_task(face.gateway.move(face.gateway.connections()))
        assert (await heard(alice)).leave.action == ACTION.RECONNECT
        await alice.close()
        await moving


@pytest.mark.parametrize("reason", [DisconnectReason.ROOM_DELETED, DisconnectReason.ROOM_CLOSED])
async def test_a_room_that_is_closed_before_somebody_could_be_moved_does_not_hang_up_for_them(
    face: Face, sfu: SimulatedSfu, dial: Dial, reason: DisconnectReason
) -> None:
    alice = await dial(face)
    caller = await sfu.callers.get()
    moving = asyncio.create_task(face.gateway.move(face.gateway.connections()))
    leave = LeaveRequest(action=ACTION.DISCONNECT, reason=reason)
    await caller.socket.send_bytes(SignalResponse(leave=leave).SerializeToString())
    assert (await heard(alice)).leave.action == ACTION.RECONNECT
    await alice.close()
    await moving


async def test_who_is_put_out_while_they_wait_to_be_moved_is_told_so(
    face: Face, sfu: SimulatedSfu, dial: Dial
) -> None:
    alice = await dial(face)
    caller = await sfu.callers.get()
    moving = asyncio.create_task(face.gateway.move(face.gateway.connections()))
    leave = LeaveRequest(action=ACTION.DISCONNECT, reason=DisconnectReason.PARTICIPANT_REMOVED)
    await caller.socket.send_bytes(SignalResponse(leave=leave).SerializeToString())
    assert (await heard(alice)).leave.action == ACTION.DISCONNECT
    await alice.close()
    await moving


async def test_a_browser_that_connects_anew_after_a_session_is_told_at_once_that_it_has_one_again(
    face: Face, sfu: SimulatedSfu, dial: Dial
) -> None:
    alice = await dial(face, sdk="js")
    caller = await sfu.callers.get()
    await caller.socket.send_bytes(SignalResponse(refresh_token="the SFU's").SerializeToString())
    renewed = (await heard(alice)).refresh_token
    again = await dial(face, renewed, sdk="js")
    caller = await sfu.callers.get()
    for frame in (JOIN, QUALITY, JOIN):
        await caller.socket.send_bytes(frame)
    said = [await heard(again) for _ in range(4)]
    assert [each.WhichOneof("message") for each in said] == ["join", "leave", "connection_quality", "join"]
    assert said[1].leave.action == ACTION.RESUME


async def test_who_comes_first_or_goes_on_with_a_session_or_is_no_browser_is_told_nothing_of_it(
    face: Face, sfu: SimulatedSfu, dial: Dial
) -> None:
    session = face.passes.sign(pass_of(sfu_room="visio-1"), ttl_ms=60_000)
    goes_on = {"sdk": "js", "reconnect": "1"}
    for token, query in ((face.token(), {"sdk": "js"}), (session, goes_on), (session, {"sdk": "rust"})):
        alice = await dial(face, token, **query)
        caller = await sfu.callers.get()
        for frame in (JOIN, QUALITY):
            await caller.socket.send_bytes(frame)
        assert (await heard(alice)).HasField("join")
        assert (await heard(alice)).HasField("connection_quality")


async def test_an_sfu_that_does_not_let_go_holds_nobody_back(
    router: Signposts, sfu: SimulatedSfu, dial: Dial
) -> None:
    async with listening(router, limits=Limits(move_ms=100, close_ms=100)) as face:
        alice = await dial(face)
        await settle(alice, await sfu.callers.get())
        moving = asyncio.create_task(face.gateway.move(face.gateway.connections()))
        assert (await heard(alice)).leave.action == ACTION.RECONNECT
        await alice.close()
        await moving


# Names


async def test_everybody_in_a_room_sees_the_same_names(face: Face, sfu: SimulatedSfu, dial: Dial) -> None:
    face.router.names.shown_as[MARIE] = GHOST
    for user in ("alice", "bob"):
        client = await dial(face, face.token(user))
        caller = await sfu.callers.get()
        join = JoinResponse(other_participants=[ParticipantInfo(sid="PA_1", identity=MARIE)])
        await caller.socket.send_bytes(SignalResponse(join=join).SerializeToString())
        assert (await heard(client)).join.other_participants[0].identity == GHOST


async def test_with_a_new_name_the_old_one_leaves_first_and_tracks_begin_anew(
    face: Face, sfu: SimulatedSfu, dial: Dial
) -> None:
    face.router.names.shown_as[MARIE] = GHOST
    alice = await dial(face)
    caller = await sfu.callers.get()
    marie = ParticipantInfo(sid="PA_1", identity=MARIE, name="Marie", tracks=[TrackInfo(sid="TR_1")])
    await caller.socket.send_bytes(
        SignalResponse(update=ParticipantUpdate(participants=[marie])).SerializeToString()
    )
    assert (await heard(alice)).update.participants[0].identity == GHOST
    face.router.names.shown_as[MARIE] = CARRIED
    await asyncio.gather(face.gateway.names_changed("visio-1"), face.gateway.names_changed("elsewhere"))
    gone, come = [(await heard(alice)).update.participants[0] for _ in range(2)]
    assert gone == ParticipantInfo(sid="PA_1", identity=GHOST, state=ParticipantInfo.State.DISCONNECTED)
    marie.identity = CARRIED
    assert come == marie
    asked = [SignalRequest.FromString(await caller.said.get()).subscription for _ in range(2)]
    assert [each.subscribe for each in asked] == [False, True]
    assert all(list(each.track_sids) == ["TR_1"] for each in asked)


async def test_of_two_changes_in_quick_succession_the_last_one_counts(
    face: Face, sfu: SimulatedSfu, dial: Dial
) -> None:
    face.router.names.shown_as[MARIE] = GHOST
    alice = await dial(face)
    caller = await sfu.callers.get()
    marie = ParticipantInfo(sid="PA_1", identity=MARIE, tracks=[TrackInfo(sid="TR_1")])
    await caller.socket.send_bytes(
        SignalResponse(update=ParticipantUpdate(participants=[marie])).SerializeToString()
    )
    present = {(await heard(alice)).update.participants[0].identity}
    changing = []
    for name in (CARRIED, GHOST):
        face.router.names.shown_as[MARIE] = name
        changing.append(asyncio.create_task(face.gateway.names_changed("visio-1")))
        # The SFU is asked to take her tracks away, which takes a moment.
        assert not SignalRequest.FromString(await caller.said.get()).subscription.subscribe
    await asyncio.gather(*changing)
    await caller.socket.send_bytes(SignalResponse(pong=1).SerializeToString())
    while (said := await heard(alice)).WhichOneof("message") == "update":
        for info in said.update.participants:
            gone = info.state == ParticipantInfo.State.DISCONNECTED
            present = present - {info.identity} if gone else present | {info.identity}
    assert present == {GHOST}
    assert SignalRequest.FromString(await caller.said.get()).subscription.subscribe
    assert caller.said.empty()


async def test_new_names_of_one_room_are_told_in_that_room_alone(
    face: Face, sfu: SimulatedSfu, dial: Dial
) -> None:
    elsewhere = replace(pass_of("bob"), room_id="!other:example.org")
    alice, bob = await dial(face), await dial(face, face.passes.sign(elsewhere, ttl_ms=60_000))
    callers = [await sfu.callers.get() for _ in (alice, bob)]
    for caller in callers:
        await caller.socket.send_bytes(update(MARIE))
    for client in (alice, bob):
        assert (await heard(client)).update.participants[0].identity == MARIE
    names = Table({MARIE: GHOST})
    await face.gateway.names_changed("visio-1", room_id="!other:example.org", names=names)
    gone, come = [(await heard(bob)).update.participants[0].identity for _ in range(2)]
    assert (gone, come) == (MARIE, GHOST)
    for caller in callers:
        await caller.socket.send_bytes(update(MARIE))
    assert (await heard(bob)).update.participants[0].identity == GHOST
    # What she hears next is what the SFU says next: she was told nothing.
    again = await heard(alice)
    assert again.update.participants[0] == ParticipantInfo(sid=f"PA_{MARIE}", identity=MARIE)


async def test_names_that_stay_are_not_told_again(face: Face, sfu: SimulatedSfu, dial: Dial) -> None:
    alice = await dial(face)
    caller = await sfu.callers.get()
    await caller.socket.send_bytes(update(MARIE))
    await heard(alice)
    await face.gateway.names_changed("visio-1")
    pong = SignalResponse(pong=1).SerializeToString()
    await caller.socket.send_bytes(pong)
    assert await alice.receive_bytes() == pong


async def test_a_burst_of_frames_never_shows_the_new_name_before_the_old_one_left(
    face: Face, sfu: SimulatedSfu, dial: Dial
) -> None:
    face.router.names.shown_as[MARIE] = GHOST
    alice = await dial(face)
    caller = await sfu.callers.get()

    async def pour() -> None:
        while True:
            await caller.socket.send_bytes(update(MARIE))
            await asyncio.sleep(0)

    pouring = asyncio.create_task(pour())
    await heard(alice)
    face.router.names.shown_as[MARIE] = CARRIED
    renaming = asyncio.create_task(face.gateway.names_changed("visio-1"))
    seen: list[tuple[str, int]] = []
    while not seen or seen[-1][0] != CARRIED:
        info = (await heard(alice)).update.participants[0]
        seen.append((info.identity, info.state))
    pouring.cancel()
    assert seen[-2] == (GHOST, ParticipantInfo.State.DISCONNECTED)
    await renaming
