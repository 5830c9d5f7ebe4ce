"""The stand-in for Visio with a real SFU behind it: who and what LiveKit lists, in Visio's terms."""

from __future__ import annotations

import json
from typing import Any

from livekit import api
from livekit.protocol.models import ParticipantInfo

from bridge.demo.peers.livekit import LiveKit
from bridge.demo.visio import tickets
from bridge.demo.visio.guest import VisioGuest
from bridge.demo.visio.stand_in import StandIn
from tests.conftest import MakeVisio


class Sight:
    """What the SFU tells of one room."""

    def __init__(self, livekit: LiveKit, room: str) -> None:
        self._livekit = livekit
        self._room = room

    async def people(self) -> dict[str, ParticipantInfo]:
        async with api.LiveKitAPI(self._livekit.api_url, self._livekit.key, self._livekit.secret) as client:
            found = await client.room.list_participants(api.ListParticipantsRequest(room=self._room))
        return {person.identity: person for person in found.participants}

    async def metadata(self) -> dict[str, Any]:
        async with api.LiveKitAPI(self._livekit.api_url, self._livekit.key, self._livekit.secret) as client:
            found = await client.room.list_rooms(api.ListRoomsRequest(names=[self._room]))
        metadata: dict[str, Any] = json.loads(found.rooms[0].metadata or "{}")
        return metadata


async def test_each_kind_of_person_and_machine_is_in_the_sfu_as_visio_has_them(
    visio: StandIn, livekit: LiveKit
) -> None:
    room = visio.world.add_room(owner=visio.service, access_level="public")
    sight = Sight(livekit, room.id)
    async with (
        VisioGuest(await visio.ticket(room, "Jean")) as jean,
        VisioGuest(await visio.ticket(room, user=visio.service)) as owner,
        VisioGuest(tickets.phone(visio.sfu, room.id)) as phone,
        VisioGuest(tickets.recorder(visio.sfu, room.id)) as recorder,
        VisioGuest(tickets.agent(visio.sfu, room.id)) as agent,
    ):
        people = await sight.people()
        assert set(people) == {each.identity for each in (jean, owner, phone, recorder, agent)}
        anonymous, known = people[jean.identity], people[owner.identity]
        assert (anonymous.name, anonymous.metadata) == ("Jean", "")
        assert dict(anonymous.attributes) == {
            "color": anonymous.attributes["color"],
            "room_role": "",
            "is_authenticated": "false",
        }
        assert known.identity == visio.service.sub
        assert (known.attributes["room_role"], known.attributes["is_authenticated"]) == ("owner", "true")
        assert people[phone.identity].kind == ParticipantInfo.Kind.SIP
        assert people[recorder.identity].kind == ParticipantInfo.Kind.EGRESS
        assert people[recorder.identity].permission.hidden
        assert people[recorder.identity].permission.recorder
        assert people[agent.identity].kind == ParticipantInfo.Kind.AGENT
        assert people[agent.identity].permission.hidden


async def test_hands_names_and_roles_change_as_the_page_changes_them(
    visio: StandIn, livekit: LiveKit
) -> None:
    room = visio.world.add_room()
    ada = visio.world.add_user("ada@stand-in.example", "Ada Lovelace")
    sight = Sight(livekit, room.id)
    async with VisioGuest(await visio.ticket(room, user=ada)) as guest:
        await visio.organiser.raise_hand(room, guest.identity)
        assert (await sight.people())[guest.identity].attributes["handRaisedAt"].startswith("20")
        await visio.organiser.raise_hand(room, guest.identity, raised=False)
        assert (await sight.people())[guest.identity].attributes.get("handRaisedAt", "") == ""
        await visio.organiser.rename(room, guest.identity, "A. L.")
        await visio.organiser.change_role(room, ada, "administrator")
        person = (await sight.people())[guest.identity]
        assert (person.name, person.metadata) == ("A. L.", "null")
        assert person.attributes["room_role"] == "administrator"
        await visio.organiser.remove(room, guest.identity)
        await guest.wait_until_put_out()


async def test_access_and_recording_stand_in_the_rooms_metadata(visio: StandIn, livekit: LiveKit) -> None:
    room = visio.world.add_room(access_level="public")
    sight = Sight(livekit, room.id)
    await visio.organiser.change_access(room, "trusted")
    async with VisioGuest(tickets.let_in(visio.sfu, room.id, "Jean")):
        assert await sight.metadata() == {}, "Visio tells the SFU about changes only"
        await visio.organiser.change_access(room, "restricted")
        base = {"configuration": {}, "access_level": "restricted"}
        assert await sight.metadata() == base
        for step, status in (
            (visio.organiser.start_recording, "starting"),
            (visio.organiser.recording_runs, "started"),
            (visio.organiser.stop_recording, "saving"),
        ):
            await step(room)
            recording = {"recording_mode": "screen_recording", "recording_status": status}
            assert await sight.metadata() == base | recording
        await visio.organiser.recording_ended(room)
        assert await sight.metadata() == base


async def test_a_slug_that_nobody_registered_names_the_sfu_room(
    make_visio: MakeVisio, livekit: LiveKit
) -> None:
    visio = make_visio(livekit, allow_unregistered_rooms=True)
    async with VisioGuest(await visio.ticket("zzz-zzzz-zzz", "Jean")) as jean:
        assert set(await Sight(livekit, "zzz-zzzz-zzz").people()) == {jean.identity}
