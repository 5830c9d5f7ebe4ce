"""Element Call of another homeserver's users in a meeting: with a transport of their own, and with ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from bridge.demo.client.server import SMALL_PICTURES, ClientServer
from bridge.demo.peers.livekit import LiveKit
from bridge.demo.visio.stand_in import StandIn
from tests.browser.rtc.bridge_scene import House, native_with_visio
from tests.browser.rtc.federated_service import TheirService
from tests.browser.rtc.patience import PATIENCE
from tests.browser.rtc.people import JoinVisio, NewPerson, OpenCall
from tests.browser.rtc.rooms import MEMBERSHIP
from tests.conftest import MakeBridge
from tests.support.cards import Salon
from tests.support.federation import Federation
from tests.support.native import DEVICE, Service, door
from tests.unit.rtc.people import person

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client_server(client_folder: Path) -> AsyncIterator[ClientServer]:
    """Element Call as elsewhere, but patient: who is late to say that they are still there has not left.

    A listener who was taken out of the call by their homeserver is put out of the meeting, and stays out.
    """
    async with ClientServer(client_folder, media_quality=SMALL_PICTURES, leave_after_ms=60_000) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def their_service(federation: Federation, livekit: LiveKit) -> AsyncIterator[TheirService]:
    """What the other homeserver would advertise."""
    async with TheirService(federation, livekit) as service:
        yield service


@pytest_asyncio.fixture(loop_scope="session")
async def federated_house(
    federation: Federation,
    make_bridge: MakeBridge,
    visio: StandIn,
    new_person: NewPerson,
    open_call: OpenCall,
    join_visio: JoinVisio,
) -> AsyncIterator[House]:
    """A bridge of ours that knows theirs: they may speak, all but one."""
    policy = {federation.theirs.server_name: "publish", "@nora*:*": "subscribe"}
    settings = native_with_visio(visio) | {"federation": federation.settings(), "policy": policy}
    with federation.slots.lease() as place:
        bridge = make_bridge(settings, synapse=federation.ours, slot=place)
        await bridge.start()
        yield House(bridge, visio, new_person, open_call, join_visio)


async def test_users_of_another_homeserver_take_part_and_listen_in_their_own_element_call(
    federated_house: House, federation: Federation, their_service: TheirService
) -> None:
    house = federated_house
    alice = await house.new_person("Alice", at=federation.ours)
    bob, nora = await asyncio.gather(
        *(house.new_person(name, at=federation.theirs) for name in ("Bob", "Nora"))
    )
    salon = await Salon.made_by(alice, house.bridge.bot_id, power_levels={"events": {MEMBERSHIP: 0}})
    await salon.admit(bob, nora)
    card = await house.meeting(salon)
    marie = await house.visio(card, "Marie Curie")
    # Bob's homeserver advertises our service; Nora's a service and an SFU of its own.
    (with_bob,) = await house.call(salon, bob)
    with_nora = await house.open_call(nora, salon.room_id, service_url=their_service.url)
    await with_nora.joined()
    async with aiohttp.ClientSession() as session:
        _, answer = await Service(house.bridge, session).sfu_get(alice, salon.room_id)
    async with person(**door(answer)) as with_alice:
        await asyncio.gather(
            marie.sees_and_hears(with_bob.identity),
            with_alice.hears(with_bob.identity, timeout=PATIENCE),
            with_bob.sees("Marie Curie", "Nora"),
            with_nora.sees("Marie Curie", "Bob"),
            # At her own SFU nobody but herself has a microphone.
            with_nora.hears(),
        )
        everybody = {"Marie Curie", "Alice", "Bob"}
        await salon.card(lambda card: card.call["listening"] == 1 and card.names == everybody)
        alices = f"{alice.user_id}:{DEVICE}"
        await marie.is_with(alices, with_bob.identity)
        assert with_bob.identity in with_alice.others
        assert not any(nora.user_id in identity for identity in with_alice.others)
        for call in (with_bob, with_nora):
            tiles = await call.tiles()
            assert len(tiles) == 3
            assert not any(tile.waiting for tile in tiles)

        await with_nora.hang_up()
        await with_bob.sees_nobody_called("Nora")
        await salon.card(lambda card: card.call["listening"] == 0)
        await marie.sees_and_hears(with_bob.identity)
