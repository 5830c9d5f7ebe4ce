"""The servers of the tests themselves: they start, can be hurt, come back, and leave nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
from livekit import api
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from bridge.demo.matrix_user import Event, MatrixRefused, MatrixUser
from bridge.demo.peers import cache, guard
from bridge.demo.peers.livekit import LiveKit
from bridge.demo.peers.ports import release_port, reserve_port
from bridge.demo.peers.postgres import Postgres
from bridge.demo.peers.process import Peer, PeerFailed
from bridge.demo.peers.synapse import Synapse
from tests.conftest import MakeBridge, NewUser
from tests.support.bridges import LocalBridge
from tests.support.slots import Slot
from tests.support.waiting import alive, until
from tests.support.webhook_relay import WebhookRelay, deliver


class Sleeper(Peer):
    """Answers as soon as it runs; starts a child of its own."""

    def command(self) -> list[str]:
        return ["sh", "-c", "sleep 600 & sleep 600"]

    async def answers(self) -> bool:
        return len(guard.descendants(self.pid)) > 1


class Counter(Peer):
    """Counts in a file, in a thread beside its main one, as fast as it can."""

    def command(self) -> list[str]:
        program = (
            "import os, threading\n"
            "def count():\n"
            "    file = os.open('count', os.O_CREAT | os.O_WRONLY)\n"
            "    for number in range(1, 10**12):\n"
            "        os.pwrite(file, number.to_bytes(8, 'little'), 0)\n"
            "threading.Thread(target=count, daemon=True).start()\n"
            "threading.Event().wait()\n"
        )
        return [sys.executable, "-c", program]

    def count(self) -> int:
        return int.from_bytes((self.folder / "count").read_bytes(), "little")

    async def answers(self) -> bool:
        return self.count() > 0


class Broken(Peer):
    """Ends by itself."""

    def command(self) -> list[str]:
        return ["sh", "-c", "echo the port is taken; exit 3"]

    async def answers(self) -> bool:
        return False


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_server_that_ends_takes_its_children_with_it(tmp_path: Path, end: str) -> None:
    peer = Sleeper("sleeper", tmp_path)
    await peer.start()
    family = guard.descendants(peer.pid)
    assert len(family) >= 2
    if end == "stop":
        await peer.stop()
    else:
        peer.kill()
    await until(lambda: not any(alive(pid) for pid in family))
    assert not peer.running


async def test_a_server_that_ends_by_itself_says_why_in_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(PeerFailed, match="the port is taken"):
        await Broken("broken", tmp_path).start()


async def test_a_server_that_is_paused_does_nothing_more_from_then_on(tmp_path: Path) -> None:
    async with Counter("counter", tmp_path) as peer:
        for _ in range(50):
            peer.pause()
            counted = peer.count()
            await asyncio.sleep(0.001)
            assert peer.count() == counted
            peer.resume()
            await until(lambda before=counted: peer.count() > before)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_no_server_outlives_the_process_that_started_it(tmp_path: Path, number: signal.Signals) -> None:
    program = (
        "import asyncio, sys, time; from pathlib import Path\n"
        "from tests.integration.test_peers import Sleeper\n"
        "peer = Sleeper('sleeper', Path(sys.argv[1]))\n"
        "asyncio.run(peer.start()); print(peer.pid, flush=True); time.sleep(600)\n"
    )
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, str(tmp_path)), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    family = guard.descendants(int(await parent.stdout.readline()))
    parent.send_signal(number)
    await parent.communicate()
    await until(lambda: not any(alive(pid) for pid in family))


def test_a_reserved_port_is_given_to_nobody_else() -> None:
    ports = [reserve_port() for _ in range(50)]
    assert len(set(ports)) == 50
    for port in ports:
        release_port(port)


def test_an_installation_that_was_interrupted_starts_again_from_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    lines: list[str] = []

    def interrupted(folder: Path) -> None:
        (folder / "half").touch()
        raise cache.InstallFailed("no network; connect and try again")

    with pytest.raises(cache.InstallFailed, match="connect"):
        cache.installed("thing", "1", "lock", interrupted, takes="a moment", say=lines.append)
    folder = cache.installed(
        "thing", "1", "lock", lambda folder: (folder / "whole").touch(), takes="a moment", say=lines.append
    )
    assert sorted(path.name for path in folder.iterdir()) == [cache.FINISHED, "whole"]
    assert cache.installed("thing", "1", "lock", interrupted, takes="a moment") == folder
    assert cache.cache_folder() in folder.parents
    assert any("thing 1" in line for line in lines)


def test_a_failing_step_of_an_installation_says_what_to_do() -> None:
    with pytest.raises(cache.InstallFailed, match=r"(?s)out of disk.*Make room\."):
        cache.run(["sh", "-c", "echo out of disk; exit 1"], advice="Make room.")


async def test_people_talk_in_a_room_of_the_homeserver(alice: MatrixUser, bob: MatrixUser) -> None:
    room = await alice.create_room(name="Équipe", invite=[bob.user_id])
    await bob.join(room)
    message = await alice.say(room, "Bonjour")
    seen = await bob.wait_for(room, lambda event: event["content"].get("body") == "Bonjour")
    assert seen["event_id"] == message
    edit = await alice.edit(room, message, "Bonsoir")
    await bob.wait_for(room, lambda event: event["event_id"] == edit)
    assert bob.room(room).content(message)["body"] == "Bonsoir"
    await alice.redact(room, message)
    await bob.wait_for(room, lambda event: event["type"] == "m.room.redaction")
    assert next(e for e in await bob.history(room) if e["event_id"] == message)["content"] == {}
    assert bob.room(room).members() == {alice.user_id, bob.user_id}
    assert (await bob.state(room, "m.room.name"))["name"] == "Équipe"
    with pytest.raises(MatrixRefused, match="M_FORBIDDEN"):
        await bob.set_state(room, "m.room.name", {"name": "À moi"})
    await alice.kick(room, bob.user_id)
    await bob.wait_until(lambda: bob.user_id not in bob.room(room).members())


async def test_the_default_room_version_is_the_one_whose_creator_has_all_power(alice: MatrixUser) -> None:
    room = await alice.create_room()
    assert (await alice.state(room, "m.room.create"))["room_version"] == "12"
    levels: Event = await alice.state(room, "m.room.power_levels")
    assert alice.user_id not in levels["users"]


async def test_a_registered_service_gets_what_happens_in_its_rooms(
    synapse: Synapse, slot: Slot, alice: MatrixUser
) -> None:
    received: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def transaction(request: aiohttp.web.Request) -> aiohttp.web.Response:
        assert request.headers["Authorization"] == f"Bearer {slot.registration.hs_token}"
        for event in (await request.json())["events"]:
            received.put_nowait(event)
        return aiohttp.web.json_response({})

    async def pong(_request: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.json_response({})

    app = aiohttp.web.Application()
    app.router.add_put("/_matrix/app/v1/transactions/{id}", transaction)
    app.router.add_post("/_matrix/app/v1/ping", pong)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", slot.internal_port).start()
    # Whoever had this place before may have left the homeserver backing off.
    wake = f"{synapse.url}/_matrix/client/v1/appservice/{slot.registration.id}/ping"
    token = {"Authorization": f"Bearer {slot.registration.as_token}"}
    try:
        async with aiohttp.ClientSession(headers=token) as session, session.post(wake, json={}) as answer:
            assert answer.status == 200, await answer.text()
        await alice.create_room(invite=[slot.bot_id])
        async with asyncio.timeout(10):
            while (await received.get()).get("state_key") != slot.bot_id:
                pass
    finally:
        await runner.cleanup()


async def test_a_killed_homeserver_comes_back_with_its_data(
    make_synapse: Callable[..., Synapse], new_user: NewUser
) -> None:
    server = make_synapse()
    await server.start()
    user = await new_user("claire", at=server)
    room = await user.create_room()
    await user.say(room, "avant")
    server.kill()
    await server.start()
    await user.say(room, "après")
    await user.wait_for(room, lambda event: event["content"].get("body") == "après")


async def test_a_homeserver_keeps_its_data_in_postgresql_and_limits_rates_where_asked(
    make_synapse: Callable[..., Synapse], postgres: Postgres, new_user: NewUser
) -> None:
    database = postgres.synapse_database(await postgres.create_database())
    limits = {"rc_message": {"per_second": 0.1, "burst_count": 2}}
    server = make_synapse(database=database, settings=limits)
    await server.start()
    user = await new_user("denis", at=server)
    room = await user.create_room()
    sends = [user.say(room, str(number)) for number in range(10)]
    with pytest.raises(MatrixRefused, match="M_LIMIT_EXCEEDED"):
        await asyncio.gather(*sends)


async def test_a_frozen_sfu_answers_nothing_until_it_goes_on(make_livekit: Callable[..., LiveKit]) -> None:
    server = make_livekit()
    await server.start()
    server.pause()
    timeout = aiohttp.ClientTimeout(total=0.3)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        with pytest.raises(TimeoutError):
            await session.get(server.api_url)
        server.resume()
        async with session.get(server.api_url, timeout=aiohttp.ClientTimeout(total=5)) as response:
            assert response.ok
    await server.stop()
    assert not server.running


async def test_the_sfu_makes_rooms_and_hands_out_no_server_of_others(livekit: LiveKit) -> None:
    async with api.LiveKitAPI(livekit.api_url, livekit.key, livekit.secret) as client:
        made = await client.room.create_room(api.CreateRoomRequest(name="conseil"))
        assert made.name == "conseil"
        await client.room.delete_room(api.DeleteRoomRequest(room="conseil"))
    config = (livekit.folder / "livekit.yaml").read_text()
    assert "127.0.0.1" in config.partition("stun_servers")[2]


async def test_the_relay_passes_on_holds_back_loses_and_doubles_webhooks(
    livekit: LiveKit, webhook_relay: WebhookRelay
) -> None:
    got: asyncio.Queue[str] = asyncio.Queue()

    async def hook(request: aiohttp.web.Request) -> aiohttp.web.Response:
        body = json.loads(await request.read())
        assert request.headers["Authorization"]
        if body["room"]["name"].startswith("relais-"):
            got.put_nowait(f"{body['event']} {body['room']['name']}")
        return aiohttp.web.Response()

    app = aiohttp.web.Application()
    app.router.add_post("/hook", hook)
    port = reserve_port()
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", port).start()
    async with api.LiveKitAPI(livekit.api_url, livekit.key, livekit.secret) as client:

        async def make(name: str) -> None:
            seen = len(webhook_relay.received)
            await client.room.create_room(api.CreateRoomRequest(name=name))
            await until(lambda: any(name.encode() in w.body for w in webhook_relay.received[seen:]))

        with webhook_relay.route(f"http://127.0.0.1:{port}/hook") as route:
            await make("relais-1")
            assert await asyncio.wait_for(got.get(), 5) == "room_started relais-1"
            route.copies = 0
            await make("relais-lost")
            route.copies = 2
            await make("relais-2")
            assert await asyncio.wait_for(got.get(), 5) == "room_started relais-2"
            assert await asyncio.wait_for(got.get(), 5) == "room_started relais-2"
            route.holding = True
            await make("relais-3")
            await until(lambda: bool(route.held))
            async with aiohttp.ClientSession() as session:
                assert await deliver(session, route.target, route.held[-1]) == 200
            assert await asyncio.wait_for(got.get(), 5) == "room_started relais-3"
        assert got.empty()
    await runner.cleanup()


async def test_each_test_gets_an_empty_database(database_url: str) -> None:
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        # Fails when another test's table is still there.
        await connection.execute(text("CREATE TABLE only_here (x INTEGER)"))
    await engine.dispose()


async def test_each_test_gets_an_empty_database_again(database_url: str) -> None:
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE only_here (x INTEGER)"))
    await engine.dispose()


async def test_postgresql_killed_and_started_again_has_its_databases(
    make_postgres: Callable[..., Postgres],
) -> None:
    server = make_postgres(durable=True)
    await server.start()
    name = await server.create_database()
    server.kill()
    await server.start()
    engine = create_async_engine(server.sqlalchemy_url(name))
    async with engine.connect() as connection:
        assert (await connection.execute(text("SHOW fsync"))).scalar() == "on"
    await engine.dispose()


def test_nothing_listens_on_other_than_loopback(synapse: Synapse, livekit: LiveKit) -> None:
    for peer in (synapse, livekit):
        assert "0.0.0.0" not in "".join(path.read_text() for path in peer.folder.glob("*.yaml"))
        assert os.stat(next(peer.folder.glob("*.yaml"))).st_uid == os.getuid()


async def test_the_shared_bridge_comes_when_it_is_invited(bridge: LocalBridge, alice: MatrixUser) -> None:
    room = await alice.create_room(invite=[bridge.bot_id])
    await alice.wait_until(lambda: bridge.bot_id in alice.room(room).members())


async def test_a_bridge_of_ones_own_is_killed_changed_and_started_again(
    make_bridge: MakeBridge, alice: MatrixUser, postgres_url: str
) -> None:
    own = make_bridge({"bot": {"language": "en"}, "database": {"url": postgres_url}})
    await own.start()
    own.kill()
    own.settings["commands"] = {"prefix": "!meet"}
    await own.start()
    room = await alice.create_room(invite=[own.bot_id])
    await alice.wait_for(room, lambda event: "!meet" in event["content"].get("body", ""))
    assert await own.stop() == 0


def test_who_may_not_install_a_package_is_told_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(cache.InstallFailed, match="apt-get install chromium"):
        cache.apt_install("chromium")
