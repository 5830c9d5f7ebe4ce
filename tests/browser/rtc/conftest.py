"""Element Call and Visio in real browsers; see `element_call` and `visio_page`."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from bridge.demo.client import building
from bridge.demo.client.server import SMALL_PICTURES, ClientServer
from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers.livekit import LiveKit
from bridge.demo.peers.synapse import Synapse
from bridge.demo.visio.stand_in import StandIn
from tests.browser.rtc.bridge_scene import House, native_with_visio
from tests.browser.rtc.element_call import ElementCall
from tests.browser.rtc.gateway_scene import Scene
from tests.browser.rtc.gateway_service import GatewayService
from tests.browser.rtc.people import JoinVisio, NewPerson, OpenCall
from tests.browser.rtc.visio_page import VisioPage
from tests.conftest import ShareBridge
from tests.support.bridges import LocalBridge

fixture = pytest_asyncio.fixture(loop_scope="session")

_numbers = itertools.count(1)
_failed = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def client_folder() -> Path:
    """The demo's client, built."""
    return building.install()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def client_server(client_folder: Path) -> AsyncIterator[ClientServer]:
    """Serves the demo's client with Element Call in its usual mode, for two cores and little patience."""
    async with ClientServer(client_folder, media_quality=SMALL_PICTURES, leave_after_ms=8000) as server:
        yield server


@fixture
async def new_person(request: pytest.FixtureRequest) -> AsyncIterator[NewPerson]:
    """Makes users of the shared homeserver, or of the one given as ``at``."""
    async with AsyncExitStack() as people:

        async def make(name: str, *, at: Synapse | None = None) -> MatrixUser:
            server: Synapse = at or request.getfixturevalue("synapse")
            localpart = f"{name.lower()}-call-{next(_numbers)}"
            user = await MatrixUser.register(server.url, localpart, secret=server.registration_secret)
            await people.enter_async_context(user)
            await user.request("PUT", f"/v3/profile/{user.user_id}/displayname", {"displayname": name})
            return user

        yield make


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember what has failed, so that the pages can be looked at."""
    report = yield
    item.stash[_failed] = item.stash.get(_failed, False) or report.failed
    return report


@fixture
async def open_call(
    request: pytest.FixtureRequest, browser: Browser, client_server: ClientServer
) -> AsyncIterator[OpenCall]:
    """Opens calls in Element Call; their browser contexts are closed after the test.

    Of a test that failed, picture and console of each are kept among the artefacts.
    """
    opened: list[ElementCall] = []

    async def make(user: MatrixUser, room_id: str, *, service_url: str | None = None) -> ElementCall:
        call = await ElementCall.open(browser, client_server, user, room_id, service_url=service_url)
        opened.append(call)
        return call

    yield make
    if request.node.stash.get(_failed, False):
        for call in opened:
            await call.keep_evidence(request.node.name)
    await asyncio.gather(*(call.close() for call in opened))


@fixture
async def join_visio(browser: Browser, client_server: ClientServer) -> AsyncIterator[JoinVisio]:
    """Joins meetings with plain pages; their browser contexts are closed after the test."""
    async with AsyncExitStack() as contexts:

        async def make(sfu_url: str, token: str) -> VisioPage:
            page = await VisioPage.join(browser, client_server, sfu_url, token)
            contexts.push_async_callback(page.close)
            return page

        yield make


@fixture
async def gateway_service(synapse: Synapse, livekit: LiveKit) -> AsyncIterator[GatewayService]:
    """The gateway and an authorization service, without the rest of the bridge."""
    async with GatewayService(synapse, livekit) as service:
        yield service


@fixture
async def scene(
    gateway_service: GatewayService,
    livekit: LiveKit,
    new_person: NewPerson,
    open_call: OpenCall,
    join_visio: JoinVisio,
) -> Scene:
    """All of that together; the pages close before the service does."""
    return Scene(gateway_service, livekit, new_person, open_call, join_visio)


@pytest.fixture(scope="session")
def rtc_bridge(share_bridge: ShareBridge, visio: StandIn) -> Iterator[LocalBridge]:
    """A shared bridge with Visio and native calls. A test that stops it makes its own."""
    with share_bridge("rtc-bridge", native_with_visio(visio)) as made:
        yield made


@fixture
async def house(
    rtc_bridge: LocalBridge,
    visio: StandIn,
    new_person: NewPerson,
    open_call: OpenCall,
    join_visio: JoinVisio,
) -> House:
    """The shared bridge with everything around it."""
    return House(rtc_bridge, visio, new_person, open_call, join_visio)
