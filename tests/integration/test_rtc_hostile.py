"""Native calls' own doors, and whoever knocks there: nobody is reached for them, nobody else notices them.

The parts are tried one by one in the unit tests; here it is the bridge as it runs, with a policy that knows
every homeserver there may be.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType
from livekit.protocol.rtc import SignalRequest

from bridge.demo.matrix_user import MatrixUser
from bridge.rtc.limits import Limits
from tests.conftest import ShareBridge
from tests.support.bridges import LocalBridge
from tests.support.cards import Salon
from tests.support.native import DEVICE, Service, bring, door, openid
from tests.unit.rtc.people import person

SECRET = "s3cret-of-a-victim"


@pytest.fixture(scope="module")
def exposed(share_bridge: ShareBridge) -> Iterator[LocalBridge]:
    """A bridge that may ask every homeserver on the Internet, and none on this machine but its own."""
    with share_bridge("exposed", {"rtc": {"enabled": True}, "policy": {"*": "publish"}}) as made:
        yield made


@pytest.fixture
async def service(exposed: LocalBridge) -> AsyncIterator[Service]:
    async with aiohttp.ClientSession() as session:
        yield Service(exposed, session)


async def test_no_server_name_leads_to_this_machine(service: Service, alice: MatrixUser) -> None:
    reached: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(await reader.read(100))
        writer.close()

    room = await alice.create_room()
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        hosts = ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1", "0x7f000001")
        names = [f"{host}:{port}" for host in hosts]
        names += ["localhost", f"x@localhost:{port}", f"localhost:{port}/x", f"localhost:{port}#", "\u2460.1"]
        for name in names:
            token = {"access_token": SECRET, "token_type": "Bearer", "matrix_server_name": name}
            status, body = await service.sfu_get(alice, room, openid_token=token | {"expires_in": 3600})
            assert (status, body["errcode"]) == (401, "M_UNAUTHORIZED"), name
    assert reached == []
    assert SECRET not in service.bridge.log_file.read_text(errors="replace")


async def test_whatever_is_posted_is_answered_or_refused_and_the_next_one_is_served(
    service: Service, alice: MatrixUser
) -> None:
    room = await alice.create_room()
    token = await openid(alice)
    right: dict[str, Any] = {"room": room, "openid_token": token, "device_id": DEVICE}
    wrong: list[Any] = [
        *(None, [], 7, "x", {}, {"room": room}),
        right | {"surprise": 1},
        right | {"room": {"$ne": None}},
        right | {"device_id": "a:b"},
        right | {"device_id": "\0"},
        right | {"room": "!" + "r" * 10_000},
        right | {"openid_token": token | {"expires_in": 10**400}},
        right | {"openid_token": token | {"access_token": "x" * 10_000}},
        right | {"openid_token": [[[[]]]]},
    ]
    url = f"{service.bridge.public_url}/livekit"
    for path in ("sfu/get", "get_token", "delegate_delayed_leave"):
        for body in wrong:
            status, answer = await service.post(path, body)
            assert 400 <= status < 500, body
            assert answer["errcode"].startswith("M_")
        for raw in (b"\xff\xfe", b"[" * 60_000, b'{"room":' * 5_000, b" " * 1_000_000):
            async with service.session.post(f"{url}/{path}", data=raw) as refused:
                assert 400 <= refused.status < 500
    assert (await service.sfu_get(alice, room))[0] == 200
    assert "Traceback" not in service.bridge.log_file.read_text(errors="replace")


async def test_a_client_that_sends_nonsense_disturbs_nobody_else_in_the_call(
    service: Service, alice: MatrixUser, bob: MatrixUser
) -> None:
    salon = await Salon.made_by(alice, service.bridge.bot_id)
    await bring(alice, bob, salon.room_id)
    doors = [door((await service.sfu_get(user, salon.room_id))[1]) for user in (alice, bob)]
    hostile = (await service.sfu_get(bob, salon.room_id, device_id="HOSTILE"))[1]
    chance = random.Random(5)
    offer = SignalRequest()
    offer.offer.sdp = "v=0\r\n" * 200
    frames = [
        *(chance.randbytes(chance.randrange(1, 3_000)) for _ in range(8)),
        *(offer.SerializeToString()[:length] for length in (1, 2, 5, 900)),
        b"\x0a" + b"\xff" * 9 + b"\x01",
        b"\0" * 100_000,
        b"x" * (Limits().frame_up + 1),
    ]
    async with person(**doors[0]) as one, person(**doors[1]) as other:
        await one.speak()
        await other.hears(f"{alice.user_id}:{DEVICE}")
        url = f"{hostile['url']}/rtc?access_token={hostile['jwt']}&protocol=16&sdk=js"
        for frame in frames:
            async with service.session.ws_connect(url, max_msg_size=0) as socket:
                assert (await socket.receive()).type is WSMsgType.BINARY
                await socket.send_bytes(frame)
                await socket.send_str("no more")
        await other.hears(f"{alice.user_id}:{DEVICE}")
        for each in (one, other):
            assert ("reconnecting", None) not in each.events
            assert ("disconnected", None) not in each.events
    assert "Traceback" not in service.bridge.log_file.read_text(errors="replace")
