from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from appservice.federation.discovery import Discovery, Route
from appservice.federation.errors import ServerUnreachable
from appservice.federation.names import parse_server_name
from appservice.federation.settings import OwnServer, Settings
from appservice.federation.srv import SrvAnswer, SrvRecord
from appservice.federation.transport import Reach
from appservice.federation.well_known import Delegation
from tests.support.waiting import until

MINUTE = 60 * 1000
HOUR = 60 * MINUTE
NO_FILE = Delegation(None, HOUR, "HTTP 404")
OUTAGE = Delegation(None, 2 * MINUTE, "HTTP 502", settled=False)
NO_RECORD = SrvAnswer((), HOUR)


def delegates(server: str, keep_ms: int = 24 * HOUR) -> Delegation:
    return Delegation(parse_server_name(server), keep_ms, f"names {server}")


def record(*targets: str, keep_ms: int = 24 * HOUR) -> SrvAnswer:
    parts = (target.rpartition(":") for target in targets)
    return SrvAnswer(tuple(SrvRecord(10, 0, host, int(port)) for host, _, port in parts), keep_ms)


@dataclass
class World:
    """What domains publish, and how often it was asked for."""

    files: Mapping[str, Delegation] = field(default_factory=dict)
    zone: Mapping[str, SrvAnswer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    now: int = 1_800_000_000_000
    gate: asyncio.Event | None = None

    async def well_known(self, host: str) -> Delegation:
        self.asked.append(host)
        if self.gate is not None:
            await self.gate.wait()
        return self.files.get(host, NO_FILE)

    async def srv(self, name: str) -> SrvAnswer:
        self.asked.append(name)
        return self.zone.get(name, NO_RECORD)

    def discovery(self, settings: Settings | None = None) -> Discovery:
        return Discovery(settings or Settings(), self.well_known, self.srv, clock=lambda: self.now)


async def route(world: World, name: str) -> Route:
    return await world.discovery().find(parse_server_name(name))


NEW, OLD = "_matrix-fed._tcp.", "_matrix._tcp."

STEPS = [
    pytest.param("1.2.3.4", {}, {}, "https://1.2.3.4:8448", "1.2.3.4", "1.2.3.4", id="1: an address"),
    pytest.param("1.2.3.4:80", {}, {}, "https://1.2.3.4:80", "1.2.3.4:80", "1.2.3.4", id="1: address, port"),
    pytest.param("[2606::1]", {}, {}, "https://[2606::1]:8448", "[2606::1]", "2606::1", id="1: IPv6"),
    pytest.param("[2606::1]:9", {}, {}, "https://[2606::1]:9", "[2606::1]:9", "2606::1", id="1: IPv6, port"),
    pytest.param(
        "a.org:443", {"a.org": delegates("b.org")}, {}, "https://a.org", "a.org:443", "a.org", id="2: a port"
    ),
    pytest.param(
        "a.org", {"a.org": delegates("1.2.3.4")}, {}, "https://1.2.3.4:8448", "1.2.3.4", "1.2.3.4", id="3.1"
    ),
    pytest.param(
        "a.org",
        {"a.org": delegates("1.2.3.4:1")},
        {},
        "https://1.2.3.4:1",
        "1.2.3.4:1",
        "1.2.3.4",
        id="3.1: port",
    ),
    pytest.param(
        "a.org", {"a.org": delegates("b.org:443")}, {}, "https://b.org", "b.org:443", "b.org", id="3.2"
    ),
    pytest.param(
        "a.org",
        {"a.org": delegates("b.org")},
        {
            NEW + "b.org": record("c.org:1"),
            OLD + "b.org": record("d.org:2"),
            NEW + "a.org": record("e.org:3"),
        },
        "https://c.org:1",
        "b.org",
        "b.org",
        id="3.3",
    ),
    pytest.param(
        "a.org",
        {"a.org": delegates("b.org")},
        {OLD + "b.org": record("d.org:2")},
        "https://d.org:2",
        "b.org",
        "b.org",
        id="3.4",
    ),
    pytest.param(
        "a.org", {"a.org": delegates("b.org")}, {}, "https://b.org:8448", "b.org", "b.org", id="3.5"
    ),
    pytest.param(
        "a.org",
        {},
        {NEW + "a.org": record("c.org:1"), OLD + "a.org": record("d.org:2")},
        "https://c.org:1",
        "a.org",
        "a.org",
        id="4",
    ),
    pytest.param(
        "a.org", {}, {OLD + "a.org": record("d.org:2")}, "https://d.org:2", "a.org", "a.org", id="5"
    ),
    pytest.param("A.org", {}, {}, "https://a.org:8448", "A.org", "a.org", id="6"),
]


@pytest.mark.parametrize(("name", "files", "zone", "base", "host_header", "tls_name"), STEPS)
async def test_every_step_of_the_specification_leads_where_it_says(
    name: str,
    files: Mapping[str, Delegation],
    zone: Mapping[str, SrvAnswer],
    base: str,
    host_header: str,
    tls_name: str,
) -> None:
    found = await route(World(files, zone), name)
    assert (found.bases, found.host_header, found.tls_name) == ((base,), host_header, tls_name)
    assert found.reach is Reach.STRANGER


@pytest.mark.parametrize("name", ["1.2.3.4", "[2606::1]:9", "a.org:443"])
async def test_addresses_and_ports_ask_nobody(name: str) -> None:
    world = World()
    await route(world, name)
    assert world.asked == []


async def test_a_delegation_is_not_followed_twice() -> None:
    files = {"a.org": delegates("b.org"), "b.org": delegates("a.org")}
    world = World(files)
    assert (await route(world, "a.org")).bases == ("https://b.org:8448",)
    assert "b.org" not in world.asked


async def test_every_target_of_a_record_is_a_way() -> None:
    world = World(zone={NEW + "a.org": record("x.org:1", "y.org:2", "x.org:1")})
    assert (await route(world, "a.org")).bases == ("https://x.org:1", "https://y.org:2")


async def test_a_domain_that_says_it_has_no_federation_is_believed() -> None:
    world = World(zone={NEW + "a.org": SrvAnswer((), HOUR, denied=True), OLD + "a.org": record("b.org:1")})
    with pytest.raises(ServerUnreachable, match="no federation"):
        await route(world, "a.org")


async def test_a_route_tells_how_it_was_found() -> None:
    world = World({"a.org": delegates("b.org")}, {NEW + "b.org": record("c.org:1")})
    assert (await route(world, "a.org")).how == ".well-known: names b.org; SRV record"


async def test_the_admins_word_comes_first_and_the_own_server_is_asked_directly() -> None:
    own = OwnServer("own.org", "http://127.0.0.1:8008")
    settings = Settings(own=own, servers={"far.org": "https://matrix.far.org/base/"})
    discovery = World().discovery(settings)
    assert discovery.written("far.org") == Route(
        ("https://matrix.far.org/base",), Reach.WRITTEN, None, None, "federation.servers"
    )
    assert discovery.written("own.org") == Route(
        ("http://127.0.0.1:8008",), Reach.OWN, None, None, "homeserver.url"
    )
    assert discovery.written("other.org") is None
    both = World().discovery(Settings(own=own, servers={"own.org": "http://127.0.0.1:8448"}))
    assert both.written("own.org") == Route(
        ("http://127.0.0.1:8448",), Reach.WRITTEN, None, None, "federation.servers"
    )


async def find(discovery: Discovery, name: str = "a.org") -> str:
    return (await discovery.find(parse_server_name(name))).bases[0]


async def test_many_look_ups_share_one_discovery() -> None:
    world = World(gate=asyncio.Event())
    discovery = world.discovery()
    tasks = [asyncio.create_task(find(discovery)) for _ in range(50)]
    await until(lambda: world.asked)
    tasks[0].cancel()
    assert world.gate is not None
    world.gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert set(outcomes[1:]) == {"https://a.org:8448"}
    assert world.asked == ["a.org", NEW + "a.org", OLD + "a.org"]


async def test_a_discovery_that_nobody_waits_for_any_more_is_given_up_and_the_next_begins_anew() -> None:
    world = World(gate=asyncio.Event())
    discovery = world.discovery()
    tasks = [asyncio.create_task(find(discovery)) for _ in range(3)]
    await until(lambda: world.asked)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    world.gate = None
    assert await find(discovery) == "https://a.org:8448"
    assert world.asked.count("a.org") == 2


@pytest.mark.parametrize(
    ("world", "keep_ms"),
    [
        (World({"a.org": delegates("b.org:1", 5 * HOUR)}), 5 * HOUR),
        (World({"a.org": delegates("b.org", 5 * HOUR)}), HOUR),
        (World(zone={NEW + "a.org": record("b.org:1", keep_ms=20 * MINUTE)}), 20 * MINUTE),
        (World(zone={NEW + "a.org": record("b.org:1", keep_ms=0)}), MINUTE),
        (World(), HOUR),
        (World({"a.org": OUTAGE}), 2 * MINUTE),
    ],
    ids=["file", "file and no record", "record", "record not to be kept", "nothing", "outage"],
)
async def test_a_discovery_is_kept_as_long_as_its_shortest_lived_source(world: World, keep_ms: int) -> None:
    discovery = world.discovery()
    await find(discovery)
    before = len(world.asked)
    world.now += keep_ms - 1
    await find(discovery)
    assert len(world.asked) == before
    world.now += 1
    await find(discovery)
    assert len(world.asked) == 2 * before


async def test_an_outage_of_the_web_site_does_not_move_the_homeserver() -> None:
    world = World({"a.org": delegates("b.org:1", HOUR)})
    discovery = world.discovery()
    await find(discovery)
    world.files = {"a.org": OUTAGE}
    world.now += 47 * HOUR
    assert await find(discovery) == "https://b.org:1"
    world.now += HOUR
    assert await find(discovery) == "https://a.org:8448"
    world.files = {"a.org": delegates("c.org:1")}
    world.now += HOUR
    assert await find(discovery) == "https://c.org:1"


async def test_a_delegation_that_was_taken_back_is_gone() -> None:
    world = World({"a.org": delegates("b.org:1", HOUR)})
    discovery = world.discovery()
    await find(discovery)
    world.files = {}
    world.now += HOUR
    assert await find(discovery) == "https://a.org:8448"


async def test_silent_name_servers_do_not_undo_a_record() -> None:
    world = World(zone={NEW + "a.org": record("b.org:1", keep_ms=HOUR)})
    discovery = world.discovery()
    await find(discovery)
    silence = SrvAnswer((), MINUTE, settled=False)
    world.zone = {NEW + "a.org": silence, OLD + "a.org": silence}
    world.now += HOUR
    assert await find(discovery) == "https://b.org:1"


async def test_a_lasting_outage_is_looked_at_ever_more_rarely_up_to_an_hour() -> None:
    world = World({"a.org": OUTAGE})
    discovery = world.discovery()
    waits = []
    for _ in range(8):
        await find(discovery)
        seen, since = len(world.asked), world.now
        while len(world.asked) == seen:
            world.now += MINUTE
            await find(discovery)
        waits.append((world.now - since) // MINUTE)
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]


async def test_a_server_that_is_not_where_it_was_is_looked_for_again_but_not_at_every_failure() -> None:
    world = World({"a.org": delegates("b.org:1")})
    discovery = world.discovery()
    name = parse_server_name("a.org")
    await find(discovery)
    discovery.doubt(name)
    world.files = {"a.org": delegates("c.org:1")}
    assert await find(discovery) == "https://b.org:1"
    world.now += MINUTE + 1
    assert await find(discovery) == "https://b.org:1"
    discovery.doubt(name)
    assert await find(discovery) == "https://c.org:1"


async def test_of_several_servers_the_one_that_answered_is_tried_first() -> None:
    world = World(zone={NEW + "a.org": record("x.org:1", "y.org:2", "z.org:3")})
    discovery = world.discovery()
    name = parse_server_name("a.org")
    await discovery.find(name)
    discovery.answered(name, "https://y.org:2")
    discovery.answered(name, "https://unknown.org")
    assert (await discovery.find(name)).bases == ("https://y.org:2", "https://x.org:1", "https://z.org:3")


async def test_what_is_remembered_is_bounded() -> None:
    world = World()
    discovery = world.discovery()
    for number in range(1500):
        await find(discovery, f"a{number}.org")
    world.asked.clear()
    await find(discovery, "a1499.org")
    assert world.asked == []
    await find(discovery, "a0.org")
    assert world.asked != []


async def test_closing_gives_up_what_is_under_way() -> None:
    world = World(gate=asyncio.Event())
    discovery = world.discovery()
    task = asyncio.create_task(find(discovery))
    await until(lambda: world.asked)
    await discovery.close()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_defect_in_a_source_reaches_every_asker_and_is_not_kept() -> None:
    fails: Callable[[], bool] = iter([True, False]).__next__

    async def well_known(_: str) -> Delegation:
        if fails():
            raise ZeroDivisionError
        return NO_FILE

    discovery = Discovery(Settings(), well_known, World().srv)
    outcomes = await asyncio.gather(*(find(discovery) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in outcomes] == [ZeroDivisionError] * 3
    assert await find(discovery) == "https://a.org:8448"
