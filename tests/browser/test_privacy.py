"""What leaves the browser, and where to."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.async_api import Request

from bridge.demo.peers.livekit import LiveKit
from bridge.demo.peers.ports import HOST, reserve_port
from tests.browser.conftest import NewGuest, OpenHouse
from tests.browser.house import House, link_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_nothing_is_asked_of_any_host_but_the_bridge_and_the_sfu(
    open_house: OpenHouse, make_livekit: Callable[..., LiveKit], new_guest: NewGuest
) -> None:
    # Without `stun_servers` LiveKit tells browsers to use public ones of strangers.
    rtc = {
        "node_ip": HOST,
        "enable_loopback_candidate": True,
        "udp_port": reserve_port(),
        "tcp_port": reserve_port(),
    }
    livekit = make_livekit(settings={"rtc": rtc})
    await livekit.start()
    house = await open_house(livekit)
    call = await house.opens()
    ada = await new_guest(call)
    marie = await new_guest(call)
    await ada.join("Ada")
    await marie.join("Marie")
    await ada.receives_sound_and_pictures()
    await marie.receives_sound_and_pictures()
    await ada.leave()
    for guest in (ada, marie):
        assert guest.foreign_requests(str(house.port), str(livekit.port)) == []
        asked = await guest.ice_servers()
        assert asked
        assert all(servers == [] for servers in asked)
        blocked = [line for line in guest.console if "Content Security Policy" in line]
        assert blocked == []


async def test_the_secret_leaves_the_fragment_only_in_a_request_body(
    house: House, new_guest: NewGuest
) -> None:
    call = await house.opens()
    ada = await new_guest("about:blank")
    sent: list[Request] = []
    ada.page.on("request", lambda request: sent.append(request))  # noqa: PLW0108
    await ada.page.goto(link_of(call))
    await ada.join("Ada", audio_only=True)
    await ada.leave()
    carried = [request for request in sent if call.secret in (request.post_data or "")]
    assert {request.url.rpartition("/")[2] for request in carried} == {"look", "token"}
    assert all(request.method == "POST" for request in carried)
    for request in sent:
        assert call.secret not in request.url.partition("#")[0]
        assert call.secret not in str(await request.all_headers())
    assert all(call.secret not in url.partition("#")[0] for url in ada.requests)


async def test_the_visitors_id_stays_between_tab_and_bridge(house: House, new_guest: NewGuest) -> None:
    call = await house.opens()
    ada = await new_guest(call)
    await ada.join("Ada", audio_only=True)
    visitor = await ada.page.evaluate("() => sessionStorage.getItem('visitor')")
    (seen,) = (await house.provider.who(call)).participants
    assert visitor not in seen.identity
    assert all(visitor not in url for url in ada.requests)
    assert await ada.page.evaluate("() => localStorage.length") == 0
    assert await ada.page.evaluate("() => document.cookie") == ""
