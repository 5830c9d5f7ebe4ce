"""What the provider does in the SFU, which is all of Visio's: no more than is ours to do."""

from __future__ import annotations

import dataclasses
from typing import Any

import jwt
import pytest
from livekit.protocol.room import DeleteRoomRequest, ListRoomsRequest

from bridge.calls.ports import Admission
from bridge.demo.visio import tickets
from bridge.demo.visio.faults import Fault, Harm
from bridge.demo.visio.guest import VisioGuest
from bridge.demo.visio.stand_in import StandIn
from bridge.providers.visio.parts import SharedSfu
from bridge.providers.visio.rooms import KEPT_MS
from bridge.sfu.model import SfuParticipant
from tests.conftest import MakeVisio
from tests.support.waiting import until
from tests.unit.calls.people import a_call
from tests.unit.providers.visio.office import Ticks, provider
from tests.unit.sfu.fake_livekit import KEY, fake_livekit, page


async def test_somebody_is_put_out(visio: StandIn, shared: SharedSfu) -> None:
    room = visio.world.add_room()
    async with provider(visio, sfu=shared) as ours:
        call = a_call(provider="visio", sfu_room=room.id)
        jean = await visio.ticket(room, "Jean")
        async with VisioGuest(jean) as guest:
            await ours.mute(call, jean.identity)
            await ours.remove(call, jean.identity)
            await guest.wait_until_put_out()
        await ours.remove(call, jean.identity)


async def test_closing_puts_everybody_out_of_a_meeting_of_our_own(visio: StandIn, shared: SharedSfu) -> None:
    room = visio.world.add_room()
    async with provider(visio, sfu=shared) as ours:
        call = a_call(provider="visio", sfu_room=room.id)
        async with VisioGuest(await visio.ticket(room, "Jean")) as guest:
            await ours.close(call)
            await guest.wait_until_put_out()
        await ours.close(call)


async def the_only_one(shared: SharedSfu, room: str) -> SfuParticipant:
    """Whoever is in, once the SFU has let them in."""
    await until(lambda: shared.api.participants(room), 5)
    (participant,) = await shared.api.participants(room)
    return participant


async def test_people_who_met_anew_before_a_meeting_could_be_closed_are_left_in_peace(
    visio: StandIn, shared: SharedSfu
) -> None:
    room = visio.world.add_room()
    async with provider(visio, sfu=shared) as ours:
        call = a_call(provider="visio", sfu_room=room.id)
        async with VisioGuest(await visio.ticket(room, "Jean")):
            jean = await the_only_one(shared, room.id)
            await ours.close(call.but(ended_ts=jean.joined_ts - 61_000))
            assert [p.sid for p in await shared.api.participants(room.id)] == [jean.sid]


async def test_who_stayed_in_a_meeting_that_ended_long_ago_is_put_out_all_the_same(
    visio: StandIn, shared: SharedSfu
) -> None:
    room = visio.world.add_room()
    async with provider(visio, sfu=shared) as ours:
        call = a_call(provider="visio", sfu_room=room.id)
        async with VisioGuest(await visio.ticket(room, "Jean")) as guest:
            jean = await the_only_one(shared, room.id)
            await ours.close(call.but(ended_ts=jean.joined_ts - 59_000))
            await guest.wait_until_put_out()


async def test_closing_leaves_a_followed_meeting_alone(visio: StandIn, shared: SharedSfu) -> None:
    room = visio.world.add_room()
    async with provider(visio, sfu=shared) as ours:
        call = a_call(provider="visio", sfu_room=room.id, adopted=True)
        async with VisioGuest(await visio.ticket(room, "Jean")):
            jean = await the_only_one(shared, room.id)
            await ours.close(call)
            assert [p.sid for p in await shared.api.participants(room.id)] == [jean.sid]


def _names(body: bytes) -> list[str]:
    return list(ListRoomsRequest.FromString(body).names)


async def test_the_sfu_is_asked_about_no_room_but_those_of_calls(make_visio: MakeVisio) -> None:
    visio = make_visio()
    made = a_call(id="made", provider="visio", sfu_room="0b0e0a0d-0000-4000-8000-000000000001")
    followed = made.but(id="followed", adopted=True, sfu_room="abc-defg-hij")
    nowhere = made.but(id="nowhere", adopted=True, sfu_room=None)
    calls = (made, followed, nowhere)
    async with (
        fake_livekit(page(200, "", "application/protobuf")) as (sfu, api),
        provider(visio, sfu=SharedSfu(api, KEY)) as ours,
    ):
        for call in calls:
            await ours.prepare(call)
            await ours.who(call)
            await ours.occupied((call,))
            await ours.mute(call, "jean")
            await ours.remove(call, "jean")
            await ours.close(call)
        await ours.occupied(calls)
    named = [
        # Every other request names its room first, as this one does.
        *(name for r in sfu.asked if r.method == "ListRooms" for name in _names(r.body)),
        *(DeleteRoomRequest.FromString(r.body).room for r in sfu.asked if r.method != "ListRooms"),
    ]
    assert set(named) == {made.sfu_room, followed.sfu_room}
    # Without a name it would be all rooms of the SFU.
    assert all(r.body for r in sfu.asked)
    assert "CreateRoom" not in sfu.methods


async def test_the_bridge_makes_no_room_in_visios_sfu(visio: StandIn, shared: SharedSfu) -> None:
    room = visio.world.add_room()
    async with provider(visio, sfu=shared) as ours:
        await ours.prepare(a_call(provider="visio", sfu_room=room.id))
    assert await shared.api.rooms([room.id]) == {}


@pytest.mark.parametrize("access", ["restricted", None])
async def test_of_a_followed_meeting_behind_a_lobby_nobodys_name_is_kept(
    visio: StandIn, shared: SharedSfu, access: str | None
) -> None:
    room = visio.world.add_room(access_level="restricted")
    async with provider(visio, sfu=shared) as ours:
        call = a_call(provider="visio", sfu_room=room.id, access=access)
        async with VisioGuest(tickets.let_in(visio.sfu, room.id, "Jean")):
            await the_only_one(shared, room.id)
            (ours_to_name,) = (await ours.who(call)).participants
            (theirs,) = (await ours.who(call.but(adopted=True))).participants
    assert (ours_to_name.name, theirs.name) == ("Jean", "")
    assert theirs.identity == ours_to_name.identity


async def test_natives_may_publish_what_visio_lets_its_own_people_publish(
    make_visio: MakeVisio, shared: SharedSfu
) -> None:
    visio, ticks = make_visio(), Ticks()
    room = visio.world.add_room(configuration={"can_publish_sources": ["microphone"]})
    admission = Admission("@marie:example.org:DEVICE", "Marie")
    async with provider(visio, sfu=shared, ticks=ticks) as ours:
        call = a_call(provider="visio", sfu_room=room.id, url=visio.link(room))

        async def video() -> dict[str, Any]:
            ticks.now += KEPT_MS + 1
            await ours.prepare(call)
            return grants(shared, ours.token(call, admission))

        assert (await video())["canPublishSources"] == ["microphone"]
        assert "canPublishSources" not in grants(
            shared, ours.token(call, dataclasses.replace(admission, publish=False))
        )
        with visio.faults.during(Fault(Harm.STATUS, path="/api/v1.0/rooms", status=500)):
            assert (await video())["canPublishSources"] == ["microphone"], "what was known stays"
        room.configuration = {"can_publish_sources": []}
        assert (await video())["canPublish"] is False
        room.configuration = {}
        assert (await video())["canPublish"] is True
        assert "canPublishSources" not in await video()


async def test_who_wants_in_does_not_wait_for_a_visio_that_is_slow(
    make_visio: MakeVisio, shared: SharedSfu, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.providers.visio.sources._PATIENCE_S", 0.05)
    visio = make_visio()
    room = visio.world.add_room(configuration={"can_publish_sources": ["microphone"]})
    async with provider(visio, sfu=shared) as ours:
        call = a_call(provider="visio", sfu_room=room.id, url=visio.link(room))
        with visio.faults.during(Fault(Harm.SLOW, path="/api/v1.0/rooms", seconds=5)):
            await ours.prepare(call)
        token = ours.token(call, Admission("@marie:example.org:DEVICE", "Marie"))
        assert grants(shared, token)["canPublish"] is True


def grants(shared: SharedSfu, token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, shared.key.secret, algorithms=["HS256"])["video"]
    return found
