"""Element Call and Visio through the gateway, with memberships that the test writes by hand."""

from __future__ import annotations

import aiohttp
import pytest

from tests.browser.rtc.gateway_scene import Scene, meet
from tests.browser.rtc.patience import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_signalling_that_ends_for_a_while_stops_no_media_and_goes_on_with_a_renewed_token(
    scene: Scene,
) -> None:
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
    scene.service.ahead_ms = 10 * 60_000
    await scene.service.open()
    await wait_until(lambda: scene.service.gateway.connections(room_id=scene.room_id))
    await meet(call, visio, "Marie")
    assert await call.peer_connections() == connections
    # The new signalling is more than an open socket: somebody who comes now sees them.
    late = await scene.visio("Jean")
    await late.sees_and_hears(call.identity)
    # The token that they came with would not have opened it.
    first = next(url for url in call.requests if url.startswith("ws") and "/livekit/rtc" in url)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(first)
    assert refused.value.status == 401
