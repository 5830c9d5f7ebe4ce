"""Real servers for all tests: started when the first test asks, shared by the whole run.

The tests start nothing by hand: they take a database, a user, a bridge, and find each as clean as if it
had been made for them alone.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import hypothesis
import pytest

from bridge.demo.matrix_user import MatrixUser
from bridge.demo.peers import chromium as chromium_peer
from bridge.demo.peers import livekit as livekit_peer
from bridge.demo.peers import postgres as postgres_peer
from bridge.demo.peers import synapse as synapse_peer
from bridge.demo.peers.livekit import LiveKit
from bridge.demo.peers.postgres import Postgres
from bridge.demo.peers.process import Peer
from bridge.demo.peers.synapse import Synapse
from bridge.demo.visio.stand_in import StandIn, behind
from bridge.demo.visio.switches import Switches
from tests.support.bridges import LocalBridge, bridge_settings
from tests.support.federation import Federation
from tests.support.forking import Forking
from tests.support.lean import LEAN
from tests.support.slots import Slot, Slots
from tests.support.webhook_relay import WebhookRelay

# How long one example takes says more about the other tests on the machine than about the code.
hypothesis.settings.register_profile("shared machine", deadline=None)
hypothesis.settings.load_profile("shared machine")

SLOTS = 12
"""How many bridges can be registered at the shared homeserver at once. It asks itself of every event which of
them want to hear of it."""

UNITS = Path(__file__).parent / "unit"

LOG_LINES, LOG_WIDTH = 40, 300
"""How much of each server's log a failing test shows."""

T = TypeVar("T")

ShareBridge = Callable[[str, Mapping[str, Any]], AbstractContextManager[LocalBridge]]
"""``(name, settings)``: a bridge that runs as long as the context lasts."""
_peers_of_test = pytest.StashKey[list[Peer]]()


def wait_in_thread(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end from a synchronous fixture, whatever event loop the test has."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


# Databases


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """The shared PostgreSQL server. For a database of one's own take ``database_url``."""
    server = Postgres(tmp_path_factory.mktemp("postgres"), programs=postgres_peer.install())
    wait_in_thread(server.start())
    yield server
    wait_in_thread(server.stop())
    server.remove()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite file that does not exist yet, as SQLAlchemy's address."""
    return f"sqlite+aiosqlite:///{tmp_path / 'passerelle.db'}"


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """An empty PostgreSQL database, as SQLAlchemy's address."""
    name = wait_in_thread(postgres.create_database())
    yield postgres.sqlalchemy_url(name)
    wait_in_thread(postgres.drop_database(name))


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database; the test runs once on each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


# Homeserver and SFU, shared


@pytest.fixture(scope="session")
def slots(tmp_path_factory: pytest.TempPathFactory) -> Slots:
    """The registrations that the shared homeserver knows."""
    return Slots(tmp_path_factory.mktemp("slots") / "registrations", "localhost:8448", SLOTS)


@pytest.fixture
def slot(slots: Slots) -> Iterator[Slot]:
    """A place at the shared homeserver for an application service of the test's own."""
    with slots.lease() as leased:
        yield leased


@pytest.fixture(scope="session")
def synapse(tmp_path_factory: pytest.TempPathFactory, slots: Slots) -> Iterator[Synapse]:
    """The shared homeserver. A test that stops or kills one takes ``make_synapse``."""
    server = Synapse(
        tmp_path_factory.mktemp("synapse"),
        python=synapse_peer.install(),
        server_name=slots.server_name,
        registrations=slots.registrations,
        settings=LEAN,
    )
    wait_in_thread(server.start())
    yield server
    wait_in_thread(server.stop())


@pytest.fixture(scope="session")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Two shared homeservers that federate with each other, apart from the shared one."""
    pair = Federation(tmp_path_factory.mktemp("federation"))
    wait_in_thread(pair.start())
    yield pair
    wait_in_thread(pair.stop())


@pytest.fixture(scope="session")
def webhook_relay() -> Iterator[WebhookRelay]:
    """Gets the shared SFU's webhooks and hands them on to the bridges."""
    with WebhookRelay() as relay:
        yield relay


@pytest.fixture(scope="session")
def livekit(tmp_path_factory: pytest.TempPathFactory, webhook_relay: WebhookRelay) -> Iterator[LiveKit]:
    """The shared SFU. A test that stops or kills one takes ``make_livekit``."""
    server = LiveKit(
        tmp_path_factory.mktemp("livekit"), program=livekit_peer.install(), webhooks=[webhook_relay.url]
    )
    wait_in_thread(server.start())
    yield server
    wait_in_thread(server.stop())


@pytest.fixture(scope="session")
def visio(livekit: LiveKit) -> Iterator[StandIn]:
    """The shared stand-in for Visio, before the shared SFU.

    A test that changes its switches, or lets it do wrong, takes ``make_visio``.
    """
    with StandIn(behind(livekit)) as stand_in:
        yield stand_in


@pytest.fixture(scope="session")
def chromium_program() -> Path:
    """The browser; see ``bridge.demo.peers.chromium.ARGUMENTS`` for how to start it."""
    return chromium_peer.install()


# Servers of a test's own, to be hurt


@pytest.fixture
def own_peers(request: pytest.FixtureRequest) -> Iterator[list[Peer]]:
    """Servers that belong to one test: stopped at its end, the last one first."""
    peers: list[Peer] = []
    request.node.stash[_peers_of_test] = peers
    yield peers
    for peer in reversed(peers):
        wait_in_thread(peer.stop())
        if isinstance(peer, Postgres):
            peer.remove()


@pytest.fixture
def make_synapse(tmp_path: Path, own_peers: list[Peer], slots: Slots) -> Callable[..., Synapse]:
    """Make a homeserver, not started yet; keyword arguments as ``Synapse``. It knows all slots."""

    def make(**given: Any) -> Synapse:
        known = {
            "server_name": slots.server_name,
            "registrations": slots.registrations,
            "settings": LEAN,
        }
        folder = tmp_path / f"synapse-{len(own_peers)}"
        server = Synapse(folder, python=synapse_peer.install(), **(known | given))
        own_peers.append(server)
        return server

    return make


@pytest.fixture
def make_livekit(
    tmp_path: Path, own_peers: list[Peer], webhook_relay: WebhookRelay
) -> Callable[..., LiveKit]:
    """Make an SFU, not started yet; keyword arguments as ``LiveKit``. It tells the webhook relay."""

    def make(**given: Any) -> LiveKit:
        folder = tmp_path / f"livekit-{len(own_peers)}"
        server = LiveKit(
            folder, program=livekit_peer.install(), **({"webhooks": [webhook_relay.url]} | given)
        )
        own_peers.append(server)
        return server

    return make


@pytest.fixture
def make_postgres(tmp_path: Path, own_peers: list[Peer]) -> Callable[..., Postgres]:
    """Make a PostgreSQL server, not started yet; keyword arguments as ``Postgres``."""

    def make(**given: Any) -> Postgres:
        server = Postgres(tmp_path / f"postgres-{len(own_peers)}", programs=postgres_peer.install(), **given)
        own_peers.append(server)
        return server

    return make


class MakeVisio(Protocol):
    """What the fixture ``make_visio`` is."""

    def __call__(self, livekit: LiveKit | None = None, **switches: Any) -> StandIn:
        """Make a stand-in for Visio, running already.

        Args:
            livekit: The SFU behind it; without one, nobody can join its meetings.
            switches: As for ``bridge.demo.visio.switches.Switches``; may be changed later, too.
        """


@pytest.fixture
def make_visio() -> Iterator[MakeVisio]:
    """Make stand-ins for Visio of the test's own, to be hurt; stopped at its end."""
    with ExitStack() as running:

        def make(livekit: LiveKit | None = None, **switches: Any) -> StandIn:
            given = Switches(**switches)
            made = StandIn(behind(livekit), switches=given) if livekit else StandIn(switches=given)
            return running.enter_context(made)

        yield make


class MakeBridge(Protocol):
    """What the fixture ``make_bridge`` is."""

    def __call__(
        self,
        settings: Mapping[str, Any] | None = None,
        *,
        synapse: Synapse | None = None,
        livekit: LiveKit | None = None,
        slot: Slot | None = None,
    ) -> LocalBridge:
        """Make a bridge, not started yet.

        Args:
            settings: Laid over the configuration.
            synapse: Its homeserver if not the shared one.
            livekit: Its SFU if not the shared one.
            slot: Its place; that of another bridge makes the two replicas, and then wants other ports.
        """


@pytest.fixture(scope="session")
def forking() -> Iterator[Forking]:
    """What runs bridges."""
    made = Forking()
    yield made
    made.close()


@pytest.fixture
def make_bridge(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    own_peers: list[Peer],
    slots: Slots,
    webhook_relay: WebhookRelay,
    forking: Forking,
) -> Iterator[MakeBridge]:
    """Make bridges of the test's own, each with a place and a SQLite database of its own."""
    with ExitStack() as leases:

        def make(
            settings: Mapping[str, Any] | None = None,
            *,
            synapse: Synapse | None = None,
            livekit: LiveKit | None = None,
            slot: Slot | None = None,
        ) -> LocalBridge:
            synapse = synapse or request.getfixturevalue("synapse")
            livekit = livekit or request.getfixturevalue("livekit")
            slot = slot or leases.enter_context(slots.lease())
            route = leases.enter_context(webhook_relay.route(f"{slot.internal_url}/livekit/webhook"))
            made = LocalBridge(
                tmp_path / f"bridge-{len(own_peers)}",
                slot,
                route,
                bridge_settings(synapse, livekit, slot, settings or {}),
                forking,
            )
            own_peers.append(made)
            return made

        yield make


@pytest.fixture(scope="session")
def share_bridge(
    tmp_path_factory: pytest.TempPathFactory,
    synapse: Synapse,
    livekit: LiveKit,
    slots: Slots,
    webhook_relay: WebhookRelay,
    forking: Forking,
) -> ShareBridge:
    """Run a bridge, on SQLite, that many tests share."""

    @contextmanager
    def share(name: str, settings: Mapping[str, Any]) -> Iterator[LocalBridge]:
        with slots.lease() as slot, webhook_relay.route(f"{slot.internal_url}/livekit/webhook") as route:
            whole = bridge_settings(synapse, livekit, slot, settings)
            made = LocalBridge(tmp_path_factory.mktemp(name), slot, route, whole, forking)
            wait_in_thread(made.start())
            yield made
            wait_in_thread(made.stop())

    return share


@pytest.fixture(scope="session")
def bridge(share_bridge: ShareBridge) -> Iterator[LocalBridge]:
    """The shared bridge. A test that stops it or needs other settings makes its own."""
    with share_bridge("bridge", {}) as made:
        yield made


# People

_numbers = itertools.count(1)


class NewUser(Protocol):
    """What the fixture ``new_user`` is."""

    async def __call__(self, name: str, *, at: Synapse | None = None, **given: Any) -> MatrixUser:
        """Register somebody whose localpart begins with ``name``; in sync from now on."""


@pytest.fixture
async def new_user(request: pytest.FixtureRequest) -> AsyncIterator[NewUser]:
    """Make users of the shared homeserver, or of the one given as ``at``."""
    async with AsyncExitStack() as users:

        async def make(name: str, *, at: Synapse | None = None, **given: Any) -> MatrixUser:
            server: Synapse = at or request.getfixturevalue("synapse")
            user = await MatrixUser.register(
                server.url, f"{name}-{next(_numbers)}", secret=server.registration_secret, **given
            )
            return await users.enter_async_context(user)

        yield make


@pytest.fixture
async def alice(synapse: Synapse, new_user: NewUser) -> MatrixUser:
    """A new user of the shared homeserver."""
    return await new_user("alice")


@pytest.fixture
async def bob(synapse: Synapse, new_user: NewUser) -> MatrixUser:
    """Another new user of the shared homeserver."""
    return await new_user("bob")


# In which order


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deal the tests that take long to the workers, and put the short ones behind them.

    Each worker begins with a stretch of its own and takes from the ends of others' when it is done, so the
    short ones are what is shared out in the end, when a long one would keep the others waiting.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        long = [item for item in items if UNITS not in item.path.parents]
        short = [item for item in items if UNITS in item.path.parents]
        items[:] = [
            item for n in range(workers) for part in (long, short) for item in _share(part, n, workers)
        ]


def _share(items: list[pytest.Item], number: int, of: int) -> list[pytest.Item]:
    """One of so many stretches: neighbours often need the same servers."""
    return items[number * len(items) // of : (number + 1) * len(items) // of]


# What a failing test shows


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of the logs of the servers that the failed test used."""
    report = yield
    if report.failed:
        used = list(getattr(item, "funcargs", {}).values())
        for peer in [each for each in used if isinstance(each, Peer)] + item.stash.get(_peers_of_test, []):
            if peer.log_file.exists():
                lines = peer.log_file.read_text(errors="replace").splitlines()[-LOG_LINES:]
                shown = "\n".join(line[:LOG_WIDTH] for line in lines)
                report.sections.append((f"end of {peer.log_file}", shown))
    return report
