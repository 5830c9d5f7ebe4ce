"""Element Call and Visio through the gateway, with memberships that the test writes by hand."""

from __future__ import annotations

import pytest

from tests.browser.rtc.gateway_scene import Scene, meet
from tests.browser.rtc.patience import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_ghost_lets_element_call_and_visio_see_and_hear_each_other(scene: Scene) -> None:
    alice, ghost = await scene.people("Alice", "Marie")
    scene.meeting_opens()
    visio = await scene.visio("Marie Curie", shown_as=ghost)
    (call,) = await scene.call(alice)
    await meet(call, visio, "Marie")
    assert set(await visio.arrived()) == {call.identity}
    await visio.leave()
    await scene.hide(ghost)
    await call.sees_nobody_called("Marie")
    await call.hang_up()


async def test_screens_are_shared_both_ways(scene: Scene) -> None:
    alice, ghost = await scene.people("Alice", "Marie")
    scene.meeting_opens()
    visio = await scene.visio("Marie Curie", shown_as=ghost)
    (call,) = await scene.call(alice)
    await meet(call, visio, "Marie")
    await call.share_screen()
    await visio.sees_screen_of(call.identity)
    await call.stop_sharing()
    await visio.share_screen()
    await call.sees_several("Marie", 2)


async def test_two_whom_one_matrix_user_carries_are_two_tiles(scene: Scene) -> None:
    alice, bot = await scene.people("Alice", "Visio")
    scene.meeting_opens()
    marie = await scene.visio("Marie", shown_as=bot, device_id="V1")
    jean = await scene.visio("Jean", shown_as=bot, device_id="V2")
    (call,) = await scene.call(alice)
    await call.sees_several("Visio", 2)
    await marie.sees_and_hears(call.identity, jean.identity)
    await jean.sees_and_hears(call.identity, marie.identity)


async def test_a_rung_that_changes_in_mid_call_leaves_neither_a_double_nor_a_frozen_tile(
    scene: Scene,
) -> None:
    alice, bot, ghost = await scene.people("Alice", "Visio", "Marie")
    scene.meeting_opens()
    visio = await scene.visio("Marie Curie", shown_as=bot, device_id="V1")
    (call,) = await scene.call(alice)
    await meet(call, visio, "Visio")
    await scene.hide(bot, "V1")
    await scene.show(visio, ghost)
    await call.sees_nobody_called("Visio")
    await meet(call, visio, "Marie")
    tiles = await call.tiles()
    assert sorted(tile.name for tile in tiles) == ["Alice", "Marie"]
    assert not any(tile.waiting for tile in tiles)


async def test_signalling_that_ends_for_a_while_does_not_stop_the_media(scene: Scene) -> None:
    alice, ghost = await scene.people("Alice", "Marie")
    scene.meeting_opens()
    visio = await scene.visio("Marie Curie", shown_as=ghost)
    (call,) = await scene.call(alice)
    await meet(call, visio, "Marie")
    connections = await call.peer_connections()
    await scene.service.close()
    # Element Call shows nobody and is silent while it has no signalling, but goes on sending and receiving.
    before = await call.received()
    await visio.sees_and_hears(call.identity)

    async def media_go_on() -> bool:
        now = await call.received()
        return now.frames >= before.frames + 3 and now.sound >= before.sound + 10

    await wait_until(media_go_on)
    await scene.service.open()
    await wait_until(lambda: scene.service.gateway.connections(room_id=scene.room_id))
    await meet(call, visio, "Marie")
    assert await call.peer_connections() == connections
    # The new signalling is more than an open socket: somebody who comes now sees them.
    late = await scene.visio("Jean")
    await late.sees_and_hears(call.identity)


async def test_no_host_but_those_of_this_machine_is_asked_for_anything(scene: Scene) -> None:
    (alice,) = await scene.people("Alice")
    (call,) = await scene.call(alice)
    await wait_until(call.ice_servers)
    assert not any(await call.ice_servers())
    assert call.foreign_requests() == []
